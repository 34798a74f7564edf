"""Which pen gives MNIST-like lines? Compares pen digits drawn with several pens to MNIST: `python -m benchmarks.pen_width`.

Three medians per image: ink (sum of pixels, full = 1), grey (share of the inked pixels that are neither paper nor
full ink: the softness of the edge) and width (twice the ink over the length of its outline).
"""

import itertools
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.pen_digits import load_pen_digits
from model import strokes as pen
from model.clean_digits import load_clean_digits

Images = NDArray[np.float64]


def medians(images: Images) -> str:
    ink = images.sum((1, 2))
    grey = ((images > 0.1) & (images < 0.9)).sum((1, 2)) / np.maximum((images > 0.1).sum((1, 2)), 1)
    outline = np.hypot(np.abs(np.diff(images, axis=2)).sum((1, 2)), np.abs(np.diff(images, axis=1)).sum((1, 2)))
    width = 2 * ink / outline
    return f"ink {np.median(ink):6.1f}   grey {np.median(grey):.3f}   width {np.median(width):.2f}"


def main() -> None:
    folder = os.environ.get("HOODWINK_MNIST_DIR")
    clean = load_clean_digits(Path(folder) if folder else None, Path("data"))
    print(f"MNIST, 6,000 training digits          {medians(clean.train.images[:6000].numpy() / 255)}")
    digits = load_pen_digits("centred")[::4]
    for radius, edge in itertools.product((1.0, 1.1, 1.2, 1.3, 1.4), (1.0, 1.4)):
        pen.PEN_RADIUS, pen.EDGE, pen._REACH = radius, edge, radius + edge / 2
        # MNIST's digits fill 20 pixels, ink included; `centred` fills 0.64 * 28 with the middle of the line.
        share = (20 - 2 * radius) / (0.64 * 28)
        images = []
        for digit in digits:
            fitted = [[[140 + (x - 140) * share, 140 + (y - 140) * share] for x, y in s] for s in digit.strokes]
            images.append(pen.rasterise(pen.check_strokes(fitted)) / 255)
        print(f"pen digits, radius {radius}, edge {edge}      {medians(np.stack(images))}")


if __name__ == "__main__":
    main()
