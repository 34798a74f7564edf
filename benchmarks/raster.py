"""Strokes to pixels against a supersampled PIL drawing of the same strokes: `python -m benchmarks.raster`.

The peer draws round lines ten times as large and shrinks them, as one would without a rasteriser of one's own.
"""

import json
import statistics
import time
from collections.abc import Callable
from typing import Annotated, Any

import typer
from PIL import Image, ImageDraw

from benchmarks.pen_digits import load_pen_digits
from model.strokes import PEN_RADIUS, Drawing, check_strokes, rasterise


def pil(drawing: Drawing) -> Image.Image:
    image = Image.new("L", (280, 280))
    pen = ImageDraw.Draw(image)
    radius = 10 * PEN_RADIUS
    for stroke in drawing.strokes:
        points = [(point[0], point[1]) for point in stroke]
        pen.line(points, fill=255, width=round(2 * radius), joint="curve")
        for x, y in (points[0], points[-1]):
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return image.resize((28, 28), Image.Resampling.BOX)


def median_ms(draw: Callable[[Drawing], Any], drawings: list[Drawing]) -> float:
    took = []
    for drawing in drawings:
        began = time.perf_counter()
        draw(drawing)
        took.append(time.perf_counter() - began)
    return 1000 * statistics.median(took)


def main(as_json: Annotated[bool, typer.Option("--json", help="Figures as JSON.")] = False) -> None:
    """Median milliseconds a drawing, over 2,000 pen digits in natural framing."""
    drawings = [check_strokes(digit.strokes) for digit in load_pen_digits("natural")[:2000]]
    median_ms(rasterise, drawings[:200])
    ours, theirs = median_ms(rasterise, drawings), median_ms(pil, drawings)
    figures = {"n": len(drawings), "ms": round(ours, 4), "pil_ms": round(theirs, 4), "ratio": round(theirs / ours, 1)}
    print(json.dumps(figures) if as_json else figures)


if __name__ == "__main__":
    typer.run(main)
