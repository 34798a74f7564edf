"""The figures of a report, as PNG."""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from evaluation.extras import need

if TYPE_CHECKING:
    from evaluation.report import Examples

# Okabe and Ito's colours, which the colour-blind tell apart.
COLOURS = {"clean": "#009E73", "fooling": "#D55E00", "attack": "#CC79A7", "shift": "#0072B2"}
Row = Mapping[str, Any]


def draw_figures(figures: Row, examples: Sequence["Examples"]) -> dict[str, bytes]:
    """PNG files by name. Raises ExtraMissing without matplotlib."""
    sets = [row for row in figures["sets"] if row["n"]]
    return {
        "accuracy.png": _accuracy(figures, sets),
        "digits.png": _digits(sets),
        "confusion.png": _confusion(sets),
        "examples.png": _examples(examples),
    }


def _new_figure(width: float, height: float) -> Any:
    return need("matplotlib.figure", "matplotlib").Figure(figsize=(width, height), layout="constrained")


def _png(figure: Any, dpi: int = 90) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def _accuracy(figures: Row, sets: Sequence[Row]) -> bytes:
    figure = _new_figure(8, 0.27 * len(sets) + 1.1)
    axes = figure.subplots()
    for place, row in enumerate(sets):
        of = row["accuracy"]
        reach = [[100 * (of["value"] - of["low"])], [100 * (of["high"] - of["value"])]]
        colour = "#AAAAAA" if row["fooled_these"] else COLOURS[row["kind"]]
        axes.barh(place, 100 * of["value"], xerr=reach, color=colour, height=0.7, ecolor="#333333", capsize=2)
        if row["against"]:
            axes.plot(100 * row["against"]["accuracy"]["value"], place, "k|", markersize=11, markeredgewidth=2)
    names = [f"{row['name']} ({row['n']:,})" + (" *" if row["fooled_these"] else "") for row in sets]
    axes.set_yticks(range(len(sets)), names, fontsize=8)
    axes.invert_yaxis()
    axes.set(xlim=(0, 100), xlabel="% read rightly, with the 95 % interval; in brackets: images")
    title = f"Weights {figures['weights_id']}, round {figures['round']}"
    if figures["against"]:
        title += f"; black strokes: {figures['against']['weights_id']}, round {figures['against']['round']}"
    axes.set_title(title, fontsize=10)
    axes.grid(axis="x", alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    return _png(figure)


def _digits(sets: Sequence[Row]) -> bytes:
    """Recall of each digit in each set; white where a digit is missing."""
    figure = _new_figure(7, 0.25 * len(sets) + 1.1)
    axes = figure.subplots()
    recall = np.array([[100 * (d["recall"] if d["support"] else np.nan) for d in row["digits"]] for row in sets])
    axes.imshow(recall, vmin=0, vmax=100, cmap="viridis", aspect="auto")
    for (row, digit), value in np.ndenumerate(recall):
        if not np.isnan(value):
            colour = "black" if value > 60 else "white"
            axes.text(digit, row, f"{value:.0f}", ha="center", va="center", fontsize=7, color=colour)
    axes.set_yticks(range(len(sets)), [row["name"] for row in sets], fontsize=8)
    axes.set_xticks(range(10))
    axes.set_title("% of each digit read rightly", fontsize=10)
    return _png(figure)


def _confusion(sets: Sequence[Row]) -> bytes:
    """Of clean digits, of the largest fooling set, and of the shift that costs most."""
    shifts = [row for row in sets if row["kind"] == "shift"]
    shown = [row for row in sets if row["kind"] == "clean"]
    shown += sorted((row for row in sets if row["kind"] == "fooling"), key=lambda row: row["n"])[-1:]
    shown += sorted(shifts, key=lambda row: row["accuracy"]["value"])[:1]
    figure = _new_figure(4 * len(shown), 4.2)
    for axes, row in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        counts = np.array(row["confusion"])
        of = np.maximum(counts.sum(1, keepdims=True), 1)
        axes.imshow(counts / of, vmin=0, vmax=1, cmap="Blues")
        for (meant, seen), count in np.ndenumerate(counts):
            if count:
                colour = "white" if count / of[meant, 0] > 0.5 else "black"
                axes.text(seen, meant, count, ha="center", va="center", fontsize=6.5, color=colour)
        axes.set(xticks=range(10), yticks=range(10), xlabel="seen", ylabel="meant")
        axes.set_title(f"{row['name']} ({row['n']:,})", fontsize=10)
    return _png(figure)


def _examples(examples: Sequence["Examples"]) -> bytes:
    """A row for each set, a column for each digit: its first image, and in red what it was misread as."""
    figure = _new_figure(7.2, 0.52 * len(examples))
    axes = figure.subplots()
    sheet = np.full((30 * len(examples), 300), 255, np.uint8)
    for row, some in enumerate(examples):
        for image, label, seen in zip(some.images.numpy(), some.labels, some.seen, strict=True):
            top, left = 30 * row + 1, 30 * label + 1
            sheet[top : top + 28, left : left + 28] = image
            if seen != label:
                mark = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
                axes.text(left + 27, top + 1, seen, color="#C00000", fontsize=8, ha="right", va="top", bbox=mark)
    axes.imshow(sheet, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_yticks([30 * row + 15 for row in range(len(examples))], [some.name for some in examples], fontsize=8)
    axes.set_xticks([30 * digit + 15 for digit in range(10)], range(10))
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return _png(figure, dpi=100)
