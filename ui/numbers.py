"""Numbers as the page writes them."""

from typing import Any

NOTHING = "&ndash;"


def percent(value: float, digits: int | None = None) -> str:
    """A share as a percentage; small ones with a decimal, unless `digits` says how many."""
    if digits is None:
        digits = 1 if 0 < value < 0.0995 else 0
    return f"{100 * value:.{digits}f} %"


def percent_or_nothing(value: float | None, digits: int | None = None) -> str:
    return NOTHING if value is None else percent(value, digits)


def interval(share: dict[str, Any]) -> str:
    """The 95 % interval of an evaluation.metrics.Share as JSON: "28 to 41 %"."""
    low, high = percent(share["low"]).removesuffix(" %"), percent(share["high"])
    return f"{low} to {high}"


def plural(count: int, noun: str, many: str | None = None) -> str:
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"
