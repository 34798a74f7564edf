"""What a study is: images, a network, its last convolution. MNIST and CIFAR-10 are run by the same commands."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from evaluation.grad_cam import DIGITS, LastConvolution, heat_maps
from model.clean_digits import CleanDigits, Digits
from model.network import Network
from model.training import TrainingRecipe, train


@dataclass(frozen=True)
class Images:
    """images: (N, C, H, W) uint8; labels: (N,) int64; ids: N texts by which a person finds one again.

    notes: N dictionaries of what else is known of each.
    """

    images: Tensor
    labels: Tensor
    ids: list[str]
    notes: list[dict[str, Any]]

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int) -> "Images":
        return Images(self.images[:count], self.labels[:count], self.ids[:count], self.notes[:count])


@dataclass(frozen=True)
class Splits:
    """train: to learn from; validation: a fixed part of the training set, to decide on; test: only ever reported."""

    train: Images
    validation: Images
    test: Images
    source: str


AT_ONCE = 100  # images whose gradients are kept: of a ResNet-18 5 MB each

Report = Callable[[int, int], None]  # step, of
ReportEpoch = Callable[[int, float, nn.Module], None]  # epoch from 1, mean training loss, network ready to predict


class Train(Protocol):
    def __call__(
        self, data: Images, seed: int, epochs: int, label_smoothing: float, report: Report, report_epoch: ReportEpoch
    ) -> nn.Module: ...


@dataclass(frozen=True)
class Study:
    """Networks take images / 255, normalise inside and give logits."""

    name: str
    classes: tuple[str, ...]
    layer: LastConvolution
    epochs: int  # a full training
    load: Callable[[], Splits]
    build: Callable[[], nn.Module]
    train: Train
    recipe: Any  # a dataclass: all settings of `train` but seed, epochs and smoothing

    def heat(self, network: nn.Module, images: Tensor, classes: Tensor | int) -> Tensor:
        """images: (N, C, H, W) uint8; result: (N, H, W) in [0, 1]."""
        device = _device(network)
        classes = torch.as_tensor(classes).expand(len(images))
        maps = [
            heat_maps(network, some.to(device) / 255, of.to(device), self.layer).cpu()
            for some, of in zip(images.split(AT_ONCE), classes.split(AT_ONCE), strict=True)
        ]
        return torch.cat(maps)

    def recipe_of(self, epochs: int, label_smoothing: float) -> dict[str, Any]:
        """Enough to train the same network again."""
        return {"study": self.name, **asdict(self.recipe), "epochs": epochs, "label_smoothing": label_smoothing}


@torch.inference_mode()
def read_probabilities(network: nn.Module, images: Tensor, batch: int = 1000) -> Tensor:
    """Probabilities (N, classes), float64, of images (N, C, H, W) uint8."""
    device = _device(network)
    logits = [network(part.to(device) / 255).cpu() for part in images.split(batch)]
    return torch.softmax(torch.cat(logits).double(), 1)


def _device(network: nn.Module) -> torch.device:
    return next(network.parameters()).device


def mnist(load: Callable[[], CleanDigits]) -> Study:
    """The digit network on clean digits."""

    def splits() -> Splits:
        digits = load()
        return Splits(
            digits_as_images(digits.train, "train"),
            digits_as_images(digits.validation, "validation"),
            digits_as_images(digits.test, "test"),
            digits.source,
        )

    return Study(
        "mnist", tuple("0123456789"), DIGITS, epochs=TrainingRecipe.epochs,
        load=splits, build=Network, train=_train_digits, recipe=TrainingRecipe(),
    )  # fmt: skip


def digits_as_images(digits: Digits, split: str) -> Images:
    ids = [f"{split}-{i:05}" for i in range(len(digits))]
    return Images(digits.images.unsqueeze(1), digits.labels, ids, [{} for _ in ids])


def _train_digits(
    data: Images, seed: int, epochs: int, label_smoothing: float, report: Report, report_epoch: ReportEpoch
) -> nn.Module:
    recipe = replace(TrainingRecipe(), epochs=epochs, label_smoothing=label_smoothing)
    return train(Digits(data.images.squeeze(1), data.labels), recipe, seed, report, report_epoch)
