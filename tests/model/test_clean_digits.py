import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch

from model.clean_digits import MD5, CleanDigitsMissing, Digits, load_clean_digits, split_off_validation


def test_validation_is_every_twelfth_training_digit_and_never_trained_on():
    everything = Digits(torch.arange(60).reshape(60, 1, 1), torch.zeros(60, dtype=torch.int64))
    parts = split_off_validation(everything, everything)
    assert parts.validation.images.flatten().tolist() == [0, 12, 24, 36, 48]
    assert set(parts.train.images.flatten().tolist()) == set(range(60)) - {0, 12, 24, 36, 48}


def test_mnist_splits_into_55000_5000_and_10000(mnist):
    assert [len(part) for part in (mnist.train, mnist.validation, mnist.test)] == [55_000, 5_000, 10_000]
    assert mnist.train.images.shape == (55_000, 28, 28)
    assert torch.bincount(mnist.validation.labels).min() > 400


def test_a_folder_without_mnist_says_what_to_set(tmp_path):
    with pytest.raises(CleanDigitsMissing, match="set HOODWINK_MNIST_DIR to the folder with its four"):
        load_clean_digits(tmp_path, tmp_path)


def test_a_damaged_file_is_refused_by_name(tmp_path, mnist_folder):
    for name in MD5:
        shutil.copy(mnist_folder / name, tmp_path)
    with (tmp_path / "t10k-labels-idx1-ubyte.gz").open("r+b") as file:
        file.seek(100)
        file.write(b"\0\0")
    with pytest.raises(CleanDigitsMissing, match=r"t10k-labels-idx1-ubyte\.gz is damaged"):
        load_clean_digits(tmp_path, tmp_path)


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format, *args):
        pass


def test_it_is_downloaded_through_torchvision_once(tmp_path, mnist_folder, monkeypatch):
    from model.clean_digits import _torchvision_mnist

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(mnist_folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(_torchvision_mnist(), "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
        assert len(load_clean_digits(None, tmp_path).train) == 55_000
        server.shutdown()
    assert len(load_clean_digits(None, tmp_path).test) == 10_000  # the server is gone


def test_out_of_reach_it_says_what_to_set(tmp_path, monkeypatch):
    from model.clean_digits import _torchvision_mnist

    monkeypatch.setattr(_torchvision_mnist(), "mirrors", ["http://127.0.0.1:9/"])
    with pytest.raises(CleanDigitsMissing, match="could not be downloaded; set HOODWINK_MNIST_DIR"):
        load_clean_digits(None, tmp_path)
