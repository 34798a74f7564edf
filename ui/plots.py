"""Line plots with intervals, as SVG: Gradio's own draw none. Colours are CSS variables, so both themes follow.

Series differ by mark and by line as well as by colour, and the colours are Okabe and Ito's
(https://jfly.uni-koeln.de/color/), which the colour-blind tell apart.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10
from typing import Literal

WIDTH, HEIGHT = 340, 214
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 10, 42
MOST_TICKS = 12  # under the axis; more rounds than that go by with fewer names
MOST_NAMED = 3  # points with their value beside them; of more, only the first and the last
MOST_LARGE = 15  # points; of more, all are small and none is named
Mark = Literal["circle", "square", "cross"]


@dataclass(frozen=True)
class Point:
    """column: its place from the left, from 0; low and high: the 95 % interval; text: said when pointed at."""

    column: int
    value: float
    low: float | None = None
    high: float | None = None
    text: str = ""


@dataclass(frozen=True)
class Series:
    name: str
    points: Sequence[Point]
    mark: Mark = "circle"
    colour: Literal["first", "second"] = "first"
    joined: bool = True
    shift: float = 0  # sideways, in pixels: so that intervals do not lie on each other


@dataclass(frozen=True)
class Scale:
    """From a value to a height in pixels."""

    low: float
    high: float
    ticks: list[float]

    def y(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)


def plot(
    title: str,
    y_title: str,
    columns: Sequence[str],
    series: Sequence[Series],
    write: Callable[[float], str],
    *,
    from_zero: bool = True,
    highest: float | None = None,
) -> str:
    """A figure as HTML, "" if there is no point to show. columns: names under the axis; write: a value in words.

    highest: a value no axis goes beyond.
    """
    series = [s for s in series if s.points]
    if not series:
        return ""
    scale = scale_of([p for s in series for p in s.points], from_zero, highest)
    said = "; ".join(f"{s.name}: {', '.join(p.text or write(p.value) for p in s.points)}" for s in series)
    label = f"{title}, {y_title}, by round. {said}"
    lines = "".join(_series(s, len(columns), scale, write) for s in series)
    svg = (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">'
        f"{_axes(columns, y_title, scale, write)}{lines}</svg>"
    )
    key = _key(series) if len(series) > 1 else ""
    return f'<figure class="hw-plot"><figcaption>{escape(title)}</figcaption>{svg}{key}</figure>'


def scale_of(points: Sequence[Point], from_zero: bool, highest: float | None) -> Scale:
    """A scale with round ticks that holds every point and its interval."""
    values = [v for p in points for v in (p.value, p.low, p.high) if v is not None]
    bottom, top = 0.0 if from_zero else min(values), max(values)
    if top - bottom < 1e-9:
        bottom, top = (0.0, 1.0) if top == 0 else (0.0 if from_zero else bottom - abs(top) / 100, top + abs(top) / 100)
    step = _step((top - bottom) / 4)
    first, last = floor(bottom / step + 1e-9), ceil(top / step - 1e-9)
    ticks = [number * step for number in range(first, last + 1)]
    if highest is not None and ticks[-1] > highest:
        ticks = [tick for tick in ticks if tick <= highest + 1e-9]
        return Scale(ticks[0], highest, ticks)
    return Scale(ticks[0], ticks[-1], ticks)


def _step(about: float) -> float:
    """1, 2 or 5 times a power of ten, not below `about`."""
    power = 10.0 ** floor(log10(about))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= about - 1e-12)


def _x(column: float, columns: int) -> float:
    return LEFT + (column + 0.5) / columns * (WIDTH - LEFT - RIGHT)


def _axes(columns: Sequence[str], y_title: str, scale: Scale, write: Callable[[float], str]) -> str:
    parts = []
    for tick in scale.ticks:
        y = scale.y(tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(
            f'<text class="tick" x="{LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{escape(write(tick).removesuffix(" %"))}</text>'
        )
    every = ceil(len(columns) / MOST_TICKS)
    for number, name in enumerate(columns):
        if number % every == 0:
            x = _x(number, len(columns))
            parts.append(
                f'<text class="tick" x="{x:.1f}" y="{HEIGHT - BOTTOM + 15}" text-anchor="middle">{escape(name)}</text>'
            )
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text class="axis" x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">round</text>')
    parts.append(
        f'<text class="axis" transform="translate(10 {(HEIGHT - BOTTOM + TOP) / 2}) rotate(-90)" '
        f'text-anchor="middle">{escape(y_title)}</text>'
    )
    return "".join(parts)


def _series(series: Series, columns: int, scale: Scale, write: Callable[[float], str]) -> str:
    at = [(_x(p.column, columns) + series.shift, scale.y(p.value)) for p in series.points]
    parts = []
    if series.joined and len(at) > 1:
        parts.append(f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in at)}"/>')
    large = len(at) <= MOST_LARGE
    named = range(len(at)) if len(at) <= MOST_NAMED else (0, len(at) - 1) if large else ()
    for number, (point, (x, y)) in enumerate(zip(series.points, at, strict=True)):
        name = ""
        if series.colour == "first" and number in named:
            left = x > WIDTH - RIGHT - 40
            end = ' text-anchor="end"' if left else ""
            name = f'<text class="value" x="{x + (-7 if left else 7):.1f}" y="{y - 6:.1f}"{end}>{escape(write(point.value))}</text>'
        said = f"<title>{escape(point.text)}</title>" if point.text else ""
        parts.append(f"<g>{said}{_whisker(point, x, scale)}{_mark(series.mark, x, y)}{name}</g>")
    return f'<g class="series {series.colour}{"" if large else " small"}">{"".join(parts)}</g>'


def _whisker(point: Point, x: float, scale: Scale) -> str:
    if point.low is None or point.high is None:
        return ""
    low, high = scale.y(point.low), scale.y(point.high)
    return f'<path class="whisker" d="M{x:.1f} {low:.1f}V{high:.1f}M{x - 4:.1f} {low:.1f}h8M{x - 4:.1f} {high:.1f}h8"/>'


def _mark(mark: Mark, x: float, y: float) -> str:
    if mark == "circle":
        return f'<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
    if mark == "square":
        return f'<rect class="mark" x="{x - 3.7:.1f}" y="{y - 3.7:.1f}" width="7.4" height="7.4"/>'
    return f'<path class="stroke" d="M{x - 4:.1f} {y - 4:.1f}l8 8m0 -8l-8 8"/>'


def _key(series: Sequence[Series]) -> str:
    """Which mark is which."""
    items = []
    for s in series:
        line = '<polyline points="0,6 22,6"/>' if s.joined else ""
        mark = f'<g class="series {s.colour}">{line}{_mark(s.mark, 11, 6)}</g>'
        items.append(f'<li><svg viewBox="0 0 22 12" aria-hidden="true">{mark}</svg>{escape(s.name)}</li>')
    return f'<ul class="hw-key">{"".join(items)}</ul>'
