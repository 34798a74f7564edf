"""Clean digits: MNIST, from a folder or through torchvision, always checked."""

import gzip
import hashlib
import queue
import socket
import tempfile
import threading
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from model.vision import torchvision

# md5 sums of the original four files, as torchvision.datasets.MNIST.resources lists them.
MD5 = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}
# Every 12th training image is clean validation: 5,000 of 60,000, the same in every library and version.
VALIDATION_STEP = 12
PATIENCE_SECONDS = 10.0  # how long a download may stand still, at its start or later


class CleanDigitsMissing(RuntimeError):
    """MNIST is not at hand; the message says what to set."""


@dataclass(frozen=True)
class Digits:
    """images: (N, 28, 28) uint8, 0 = paper, 255 = ink; labels: (N,) int64."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class CleanDigits:
    """train: to learn from; validation: to decide on, never trained on; test: to report, never decided on."""

    train: Digits
    validation: Digits
    test: Digits
    source: str = "MNIST"  # or model.rehearsal.GENERATED


def load_clean_digits(folder: Path | None, cache_folder: Path) -> CleanDigits:
    """MNIST from `folder` (the four gz files), else from torchvision's files under `cache_folder`, else downloaded there.

    Raises CleanDigitsMissing, in one sentence, when a file is absent, damaged or out of reach.
    """
    if folder is None:
        folder = _torchvision_folder(cache_folder)
    images, labels = _read(folder, "train-images-idx3-ubyte.gz"), _read(folder, "train-labels-idx1-ubyte.gz")
    everything = Digits(images.reshape(-1, 28, 28), labels.to(torch.int64))
    test = Digits(
        _read(folder, "t10k-images-idx3-ubyte.gz").reshape(-1, 28, 28),
        _read(folder, "t10k-labels-idx1-ubyte.gz").to(torch.int64),
    )
    return split_off_validation(everything, test)


def split_off_validation(everything: Digits, test: Digits) -> CleanDigits:
    """Set every 12th training digit aside as clean validation."""
    aside = torch.zeros(len(everything), dtype=torch.bool)
    aside[::VALIDATION_STEP] = True
    return CleanDigits(
        train=Digits(everything.images[~aside], everything.labels[~aside]),
        validation=Digits(everything.images[aside], everything.labels[aside]),
        test=test,
    )


def _read(folder: Path, name: str) -> Tensor:
    """The numbers of one IDX file, flat, uint8."""
    path = folder / name
    try:
        packed = path.read_bytes()
    except OSError as error:
        raise CleanDigitsMissing(
            f"MNIST is not in {folder} ({name}: {error.strerror}); set HOODWINK_MNIST_DIR to the folder with its four .gz files"
        ) from error
    if hashlib.md5(packed, usedforsecurity=False).hexdigest() != MD5[name]:
        raise CleanDigitsMissing(
            f"{path} is damaged or not MNIST (its md5 sum is wrong); fetch it anew or set HOODWINK_MNIST_DIR to good files"
        )
    raw = gzip.decompress(packed)
    header = 4 + 4 * raw[3]  # the fourth byte of an IDX file is its number of dimensions
    return torch.from_numpy(np.frombuffer(raw, np.uint8, offset=header).copy())


def _torchvision_folder(cache_folder: Path) -> Path:
    """Where torchvision keeps MNIST below `cache_folder`, downloading it if it is not there whole.

    torchvision downloads in place; here it does so into a folder beside, and only good files are moved.
    """
    raw = cache_folder / "MNIST" / "raw"
    if all(_is_whole(raw / name) for name in MD5):
        return raw
    timeout_before = socket.getdefaulttimeout()
    try:
        raw.mkdir(parents=True, exist_ok=True)
        MNIST = _torchvision_mnist()
        if not is_reachable([mirror + next(iter(MD5)) for mirror in MNIST.mirrors]):
            raise OSError("no server that has it answers")
        socket.setdefaulttimeout(PATIENCE_SECONDS)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=raw) as beside:
            MNIST(beside, download=True)
            for name in MD5:
                (Path(beside) / "MNIST" / "raw" / name).replace(raw / name)
    except (OSError, RuntimeError, HTTPException) as error:
        raise CleanDigitsMissing(
            f"MNIST is not in {raw} and could not be downloaded; set HOODWINK_MNIST_DIR to the folder with its "
            f"four .gz files ({str(error).splitlines()[0].rstrip(':')})"
        ) from error
    finally:
        socket.setdefaulttimeout(timeout_before)
    return raw


def _is_whole(path: Path) -> bool:
    return path.exists() and hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() == MD5[path.name]


def is_reachable(addresses: Sequence[str]) -> bool:
    """Does one of these answer within PATIENCE_SECONDS?

    Asked in threads that are left behind when it takes longer: looking a name up has no timeout of its own, and a
    server with eight addresses behind a silent firewall would be waited for eight times.
    """
    answers: queue.Queue[bool] = queue.Queue()
    until = time.monotonic() + PATIENCE_SECONDS

    def ask(address: str) -> None:
        question = urllib.request.Request(address, method="HEAD")  # noqa: S310, torchvision's own addresses
        try:
            urllib.request.urlopen(question, timeout=PATIENCE_SECONDS).close()  # noqa: S310 # nosec B310
        except (OSError, HTTPException):
            answers.put(False)
        else:
            answers.put(True)

    for address in addresses:
        threading.Thread(target=ask, args=(address,), daemon=True).start()
    try:
        return any(answers.get(timeout=max(until - time.monotonic(), 0)) for _ in addresses)
    except queue.Empty:
        return False


def _torchvision_mnist() -> Any:
    return torchvision("datasets").MNIST
