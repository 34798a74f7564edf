import logging
import socket
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch

from model import clean_digits, rehearsal
from model.clean_digits import MD5, CleanDigitsMissing, _torchvision_mnist, load_clean_digits
from model.rehearsal import (
    GENERATED,
    SHIPPED_MIXTURES,
    DigitMixtures,
    MixtureSettings,
    fit,
    load_mixtures,
    load_or_rehearse,
    rehearsal_digits,
    save_mixtures,
)
from model.training import predict_digits
from model.weights import SHIPPED_FOLDER, build_network, load_weights, shipped_weights_id

NOBODY = "http://127.0.0.1:9/"  # the discard port: connections are refused


@pytest.fixture(scope="module")
def shipped() -> DigitMixtures:
    return load_mixtures()


def test_the_shipped_file_stays_under_2_mb():
    assert SHIPPED_MIXTURES.stat().st_size <= 2_000_000


def test_generated_digits_look_like_digits(shipped):
    digits = shipped.sample(500, seed=2)
    network = build_network(load_weights(SHIPPED_FOLDER, shipped_weights_id()))
    right = (predict_digits(network, digits.images) == digits.labels).float()
    assert right.mean() >= 0.985  # 0.9894 when they were made; 0.9914 on clean validation
    assert min(right[digits.labels == digit].mean() for digit in range(10)) >= 0.96


def test_generated_digits_have_as_much_ink_as_mnist(shipped, mnist):
    generated, real = shipped.sample(500, seed=1).images.float().mean(), mnist.train.images.float().mean()
    assert float(generated) == pytest.approx(float(real), rel=0.03)


def test_digits_come_as_bytes_with_their_labels_in_turn(shipped):
    digits = shipped.sample(3, seed=1)
    assert (digits.images.shape, digits.images.dtype) == ((30, 28, 28), torch.uint8)
    assert digits.labels.dtype == torch.int64
    assert digits.labels.tolist() == list(range(10)) * 3


def test_a_seed_gives_its_digits_and_another_seed_others(shipped):
    first, again, other = (shipped.sample(20, seed).images for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_rehearsal_digits_are_the_same_every_time_and_shared_by_no_two_parts():
    digits, again = rehearsal_digits((20, 10, 10)), rehearsal_digits((20, 10, 10))
    assert [len(part) for part in (digits.train, digits.validation, digits.test)] == [200, 100, 100]
    assert torch.equal(digits.train.images, again.train.images)
    assert digits.source == GENERATED
    parts = (digits.train, digits.validation, digits.test)
    assert len({image.numpy().tobytes() for part in parts for image in part.images}) == 400


def test_35_000_of_them_take_no_time_to_speak_of():
    began = time.perf_counter()
    assert len(rehearsal_digits().train) == 20_000
    assert time.perf_counter() - began < 10  # 0.16 s on one core


def test_pixels_are_clipped_and_haze_is_no_ink():
    """One component that always draws the same: pixels at -0.5, 0.1, 0.5 and 1.5 of full ink."""
    mean = np.resize(np.float32([-0.5, 0.1, 0.5, 1.5]), 784)
    nothing = np.zeros((10, 1, 1), np.float32)
    always = DigitMixtures(
        mean, np.zeros((1, 784), np.float32), np.ones((10, 1), np.float32), nothing, nothing[..., None]
    )
    assert always.sample(1, seed=1).images[0].flatten()[:4].tolist() == [0, 0, 128, 255]


def test_mixtures_fitted_to_plain_digits_draw_them_again_from_their_file(small_digits, tmp_path):
    seen = []
    mixtures = fit(small_digits.train, MixtureSettings(dimensions=15, components=2), lambda *step: seen.append(step))
    assert seen == [(digit, 10) for digit in range(1, 11)]
    size = save_mixtures(mixtures, tmp_path / "digits.safetensors", {"seed": 1})
    assert size == (tmp_path / "digits.safetensors").stat().st_size
    drawn = load_mixtures(tmp_path / "digits.safetensors").sample(20, seed=1)

    def centres(digits):
        return torch.stack([digits.images[digits.labels == digit].float().mean(0) for digit in range(10)])

    distances = torch.cdist(centres(drawn).flatten(1), centres(small_digits.train).flatten(1))
    assert distances.argmin(1).tolist() == list(range(10))


def test_a_mixture_without_components_is_refused():
    with pytest.raises(ValueError, match="cannot be fitted; give 1 to 784 dimensions and at least one component"):
        MixtureSettings(components=0)


@pytest.mark.parametrize("content", [None, b"not a safetensors file"])
def test_a_missing_or_damaged_file_is_named(tmp_path, content):
    path = tmp_path / "digits.safetensors"
    if content:
        path.write_bytes(content)
    with pytest.raises(CleanDigitsMissing, match=r"digits\.safetensors is missing or damaged"):
        load_mixtures(path)


def test_mnist_at_hand_is_mnist(tmp_path, mnist_folder):
    assert load_or_rehearse(mnist_folder, tmp_path).source == "MNIST"


def test_a_folder_that_was_given_is_never_replaced_by_generated_digits(tmp_path):
    with pytest.raises(CleanDigitsMissing, match="set HOODWINK_MNIST_DIR to the folder with its four"):
        load_or_rehearse(tmp_path, tmp_path)


def test_out_of_reach_digits_are_generated_and_the_log_says_so(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(_torchvision_mnist(), "mirrors", [NOBODY])
    with caplog.at_level(logging.WARNING, "hoodwink"):
        digits = load_or_rehearse(None, tmp_path)
    assert digits.source == "generated digits"
    assert [len(part) for part in (digits.train, digits.validation, digits.test)] == [20_000, 5_000, 10_000]
    (said,) = caplog.messages
    assert said.startswith("rehearsing on generated digits instead of MNIST")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_server_that_never_answers_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(clean_digits, "PATIENCE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(_torchvision_mnist(), "mirrors", [f"http://127.0.0.1:{silent.getsockname()[1]}/"] * 8)
        began = time.monotonic()
        with pytest.raises(CleanDigitsMissing, match="no server that has it answers"):
            load_clean_digits(None, tmp_path)
        assert time.monotonic() - began < 2
    assert socket.getdefaulttimeout() is None


class Torn(SimpleHTTPRequestHandler):
    """Serves files; from the labels on, only their first half."""

    def log_message(self, format, *args):
        pass

    def copyfile(self, source, outputfile):
        content = source.read()
        outputfile.write(content[: len(content) // 2] if "labels" in self.path else content)


def test_a_download_that_breaks_off_leaves_nothing_behind(tmp_path, mnist_folder, monkeypatch):
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Torn, directory=str(mnist_folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(_torchvision_mnist(), "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
        monkeypatch.setattr(rehearsal, "rehearsal_digits", lambda: "generated")
        assert load_or_rehearse(None, tmp_path) == "generated"
        server.shutdown()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_torn_file_in_the_cache_is_downloaded_anew(tmp_path, mnist_folder, monkeypatch):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in MD5:
        (raw / name).write_bytes((mnist_folder / name).read_bytes()[:5000])
    quiet = type("Quiet", (Torn,), {"copyfile": SimpleHTTPRequestHandler.copyfile})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(quiet, directory=str(mnist_folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(_torchvision_mnist(), "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
        assert len(load_or_rehearse(None, tmp_path).train) == 55_000
        server.shutdown()
    assert sorted(path.name for path in raw.iterdir()) == sorted(MD5)
