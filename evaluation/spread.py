"""A mean over seeds, with what it does not say."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.extras import need


@dataclass(frozen=True)
class Spread:
    """Mean of `n` values with its 95 % interval (Student's t); low and high are None for fewer than two values."""

    mean: float
    low: float | None
    high: float | None
    n: int

    @property
    def excludes_zero(self) -> bool:
        """Is a difference shown? Never by one seed."""
        if (
            self.low is None or self.high is None or self.low == self.high
        ):  # equal values tell nothing of how they spread
            return False
        return self.low > 0 or self.high < 0


def spread(values: Sequence[float]) -> Spread:
    """Raises ValueError without a value."""
    if not values:
        raise ValueError("a mean of no values says nothing; run at least one seed")
    mean = statistics.fmean(values)
    if len(values) < 2:
        return Spread(mean, None, None, 1)
    quantile = float(need("scipy.special", "scipy").stdtrit(len(values) - 1, 0.975))
    reach = quantile * statistics.stdev(values) / len(values) ** 0.5
    return Spread(mean, mean - reach, mean + reach, len(values))
