"""What a network makes of a test set: accuracy, loss, confusion, and how it does on each digit."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from evaluation.extras import need
from evaluation.metrics import Z, share
from model.network import as_pixels


@dataclass(frozen=True)
class Reading:
    """labels, seen: (N,) int64, the digits meant and read; losses: (N,) float64, cross-entropy in nats."""

    labels: Tensor
    seen: Tensor
    losses: Tensor

    @property
    def right(self) -> Tensor:
        return self.seen == self.labels

    def __len__(self) -> int:
        return len(self.labels)


@torch.inference_mode()
def read(network: nn.Module, images: Tensor, labels: Tensor, batch: int = 1000) -> Reading:
    """images: (N, 28, 28) uint8, or (N, 1, 28, 28) float in [0, 1] as attacks leave them."""
    seen, losses = [labels[:0]], [torch.zeros(0, dtype=torch.float64)]
    for part, meant in zip(images.split(batch), labels.split(batch), strict=True) if len(labels) else ():
        logits = network(as_pixels(part) if part.dtype == torch.uint8 else part)
        seen.append(logits.argmax(1))
        losses.append(F.cross_entropy(logits.double(), meant, reduction="none"))
    return Reading(labels, torch.cat(seen), torch.cat(losses))


def together(readings: Sequence[Reading]) -> Reading:
    return Reading(*(torch.cat([getattr(r, name) for r in readings]) for name in ("labels", "seen", "losses")))


def measured(reading: Reading) -> dict[str, Any]:
    """The figures of a reading as plain JSON; shares with Wilson intervals, the mean loss with a normal one, all 95 %.

    confusion[meant][seen] counts. precision is None for a digit that was never seen, recall for one that was never meant, f1
    for one that was neither: scikit-learn, which counts, calls them 0 unless told otherwise.
    """
    metrics = need("sklearn.metrics", "scikit-learn")
    labels, seen, digits = reading.labels.numpy(), reading.seen.numpy(), list(range(10))
    confusion = metrics.confusion_matrix(labels, seen, labels=digits) if len(reading) else [[0] * 10] * 10
    counted = (
        metrics.precision_recall_fscore_support(labels, seen, labels=digits, zero_division=float("nan"))
        if len(reading)
        else [[float("nan")] * 10] * 3 + [[0] * 10]
    )
    per_digit = [
        {
            "digit": digit,
            "precision": _number(precision),
            "recall": _number(recall),
            "f1": _number(f1),
            "support": int(support),
            "accuracy": asdict(share(int(confusion[digit][digit]), int(support))),
        }
        for digit, precision, recall, f1, support in zip(digits, *counted, strict=True)
    ]
    return {
        "n": len(reading),
        "accuracy": asdict(share(int(reading.right.sum()), len(reading))),
        "loss": mean_loss(reading),
        "confusion": [[int(count) for count in row] for row in confusion],
        "digits": per_digit,
    }


def mean_loss(reading: Reading) -> dict[str, float | None]:
    """Mean cross-entropy with its normal 95 % interval; without one for fewer than two images."""
    n = len(reading)
    mean = float(reading.losses.mean()) if n else None
    if mean is None or n < 2:
        return {"value": mean, "low": None, "high": None}
    reach = Z * float(reading.losses.std()) / sqrt(n)
    return {"value": mean, "low": max(mean - reach, 0.0), "high": mean + reach}  # no loss lies below 0


@dataclass(frozen=True)
class MeanShare:
    """A mean of several shares of the same `n` images, with its 95 % interval; all None without an image."""

    value: float | None
    low: float | None
    high: float | None
    n: int


def mean_share(rights: Sequence[Tensor]) -> MeanShare:
    """Of the same images read several times, (N,) of bool each: how many were right on average.

    Normal 95 % interval over images, each with its own mean, so that an image read wrongly every time counts as one image.
    """
    each = torch.stack(list(rights)).double().mean(0) if rights else torch.zeros(0, dtype=torch.float64)  # (N,)
    if len(each) < 2:
        return MeanShare(float(each.mean()) if len(each) else None, None, None, len(each))
    mean, reach = float(each.mean()), Z * float(each.std()) / sqrt(len(each))
    return MeanShare(mean, max(mean - reach, 0.0), min(mean + reach, 1.0), len(each))


def _number(value: float) -> float | None:
    return None if value != value else float(value)
