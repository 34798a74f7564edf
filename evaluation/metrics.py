"""Shares with their uncertainty."""

from dataclasses import dataclass
from math import sqrt

from torch import Tensor

from model.clean_digits import Digits
from model.network import Network
from model.training import predict_digits

Z = 1.959964  # the normal distribution's 97.5 % point


@dataclass(frozen=True)
class Share:
    """`hits` of `n`, with the Wilson 95 % interval; everything None when n is 0."""

    hits: int
    n: int
    value: float | None
    low: float | None
    high: float | None


def share(hits: int, n: int) -> Share:
    """A share with its Wilson score interval, 95 % (Wilson 1927).

    Raises ValueError unless 0 <= hits <= n.
    """
    if not 0 <= hits <= n:
        raise ValueError(f"{hits} hits of {n} is no share; hits lie between 0 and n")
    if n == 0:
        return Share(0, 0, None, None, None)
    p = hits / n
    middle = (p + Z * Z / (2 * n)) / (1 + Z * Z / n)
    reach = Z / (1 + Z * Z / n) * sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
    # At the ends the interval touches 0 or 1 exactly; rounding must not push it past.
    return Share(hits, n, p, max(middle - reach, 0.0) if hits else 0.0, min(middle + reach, 1.0) if hits < n else 1.0)


def accuracy(network: Network, digits: Digits) -> Share:
    """Share of digits the network reads correctly."""
    right: Tensor = predict_digits(network, digits.images) == digits.labels if len(digits) else digits.labels
    return share(int(right.sum()), len(digits))
