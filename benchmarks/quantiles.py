"""Medians, quantiles and ratios of what was measured, in the words of a table."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Spread:
    """What a number of measured values come to, in their unit."""

    n: int
    median: float
    p90: float
    p99: float
    worst: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Raises ValueError without a value: a benchmark that measured nothing must not pass."""
        if not values:
            raise ValueError("nothing was measured; look at what the measured process said")
        return cls(len(values), statistics.median(values), quantile(values, 0.9), quantile(values, 0.99), max(values))

    def rounded(self, digits: int = 2) -> dict[str, Any]:
        return {name: round(value, digits) for name, value in asdict(self).items()}


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed: one that was measured, never one between."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)), 1) - 1]


def times(ratio: float) -> str:
    return f"{ratio:.0f} x" if ratio >= 20 else f"{ratio:.2f} x"


def milliseconds(value: float) -> str:
    return f"{value:.1f} ms" if value < 100 else f"{value:.0f} ms"
