"""The CIFAR-10 study: a ResNet-18 on 32 x 32 photographs, run by the same commands as MNIST.

Data and network come from torchvision. No figure of ours is claimed for it: where the data cannot be had there is none.
"""

import socket
import warnings
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from evaluation.grad_cam import LastConvolution
from evaluation.study import Images, Report, ReportEpoch, Splits, Study
from model.clean_digits import PATIENCE_SECONDS, is_reachable
from model.vision import torchvision

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
# Of the 50,000 training images, by channel; as most studies of CIFAR-10 use them.
PIXEL_MEAN, PIXEL_STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
VALIDATION_STEP = 10  # every 10th training image decides: 5,000, the same in every run
BORDER = 4  # px of black around an image before it is cropped
# The last convolution of the last block, before its batch normalisation; padded, so its 4 x 4 map covers the image. Signs
# are kept: the block's ReLU comes only after the shortcut is added, so what is negative here may count still.
LAYER = LastConvolution("resnet.layer4.1.conv2")


class Cifar10Missing(RuntimeError):
    """CIFAR-10 is not at hand; the message says what to do."""


@dataclass(frozen=True)
class Cifar10Recipe:
    """SGD with Nesterov momentum, one cycle of the rate; random crops and flips. Chosen by custom, not tuned by us."""

    batch: int = 128
    peak_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4


def cifar10(folder: Path, *, download: bool, device: str = "cpu", recipe: Cifar10Recipe | None = None) -> Study:
    """folder: holds cifar-10-batches-py, or is where it is downloaded to. device: what the network runs on."""
    return Study(
        "cifar10",
        CLASSES,
        LAYER,
        epochs=30,
        load=partial(load_cifar10, folder, download=download),
        build=lambda: resnet18().to(device),
        train=partial(_train, device=device, recipe=recipe or Cifar10Recipe()),
        recipe=recipe or Cifar10Recipe(),
    )


def load_cifar10(folder: Path, *, download: bool) -> Splits:
    """CIFAR-10 as torchvision finds it below `folder`, checked, else downloaded there.

    Raises Cifar10Missing, in one sentence, when it is absent, damaged or out of reach.
    """
    try:
        train, test = _open(folder, download)
    except (OSError, RuntimeError, HTTPException) as error:
        raise Cifar10Missing(
            f"CIFAR-10 is not whole in {folder}{' and could not be downloaded' if download else ''}; unpack "
            f"cifar-10-python.tar.gz there and give that folder with --cifar10-dir ({str(error).splitlines()[0].rstrip(':')})"
        ) from error
    images, labels = _as_tensors(train)
    aside = torch.zeros(len(labels), dtype=torch.bool)
    aside[::VALIDATION_STEP] = True
    return Splits(
        _images(images[~aside], labels[~aside], "train"),
        _images(images[aside], labels[aside], "validation"),
        _images(*_as_tensors(test), "test"),
        "CIFAR-10",
    )


def dataset_class() -> Any:
    return torchvision("datasets").CIFAR10


def _open(folder: Path, download: bool) -> tuple[Any, Any]:
    CIFAR10 = dataset_class()
    with warnings.catch_warnings():
        # The files were pickled by a numpy of 2009, of which numpy 2.4 warns.
        warnings.filterwarnings("ignore", message=r".*align should be passed as")
        try:
            return CIFAR10(folder, train=True), CIFAR10(folder, train=False)
        except RuntimeError:
            if not download:
                raise
        if not is_reachable([CIFAR10.url]):
            raise OSError("no server that has it answers")
        timeout_before = socket.getdefaulttimeout()
        socket.setdefaulttimeout(PATIENCE_SECONDS)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return CIFAR10(folder, train=True, download=True), CIFAR10(folder, train=False)
        finally:
            socket.setdefaulttimeout(timeout_before)


def _as_tensors(dataset: Any) -> tuple[Tensor, Tensor]:
    """(N, 3, 32, 32) uint8 and (N,) int64."""
    return torch.from_numpy(dataset.data).permute(0, 3, 1, 2).contiguous(), torch.tensor(dataset.targets)


def _images(images: Tensor, labels: Tensor, split: str) -> Images:
    ids = [f"{split}-{i:05}" for i in range(len(labels))]
    return Images(images, labels, ids, [{} for _ in ids])


class Normalise(nn.Module):
    """(N, 3, H, W) in [0, 1] to mean 0 and deviation 1 over the training set, by channel."""

    def forward(self, images: Tensor) -> Tensor:
        mean, std = (images.new_tensor(each).reshape(3, 1, 1) for each in (PIXEL_MEAN, PIXEL_STD))
        return (images - mean) / std


def resnet18() -> nn.Module:
    """ResNet-18 for 32 x 32 (He et al. 2016): a 3 x 3 stem of stride 1 and no first pool. Logits (N, 10)."""
    resnet = torchvision("models").resnet18(num_classes=len(CLASSES))
    resnet.conv1 = nn.Conv2d(3, 64, kernel_size=3, padding=1, bias=False)
    nn.init.kaiming_normal_(resnet.conv1.weight, mode="fan_out", nonlinearity="relu")  # as torchvision does
    resnet.maxpool = nn.Identity()
    network = nn.Sequential()
    network.add_module("normalise", Normalise())
    network.add_module("resnet", resnet)
    return network


def crop_and_flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each image cropped at its own place after a black border of 4 pixels, half of them flipped left to right.

    images: (N, C, H, W), any type; the result has the same shape and type.
    """
    count, _, height, width = images.shape
    top, left = (torch.randint(0, 2 * BORDER + 1, (count, 1), generator=generator) for _ in range(2))
    flipped = torch.rand(count, 1, generator=generator) < 0.5
    across = torch.arange(width)
    rows = top + torch.arange(height)  # (N, H)
    columns = left + torch.where(flipped, across.flip(0), across)  # (N, W)
    padded = F.pad(images, [BORDER] * 4)
    nth = torch.arange(count)[:, None, None]
    return padded.permute(0, 2, 3, 1)[nth, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _train(
    data: Images,
    seed: int,
    epochs: int,
    label_smoothing: float,
    report: Report,
    report_epoch: ReportEpoch,
    *,
    device: str,
    recipe: Cifar10Recipe,
) -> nn.Module:
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network = resnet18().to(device).train()
    per_epoch = max(len(data) // recipe.batch, 1)
    steps = epochs * per_epoch
    optimizer = torch.optim.SGD(
        network.parameters(), recipe.peak_rate, recipe.momentum, weight_decay=recipe.weight_decay, nesterov=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.peak_rate, total_steps=steps, cycle_momentum=False)
    step = 0
    for epoch in range(1, epochs + 1):
        losses = []
        for chosen in torch.randperm(len(data), generator=generator).split(recipe.batch)[:per_epoch]:
            images = crop_and_flip(data.images[chosen], generator).to(device) / 255
            loss = F.cross_entropy(network(images), data.labels[chosen].to(device), label_smoothing=label_smoothing)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.detach())
            step += 1
            report(step, steps)
        report_epoch(epoch, float(torch.stack(losses).mean()), network.eval())
        network.train()
    return network.eval()
