import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
from captum.attr import LayerGradCam
from torch.nn import functional as F
from typer.testing import CliRunner

from evaluation import cifar10
from evaluation.__main__ import app
from evaluation.cifar10 import CLASSES, Cifar10Missing, crop_and_flip, load_cifar10, resnet18
from tests.made_cifar10 import FOLDER, write_small_cifar10

OUT_OF_REACH = "http://127.0.0.1:9/cifar-10-python.tar.gz"


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A folder with a small CIFAR-10 in its own format: 18 images to learn from, 2 to decide, 10 to test."""
    small = write_small_cifar10(tmp_path / "files")
    small.url = OUT_OF_REACH
    monkeypatch.setattr(cifar10, "dataset_class", lambda: small)
    return tmp_path / "files"


def test_the_files_are_read_and_every_tenth_training_image_decides(small):
    data = load_cifar10(small, download=False)
    assert (len(data.train), len(data.validation), len(data.test)) == (18, 2, 10)
    assert (data.train.images.shape, data.train.images.dtype) == ((18, 3, 32, 32), torch.uint8)
    assert sorted(data.test.labels.tolist()) == list(range(10))
    # The made images have the colour of their class: red label % 3 * 90, blue label % 2 * 150, and noise up to 59.
    blue = data.train.images[:, 2].float().mean((1, 2))
    assert torch.equal(blue > 100, data.train.labels % 2 == 1)


@pytest.mark.filterwarnings("ignore:Python 3.14 will")
def test_it_is_downloaded_through_torchvision_once(small, tmp_path):
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(small))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        cifar10.dataset_class().url = f"http://127.0.0.1:{server.server_port}/cifar-10-python.tar.gz"
        assert len(load_cifar10(tmp_path / "fresh", download=True).test) == 10
        server.shutdown()
    assert len(load_cifar10(tmp_path / "fresh", download=True).train) == 18  # the server is gone


def test_out_of_reach_it_says_what_to_do(small, tmp_path):
    with pytest.raises(
        Cifar10Missing, match=r"could not be downloaded; unpack cifar-10-python.tar.gz there .*--cifar10"
    ):
        load_cifar10(tmp_path / "fresh", download=True)


def test_a_damaged_file_is_refused(small):
    with (small / FOLDER / "test_batch").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(Cifar10Missing, match="CIFAR-10 is not whole in"):
        load_cifar10(small, download=False)


def test_the_network_is_resnet18_for_small_images():
    network = resnet18()
    assert sum(parameter.numel() for parameter in network.parameters()) == 11_173_962  # as others count it
    shapes = []
    network.get_submodule(cifar10.LAYER.name).register_forward_hook(lambda _, __, out: shapes.append(out.shape))
    assert network.eval()(torch.zeros(2, 3, 32, 32)).shape == (2, 10)
    assert shapes == [(2, 512, 4, 4)]


def test_its_grad_cam_is_captums_over_the_whole_image():
    torch.manual_seed(0)
    network, images = resnet18().eval(), torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    study = cifar10.cifar10("nowhere", download=False)
    layer = network.get_submodule("resnet.layer4.1.conv2")
    theirs = LayerGradCam(network, layer).attribute((images / 255).requires_grad_(), 3, relu_attributions=True)
    theirs = F.interpolate(theirs.detach(), (32, 32), mode="bilinear", align_corners=False)[:, 0]
    assert theirs.amax((1, 2)).min() > 0
    torch.testing.assert_close(study.heat(network, images, 3), theirs / theirs.amax((1, 2), keepdim=True))


def test_crops_and_flips_move_pixels_and_change_none():
    image = torch.arange(1, 3 * 32 * 32 + 1, dtype=torch.int64).reshape(1, 3, 32, 32)
    many = crop_and_flip(image.expand(300, -1, -1, -1), torch.Generator().manual_seed(0))
    padded = F.pad(image, [4] * 4)
    seen = set()
    for one in many:
        top, left, flipped = next(
            (top, left, flipped)
            for top in range(9)
            for left in range(9)
            for flipped in (False, True)
            if torch.equal(one.flip(2) if flipped else one, padded[0, :, top : top + 32, left : left + 32])
        )
        seen.add((top, left, flipped))
    assert {top for top, _, _ in seen} == {left for _, left, _ in seen} == set(range(9))
    assert {flipped for _, _, flipped in seen} == {False, True}


def test_the_commands_run_it(small, tmp_path, monkeypatch):
    monkeypatch.setenv("HOODWINK_HOME", str(tmp_path / "home"))
    common = ["--study", "cifar10", "--cifar10-dir", str(small), "--json"]

    def run(*arguments: str):
        done = CliRunner().invoke(app, [*arguments, *common], catch_exceptions=False)
        return json.loads(done.stdout)

    trained = run("train", "--epochs", "1")
    assert trained["test_accuracy"]["n"] == 10
    found = run("failures", trained["weights_id"], "--top", "3", "--out", str(tmp_path / "failures"))
    assert len(found["cases"]) == 3
    (case,) = (tmp_path / "failures").glob("001-test-*")
    assert case.name.split("-")[3] in CLASSES
    assert len(list(case.glob("*.png"))) == 3
    compared = run(
        "compare", "--recipe", "label-smoothing", "--seeds", "1", "--epochs", "1", "--out", str(tmp_path / "c")
    )
    assert compared["data"] == {"source": "CIFAR-10", "train": 18, "validation": 2, "test": 10}
    smoothed = tmp_path / "c/weights" / f"{compared['weights'][0]['smoothed']}.safetensors"
    assert run("failures", str(smoothed), "--top", "1", "--out", str(tmp_path / "failures"))["n"] == 10
    assert len(list((tmp_path / "failures").glob("0*"))) == 1  # what the earlier call wrote is gone


def test_without_weights_it_says_how_to_make_some(small):
    with pytest.raises(ValueError, match=r"no cifar10 weights come with Hoodwink; `python -m evaluation train"):
        CliRunner().invoke(app, ["failures", "--study", "cifar10", "--cifar10-dir", str(small)], catch_exceptions=False)


def test_fooling_drawings_are_digits():
    with pytest.raises(ValueError, match="fooling drawings are digits"):
        CliRunner().invoke(app, ["failures", "--study", "cifar10", "--data", "fooling"], catch_exceptions=False)
