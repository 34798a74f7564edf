"""Pen strokes to the 28 x 28 image the model sees: the one function that does it."""

import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Raise it when the same strokes would give another image; it is stored with every attempt.
RASTER_VERSION = 1
CANVAS = 280.0  # units; strokes live on a CANVAS x CANVAS square, y grows downwards
SIDE = 28  # pixels
MAX_STROKES = 500
MAX_POINTS = 10_000
MAX_LENGTH = 200_000.0  # units of line, some 700 canvas widths; drawn in 20 ms
OUTSIDE = 280.0  # a captured pen may leave the canvas by this much; further is not a pen
MAX_MS = 86_400_000.0  # a day

# Our choice, so that lines are as wide and as soft as MNIST's: see benchmarks/pen_width.py.
PEN_RADIUS = 1.2  # pixels, from the middle of the line to where ink is half
EDGE = 1.0  # pixels over which the edge fades from ink to paper
_REACH = PEN_RADIUS + EDGE / 2
_LONGEST = 2.0  # pixels; longer segments are cut so that each touches a small window only

_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxlist, _SHORT.maxdict = 3, 4, 2

Strokes = list[list[list[float]]]


class StrokesRefused(ValueError):
    """What came is not a drawing; the message says why, in a sentence for whoever sent it."""


@dataclass(frozen=True)
class Drawing:
    """Checked strokes. points: (P, 2) canvas units; starts: index in points where each stroke begins.

    way: canvas units the pen went from the first point to the last, between strokes too.
    """

    strokes: Strokes
    points: NDArray[np.float64]
    starts: tuple[int, ...]
    way: float = 0.0

    @property
    def segments(self) -> int:
        """About as many as it is drawn from, which is what drawing it costs: each touches some fifty pixels."""
        return len(self.points) + int(self.way * SIDE / CANVAS / _LONGEST)

    @property
    def last(self) -> NDArray[np.bool_]:
        """(P,): is this point the last of its stroke?"""
        last = np.zeros(len(self.points), np.bool_)
        last[[s - 1 for s in self.starts[1:]] + [len(self.points) - 1]] = True
        return last


def check_strokes(strokes: object) -> Drawing:
    """The strokes as a drawing, unchanged.

    strokes: [[[x, y] or [x, y, ms], ...], ...], canvas units, milliseconds from the first point.
    Raises StrokesRefused when they are not that, are empty, too many, or far outside the canvas.
    """
    if not isinstance(strokes, list):
        raise StrokesRefused(
            f"strokes are {_named(strokes)}; send a list of strokes, each a list of [x, y] or [x, y, ms]"
        )
    if not strokes:
        raise StrokesRefused("there are no strokes; draw a digit first")
    if len(strokes) > MAX_STROKES:
        raise StrokesRefused(f"there are {len(strokes)} strokes; a drawing has at most {MAX_STROKES}")
    starts: list[int] = []
    count = 0
    for number, stroke in enumerate(strokes, 1):
        if not isinstance(stroke, list):
            raise StrokesRefused(f"stroke {number} is {_named(stroke)}; send a list of [x, y] or [x, y, ms]")
        if not stroke:
            raise StrokesRefused(f"stroke {number} has no points; leave it out or give it one")
        if count + len(stroke) > MAX_POINTS:
            raise StrokesRefused(f"there are more than {MAX_POINTS} points; lift the pen sooner or send fewer")
        starts.append(count)
        count += len(stroke)
    points = _points_if_right(list(chain.from_iterable(strokes)))
    if points is None:
        points = np.array([_checked_point(p, n) for n, stroke in enumerate(strokes, 1) for p in stroke], np.float64)
    steps = np.sqrt((np.diff(points, axis=0) ** 2).sum(1))
    drawing = Drawing(strokes, points, tuple(starts), float(steps.sum()))
    if drawing.way > MAX_LENGTH and (length := float(steps[~drawing.last[:-1]].sum())) > MAX_LENGTH:
        raise StrokesRefused(f"the lines are {length:.0f} units long; a drawing has at most {MAX_LENGTH:.0f}")
    return drawing


def _points_if_right(points: list[Any]) -> NDArray[np.float64] | None:
    """All at once, at the speed of a pen: (P, 2); None if something is not right, which _checked_point then names."""
    if set(map(type, points)) != {list} or not set(map(len, points)) <= {2, 3}:
        return None
    if not set(map(type, chain.from_iterable(points))) <= {int, float}:
        return None
    try:
        places = np.array([point[:2] for point in points], np.float64)
        times = np.array([point[2] for point in points if len(point) == 3] or [0.0], np.float64)
    except OverflowError:  # a whole number with hundreds of digits
        return None
    # A comparison with NaN is false, and it is the least and the greatest of whatever it stands among.
    right = places.min() >= -OUTSIDE and places.max() <= CANVAS + OUTSIDE and times.min() >= 0 and times.max() <= MAX_MS
    return places if right else None


def _checked_point(point: object, stroke: int) -> tuple[float, float]:
    if not isinstance(point, list) or len(point) not in (2, 3) or any(type(v) not in (int, float) for v in point):
        raise StrokesRefused(f"a point of stroke {stroke} is {_named(point)}; send [x, y] or [x, y, ms], all numbers")
    low, high = -OUTSIDE, CANVAS + OUTSIDE
    # A comparison with NaN is false, so NaN is refused here too.
    if not (low <= point[0] <= high and low <= point[1] <= high):
        raise StrokesRefused(
            f"a point of stroke {stroke} is {_named(point)}; x and y lie between 0 and {CANVAS:.0f} (pen off the canvas: {low:.0f} to {high:.0f})"
        )
    if len(point) == 3 and not 0 <= point[2] <= MAX_MS:
        raise StrokesRefused(f"a point of stroke {stroke} has the time {_named(point[2])}; send milliseconds from 0 up")
    return point[0], point[1]


def _named(value: object) -> str:
    """A value for a message: short, however long or deep it is."""
    if value is None:
        return "null"
    return f"text {value[:40]!r}" if isinstance(value, str) else _SHORT.repr(value)


def rasterise(drawing: Drawing) -> NDArray[np.uint8]:
    """The image of a drawing: (28, 28) uint8, 0 = paper, 255 = ink."""
    image: NDArray[np.uint8] = rasterise_each([drawing])[0]
    return image


def rasterise_each(drawings: Sequence[Drawing]) -> NDArray[np.uint8]:
    """The images of drawings, (N, 28, 28) uint8: the same as one by one, with a fraction of the work for each.

    For a few at once: what it needs grows with the length of all their lines.

    Each pixel's ink follows from its centre's distance to the nearest line: round caps, round joins, a soft
    edge. Only sums, products and square roots in a fixed order, which IEEE 754 rounds in one way: the same
    bytes on every machine. Ten units of the canvas are one pixel; nothing is cropped or centred.
    """
    begin, end, owner = _short_segments(drawings)
    if not len(begin):
        return np.zeros((len(drawings), SIDE, SIDE), np.uint8)
    along = end - begin
    # The window of pixels each segment can touch, from its top left corner.
    corner = np.floor(np.minimum(begin, end) - _REACH)  # (S, 2)
    window = int(np.ceil(np.abs(along).max() + 2 * _REACH)) + 1
    steps = np.arange(window) + 0.5
    x = (corner[:, 0] - begin[:, 0])[:, None] + steps  # (S, W) from the segment's begin to the pixel's centre
    y = (corner[:, 1] - begin[:, 1])[:, None] + steps
    ux, uy = along[:, 0, None], along[:, 1, None]
    square = np.maximum(ux * ux + uy * uy, 1e-12)
    share = (y * (uy / square))[:, :, None] + (x * (ux / square))[:, None, :]  # (S, W, W) how far along it lies
    np.maximum(share, 0, out=share)
    np.minimum(share, 1, out=share)
    off_x = x[:, None, :] - share * ux[:, :, None]
    off_y = y[:, :, None] - share * uy[:, :, None]
    off_x *= off_x
    off_y *= off_y
    off_x += off_y  # squared distance
    # A frame around each image takes what falls outside, so no pixel needs a test.
    frame = window + 1
    wide = SIDE + 2 * frame
    place = corner.astype(np.int64) + frame
    np.clip(place, 0, wide - window, out=place)
    offsets = (np.arange(window)[:, None] * wide + np.arange(window)).ravel()
    index = ((owner * wide + place[:, 1]) * wide + place[:, 0])[:, None] + offsets  # (S, W * W)
    nearest = np.full(len(drawings) * wide * wide, np.inf)
    np.minimum.at(nearest, index.ravel(), off_x.ravel())
    inside = nearest.reshape(-1, wide, wide)[:, frame : frame + SIDE, frame : frame + SIDE]
    ink = np.clip((_REACH - np.sqrt(inside)) / EDGE, 0, 1)
    images: NDArray[np.uint8] = np.rint(ink * 255).astype(np.uint8)
    return images


def _short_segments(
    drawings: Sequence[Drawing],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Begin and end, in pixels, of segments of at most _LONGEST that can touch the image: two (S, 2) arrays; and whose they are, (S,)."""
    begin = np.concatenate([drawing.points for drawing in drawings]) * (SIDE / CANVAS)
    last = np.concatenate([drawing.last for drawing in drawings])  # leads nowhere
    owner = np.repeat(np.arange(len(drawings)), [len(drawing.points) for drawing in drawings])
    end = np.roll(begin, -1, axis=0)
    end[last] = begin[last]  # a dot on the last point: draws single points, changes nothing elsewhere
    low, high = np.minimum(begin, end), np.maximum(begin, end)
    seen = ((high > -_REACH) & (low < SIDE + _REACH)).all(1)
    begin, end, owner = begin[seen], end[seen], owner[seen]
    along = end - begin
    pieces = np.ceil(np.sqrt((along * along).sum(1)) / _LONGEST).astype(np.int64)
    np.maximum(pieces, 1, out=pieces)
    if pieces.max(initial=1) == 1:
        return begin, end, owner
    of = np.repeat(np.arange(len(begin)), pieces)
    nth = np.arange(len(of)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    cut = (nth / pieces[of])[:, None], ((nth + 1) / pieces[of])[:, None]
    return begin[of] + along[of] * cut[0], begin[of] + along[of] * cut[1], owner[of]
