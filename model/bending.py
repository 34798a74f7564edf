"""Small changes of the way a digit is written: of its strokes, not of its pixels."""

from dataclasses import dataclass, fields
from math import cos, radians, sin

import numpy as np
from numpy.typing import NDArray

from model.strokes import CANVAS, Drawing

JOINTS = 8  # places along a drawing that move on their own; the line between follows
AMOUNTS = 8 + 2 * JOINTS

Amounts = NDArray[np.float64]


@dataclass(frozen=True)
class Bending:
    """How far each change may go. shift, jitter and lift in canvas units, rotation in degrees, the others as shares.

    slant: x moves by this share of the height; scale: of both sides; stretch: of the width against the height;
    jitter: how far a joint of the line moves; lift: the longest gap where the pen leaves the paper.
    """

    shift: float = 0.0
    rotation_degrees: float = 0.0
    slant: float = 0.0
    scale: float = 0.0
    stretch: float = 0.0
    jitter: float = 0.0
    lift: float = 0.0

    def __post_init__(self) -> None:
        if min(getattr(self, field.name) for field in fields(self)) < 0:
            raise ValueError(f"{self} has a negative range; use 0 to switch a change off")
        if max(self.scale, self.stretch) >= 1:
            raise ValueError(f"{self} lets a digit shrink to nothing; keep scale and stretch below 1")


def random_amounts(rng: np.random.Generator) -> Amounts:
    return rng.uniform(-1, 1, AMOUNTS)


def bend(drawing: Drawing, how: Bending, amounts: Amounts) -> Drawing:
    """The drawing written a little differently, about its own middle.

    amounts: (AMOUNTS,) from -1 to 1, how much of each change: 0 everywhere gives the drawing back. The result's
    points may leave the canvas, as a pen may. Times are left out.
    """
    right, down, turn, slant, scale, stretch, gap, place = amounts[:8]
    middle = (drawing.points.min(0) + drawing.points.max(0)) / 2
    angle, zoom, wide = radians(how.rotation_degrees * turn), 1 + how.scale * scale, 1 + how.stretch * stretch
    rotate = np.array([[cos(angle), sin(angle)], [-sin(angle), cos(angle)]])
    lean = np.array([[wide, 0.0], [-how.slant * slant, 1.0]])
    points = (drawing.points - middle) @ lean @ rotate * zoom + middle + how.shift * np.array([right, down])
    along = _along(drawing)
    if how.jitter:
        knots = np.linspace(0, 1, JOINTS)
        moved = amounts[8:].reshape(2, JOINTS) * how.jitter
        points += np.stack([np.interp(along, knots, axis) for axis in moved], axis=1)
    bent = Drawing([], np.clip(points, -CANVAS, 2 * CANVAS), drawing.starts)
    # A positive amount only: half of all drawings keep their lines whole.
    return _lifted(bent, (place + 1) / 2, how.lift * gap) if how.lift * gap > 0 else bent


def as_strokes(drawing: Drawing) -> list[list[list[float]]]:
    """The points as strokes again, as a browser would send them."""
    ends = (*drawing.starts[1:], len(drawing.points))
    return [drawing.points[start:end].tolist() for start, end in zip(drawing.starts, ends, strict=True)]


def _along(drawing: Drawing) -> NDArray[np.float64]:
    """(P,): how far along the whole drawing each point lies, 0 to 1, the pen's way through the air included."""
    steps = np.sqrt((np.diff(drawing.points, axis=0) ** 2).sum(1))
    way = np.concatenate([[0.0], np.cumsum(steps)])
    return np.asarray(way / max(way[-1], 1e-9))


def _lifted(drawing: Drawing, place: float, gap: float) -> Drawing:
    """The drawing without the points within `gap` units around a place, 0 to 1 along it: the pen was up there."""
    way = _along(drawing)
    length = np.sqrt((np.diff(drawing.points, axis=0) ** 2).sum(1)).sum()
    away = np.abs(way - place) * length > gap / 2
    last = drawing.last
    first = np.roll(last, 1)  # the point after a stroke's last one begins the next
    begins = first | np.roll(~away, 1)
    if not away.any():
        return drawing
    # A stroke also begins after a gap; points in the gap are gone.
    begins[0] = True
    starts = np.flatnonzero(_carried(begins, away)[away])
    return Drawing([], drawing.points[away], tuple(int(start) for start in starts))


def _carried(begins: NDArray[np.bool_], kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Begins of strokes, those that fell on a point that is gone carried to the next one kept."""
    number = np.cumsum(begins)  # the same for all points of a stroke
    carried = np.zeros_like(begins)
    seen = 0
    for index in np.flatnonzero(kept):
        carried[index] = number[index] != seen
        seen = int(number[index])
    return carried
