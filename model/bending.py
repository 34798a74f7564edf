"""Random small changes of the way a digit is written: of its strokes, not of its pixels."""

from dataclasses import dataclass, fields
from math import cos, radians, sin

import numpy as np
from numpy.typing import NDArray

from model.strokes import CANVAS, Drawing

_KNOT_EVERY = 45.0  # canvas units of line between two joints that move on their own


@dataclass(frozen=True)
class Bending:
    """Uniform ranges. shift and jitter in canvas units, rotation in degrees, the others as shares.

    slant: x moves by this share of the height; scale: of both sides; stretch: of the width against the height;
    jitter: how far a joint of the line moves, the line between joints following smoothly.
    """

    shift: float = 0.0
    rotation_degrees: float = 0.0
    slant: float = 0.0
    scale: float = 0.0
    stretch: float = 0.0
    jitter: float = 0.0

    def __post_init__(self) -> None:
        if min(getattr(self, field.name) for field in fields(self)) < 0:
            raise ValueError(f"{self} has a negative range; use 0 to switch a change off")
        if max(self.scale, self.stretch) >= 1:
            raise ValueError(f"{self} lets a digit shrink to nothing; keep scale and stretch below 1")


def bend(drawing: Drawing, how: Bending, rng: np.random.Generator) -> Drawing:
    """The drawing written a little differently: each change by its own random amount, about the drawing's middle.

    The result's points may leave the canvas, as a pen may. Times are left out.
    """
    low, high = drawing.points.min(0), drawing.points.max(0)
    middle = (low + high) / 2
    angle, slant, scale, stretch = rng.uniform(-1, 1, 4)
    angle, slant = radians(how.rotation_degrees) * angle, how.slant * slant
    zoom, wide = 1 + how.scale * scale, 1 + how.stretch * stretch
    turn = np.array([[cos(angle), sin(angle)], [-sin(angle), cos(angle)]])
    lean = np.array([[wide, 0.0], [-slant, 1.0]])
    points = (drawing.points - middle) @ lean @ turn * zoom + middle + rng.uniform(-how.shift, how.shift, 2)
    if how.jitter:
        points = points + _wobble(drawing, how.jitter, rng)
    return Drawing([], np.clip(points, -CANVAS, 2 * CANVAS), drawing.starts)


def _wobble(drawing: Drawing, reach: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """(P, 2): how far each point moves, smooth along each stroke."""
    moved = np.empty_like(drawing.points)
    ends = (*drawing.starts[1:], len(drawing.points))
    for start, end in zip(drawing.starts, ends, strict=True):
        stroke = drawing.points[start:end]
        along = np.concatenate([[0.0], np.cumsum(np.sqrt((np.diff(stroke, axis=0) ** 2).sum(1)))])
        knots = np.linspace(0, along[-1], 2 + int(along[-1] / _KNOT_EVERY))
        by = rng.uniform(-reach, reach, (2, len(knots)))
        moved[start:end, 0] = np.interp(along, knots, by[0])
        moved[start:end, 1] = np.interp(along, knots, by[1])
    return moved
