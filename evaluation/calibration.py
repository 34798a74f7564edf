"""Calibration: is a network right as often as it is sure?"""

from dataclasses import dataclass

import torch
from torch import Tensor

BINS = 15  # as Guo et al. 2017 have it


@dataclass(frozen=True)
class Bin:
    """The `n` images whose confidence lies in (low, high]; means over them, None where there is none."""

    low: float
    high: float
    n: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Calibration:
    """ece: expected calibration error, None without an image; confidence and accuracy: over all `n`."""

    ece: float | None
    n: int
    confidence: float | None
    accuracy: float | None
    bins: list[Bin]


def calibrate(probabilities: Tensor, labels: Tensor, bins: int = BINS) -> Calibration:
    """Expected calibration error over bins of equal width (Guo et al. 2017, arXiv 1706.04599, equation 3).

    The mean over bins of |accuracy - mean confidence|, each bin with the weight of its images. Confidence is the
    probability of the predicted class. probabilities: (N, classes), rows that sum to 1; labels: (N,).
    Raises ValueError unless there is at least one bin.
    """
    if bins < 1:
        raise ValueError(f"bins is {bins}; choose 1 or more")
    confidence, predicted = probabilities.double().max(1)  # (N,)
    right = (predicted == labels).double()
    edges = torch.linspace(0, 1, bins + 1, dtype=torch.float64)
    which = torch.bucketize(confidence, edges[1:-1])  # 0 to bins - 1; an edge belongs to the bin below it
    n, sure, hits = (
        torch.zeros(bins, dtype=torch.float64).index_add_(0, which, each)
        for each in (torch.ones_like(right), confidence, right)
    )
    return Calibration(
        ece=float((sure - hits).abs().sum() / len(labels)) if len(labels) else None,
        n=len(labels),
        confidence=float(confidence.mean()) if len(labels) else None,
        accuracy=float(right.mean()) if len(labels) else None,
        bins=[
            Bin(float(edges[i]), float(edges[i + 1]), int(n[i]), *(_mean(x, n[i]) for x in (sure[i], hits[i])))
            for i in range(bins)
        ],
    )


def _mean(total: Tensor, n: Tensor) -> float | None:
    return float(total / n) if n else None
