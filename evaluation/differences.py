"""Differences of two shares, with the interval without which no gain or loss is claimed."""

from dataclasses import dataclass
from math import hypot, sqrt

from torch import Tensor

from evaluation.metrics import Share, Z


@dataclass(frozen=True)
class Difference:
    """First share minus second, both as shares of 1, with a 95 % interval; all None where a side is empty.

    only_first, only_second: how many of the same images only one side got right; None where the images differ.
    """

    value: float | None
    low: float | None
    high: float | None
    paired: bool
    only_first: int | None = None
    only_second: int | None = None

    @property
    def is_shown(self) -> bool:
        """Does the interval leave 0 out?"""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def paired(first: Tensor, second: Tensor) -> Difference:
    """Of the same images, read rightly or not: two (N,) of bool.

    The adjusted Wald interval of Bonett and Price 2012 (doi 10.3102/1076998611411915): 1 is added to both kinds of images on
    which the sides differ, which keeps it honest where few do.
    Raises ValueError if the sides are not of the same length.
    """
    if first.shape != second.shape:
        raise ValueError(f"{len(first)} and {len(second)} readings cannot be paired; read the same images twice")
    n = len(first)
    if n == 0:
        return Difference(None, None, None, True, 0, 0)
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    p, q = (only_first + 1) / (n + 2), (only_second + 1) / (n + 2)
    reach = Z * sqrt((p + q - (p - q) ** 2) / (n + 2))
    value = (only_first - only_second) / n
    return Difference(value, max(p - q - reach, -1), min(p - q + reach, 1), True, only_first, only_second)


def unpaired(first: Share, second: Share) -> Difference:
    """Of different images: Newcombe's hybrid score interval (1998, method 10), made from both Wilson intervals."""
    if first.n == 0 or second.n == 0:
        return Difference(None, None, None, False)
    (p, p_low, p_high), (q, q_low, q_high) = _known(first), _known(second)
    below, above = hypot(p - p_low, q_high - q), hypot(p_high - p, q - q_low)
    return Difference(p - q, p - q - below, p - q + above, False)


def _known(of: Share) -> tuple[float, float, float]:
    return of.value or 0.0, of.low or 0.0, of.high or 0.0
