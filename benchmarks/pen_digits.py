"""Real pen strokes (UCI pendigits) as drawings on our canvas, in two framings.

natural: scaled as they lie on the tablet, 500 -> 280: small and off-centre, as people write.
centred: fitted to a box that fills 64 % of the canvas, in its middle.
"""

import gzip
import json
import os
from dataclasses import dataclass
from pathlib import Path

from model.strokes import CANVAS, Strokes

TABLET = 500.0
# Six writers whose drawings are only ever used to judge the result.
HELD_OUT_WRITERS = (25, 26, 27, 28, 29, 30)


@dataclass(frozen=True)
class PenDigit:
    label: int
    writer: int
    strokes: Strokes  # canvas units


def pendigits_folder() -> Path:
    """HOODWINK_PENDIGITS_DIR, else the folder beside the repository. Raises FileNotFoundError."""
    folder = Path(os.environ.get("HOODWINK_PENDIGITS_DIR") or Path(__file__).parents[2] / "shared/data/pendigits")
    if not folder.is_dir():
        raise FileNotFoundError(f"there are no pen digits in {folder}; set HOODWINK_PENDIGITS_DIR to their folder")
    return folder


def load_pen_digits(framing: str) -> list[PenDigit]:
    """All pen digits, in the file's order. framing: "natural" or "centred"."""
    framed = {"natural": _natural, "centred": _centred}[framing]
    with gzip.open(pendigits_folder() / "pendigits-train-strokes.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    return [PenDigit(row["label"], row["writer"], framed(row["strokes"])) for row in rows]


def _natural(strokes: Strokes) -> Strokes:
    return [[[x * CANVAS / TABLET, y * CANVAS / TABLET] for x, y in stroke] for stroke in strokes]


def _centred(strokes: Strokes, share: float = 0.64) -> Strokes:
    xs = [point[0] for stroke in strokes for point in stroke]
    ys = [point[1] for stroke in strokes for point in stroke]
    scale = share * CANVAS / max(max(xs) - min(xs), max(ys) - min(ys), 1)
    middle_x, middle_y = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
    return [
        [[CANVAS / 2 + (x - middle_x) * scale, CANVAS / 2 + (y - middle_y) * scale] for x, y in stroke]
        for stroke in strokes
    ]
