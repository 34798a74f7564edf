"""A small data set in CIFAR-10's own file format."""

import hashlib
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.cifar10 import CLASSES
from model.vision import torchvision

FOLDER = "cifar-10-batches-py"
BATCHES = [f"data_batch_{i}" for i in range(1, 6)]
OLD_DTYPE, NEW_DTYPE = b"K\x00K\x01\x87", b"\x89\x88\x87"  # (0, 1) and (False, True), as arguments of numpy.dtype


def write_small_cifar10(folder: Path, per_batch: int = 4, in_test: int = 10) -> Any:
    """Write the files below `folder`, packed and unpacked; gives torchvision's CIFAR10 with the sums of these files.

    Pickled as the numpy of 2009 did, of which numpy 2.4 warns. Each class has its own colour, with noise.
    """
    rng = np.random.default_rng(0)
    inside = folder / FOLDER
    inside.mkdir(parents=True)
    sums = {}
    for name, count in [*((batch, per_batch) for batch in BATCHES), ("test_batch", in_test)]:
        labels = [int(label) for label in rng.permutation(np.arange(count) % 10)]
        images = rng.integers(0, 60, (count, 3, 1024))
        images += np.array([[label % 3 * 90, label // 3 * 60, label % 2 * 150] for label in labels])[:, :, None]
        packed = pickle.dumps({"data": images.astype(np.uint8).reshape(count, 3072), "labels": labels}, protocol=2)
        assert NEW_DTYPE in packed
        sums[name] = _write(inside / name, packed.replace(NEW_DTYPE, OLD_DTYPE))
    meta_sum = _write(inside / "batches.meta", pickle.dumps({"label_names": list(CLASSES)}, protocol=2))
    with tarfile.open(folder / "cifar-10-python.tar.gz", "w:gz") as tar:
        tar.add(inside, FOLDER)
    archive = (folder / "cifar-10-python.tar.gz").read_bytes()

    class SmallCifar10(torchvision("datasets").CIFAR10):
        tgz_md5 = hashlib.md5(archive, usedforsecurity=False).hexdigest()
        train_list = [[name, sums[name]] for name in BATCHES]  # noqa: RUF012
        test_list = [["test_batch", sums["test_batch"]]]  # noqa: RUF012
        meta = {"filename": "batches.meta", "key": "label_names", "md5": meta_sum}  # noqa: RUF012

    return SmallCifar10


def _write(path: Path, packed: bytes) -> str:
    path.write_bytes(packed)
    return hashlib.md5(packed, usedforsecurity=False).hexdigest()
