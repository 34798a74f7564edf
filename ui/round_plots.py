"""What is plotted over rounds."""

from typing import Any

from evaluation.metrics import share
from ui.numbers import interval, percent
from ui.plots import Point, Series, plot

Round = dict[str, Any]


def main_plots(rounds: list[Round]) -> str:
    """How often it was fooled, how many tries that took, and what became of clean accuracy."""
    return _fooled(rounds) + _tries(rounds) + _clean(rounds)


def further_plots(rounds: list[Round]) -> str:
    return (
        _plain(rounds, "Drawing time until fooled", "seconds, median", "seconds_until_fooled", "s", 1)
        + _plain(rounds, "Submitted drawings", "attempts", "attempts", "attempts", 0)
        + _plain(rounds, "People who drew", "annotators", "annotators", "annotators", 0)
    )


def is_generated(figures: Round) -> bool:
    """Whether the clean figures of a round are of digits that are not MNIST's."""
    return bool(figures.get("clean_source", "MNIST") != "MNIST")


def comparable(rounds: list[Round]) -> list[Round]:
    """The rounds whose clean figures are of the same digits as those of the newest retraining: others prove nothing
    beside them. Going back to earlier weights brings back what was measured of them then, on MNIST or not."""
    measured = [r for r in rounds if r["clean_accuracy_after"] is not None]
    newest = next((r for r in reversed(measured) if r["decision"] != "rolled back"), measured[-1] if measured else None)
    return [r for r in measured if newest and is_generated(r) == is_generated(newest)]


def _fooled(rounds: list[Round]) -> str:
    judged = any(r["vmer"] for r in rounds)
    series = [Series("all attempts (MER)", _rates(rounds, "mer"), shift=-4 if judged else 0)]
    if judged:
        series.append(Series("verified only (vMER)", _rates(rounds, "vmer"), "square", "second", shift=4))
    return plot("How often it was fooled", "% of attempts", _names(rounds), series, percent, highest=1.0)


def _rates(rounds: list[Round], key: str) -> list[Point]:
    points = []
    for column, r in enumerate(rounds):
        rate = r[key]
        if rate and rate["value"] is not None:
            text = f"round {r['round']}: {percent(rate['value'])} ({rate['hits']} of {rate['n']}; 95 % interval {interval(rate)})"
            points.append(Point(column, rate["value"], rate["low"], rate["high"], text))
    return points


def _tries(rounds: list[Round]) -> str:
    """The inverse of fooling per try, its interval too."""
    points = []
    for column, r in enumerate(rounds):
        rate = r["fooling_per_try"]
        if not rate["hits"]:
            continue  # not fooled at all: there is no number of tries
        value, low, high = 1 / rate["value"], 1 / rate["high"], 1 / rate["low"]
        text = f"round {r['round']}: {value:.1f} tries ({rate['n']} tries, {rate['hits']} fooling; 95 % interval {low:.1f} to {high:.1f})"
        points.append(Point(column, value, low, high, text))
    return plot("Tries until it was fooled", "tries", _names(rounds), [Series("tries", points)], _number)


def _clean(rounds: list[Round]) -> str:
    """What was served from the start on, and beside it the candidates that were refused."""
    served, refused = [], []
    shown = comparable(rounds)
    if shown[:1] == rounds[:1] and (before := rounds[0]["clean_accuracy_before"]) is not None:
        served.append(_accuracy(0, "at the start", before, rounds[0]))
    for column, r in enumerate(rounds, 1):
        after = r["clean_accuracy_after"]
        if r not in shown:
            continue
        if r["decision"] == "refused":
            refused.append(_accuracy(column, f"round {r['round']}, refused", after, r))
        else:
            served.append(_accuracy(column, f"after round {r['round']}, {r['decision']}", after, r))
    title = "Clean accuracy (generated digits)" if any(map(is_generated, shown)) else "Clean accuracy (MNIST test)"
    return plot(
        title,
        "% read correctly",
        ["start", *_names(rounds)],
        [Series("served", served), Series("refused candidate", refused, "cross", "second", joined=False)],
        lambda value: percent(value, 2 if value < 1 else 0),
        from_zero=False,
        highest=1.0,
    )


def _accuracy(column: int, when: str, value: float, r: Round) -> Point:
    text = f"{when}: {percent(value, 2)}"
    if not (n := r.get("clean_n")):
        return Point(column, value, text=text)
    of = share(round(value * n), n)
    return Point(column, value, of.low, of.high, f"{text} of {n:,} {r.get('clean_source', 'MNIST')}")


def _plain(rounds: list[Round], title: str, y_title: str, key: str, unit: str, digits: int) -> str:
    points = [
        Point(column, r[key], text=f"round {r['round']}: {r[key]:.{digits}f} {unit}")
        for column, r in enumerate(rounds)
        if r.get(key) is not None
    ]
    return plot(title, y_title, _names(rounds), [Series(title, points)], _number)


def _names(rounds: list[Round]) -> list[str]:
    return [str(r["round"]) for r in rounds]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.1f}"
