"""What an attack leaves on disk: raw results, histograms, accuracy against queries, images before and after."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

from evaluation.black_box import Attacked
from evaluation.extras import need
from evaluation.robustness import robustness_statistics
from model.weights import write_whole

EXAMPLES = 8


def save_artifacts(attacked: Attacked, folder: Path | str, conditions: dict[str, Any] | None = None) -> list[Path]:
    """Write everything about an attack into a folder, which is made, and give the files.

    robustness.json: the statistics, `conditions` (weights, data ...), and of all images given the label, what the
    model saw before and after, and the queries; histograms queries.png, l0.png and l2.png
    of the images fooled; accuracy_by_queries.png; examples.png. Raises ExtraMissing without matplotlib.
    """
    folder, figures = Path(folder), robustness_statistics(attacked)
    folder.mkdir(parents=True, exist_ok=True)
    raw = folder / "robustness.json"
    every = {name: getattr(attacked, name).tolist() for name in ("labels", "before", "after", "queries")}
    content = {"conditions": conditions or {}, **figures, "images": every}
    write_whole(raw, json.dumps(content, indent=1, allow_nan=False).encode())
    said = f"{figures['attack']['name']}, {figures['count_succ']} of {figures['count_attacked']} images fooled"
    return [
        raw,
        _histogram(folder / "queries.png", figures["queries_succ"], f"Queries until fooled: {said}", "queries"),
        _histogram(folder / "l0.png", figures["l0_dists_succ"], f"L0 distance: {said}", "entries that differ"),
        _histogram(folder / "l2.png", figures["l2_dists_succ"], f"L2 distance: {said}", "norm, in the images' units"),
        _curve(folder / "accuracy_by_queries.png", figures, said),
        _examples(folder / "examples.png", attacked, said),
    ]


def _figure(width: float, height: float) -> Any:
    # Not pyplot: it keeps every figure, and wants the main thread.
    return need("matplotlib.figure", "matplotlib").Figure(figsize=(width, height), layout="constrained")


def _save(figure: Any, path: Path) -> Path:
    packed = BytesIO()
    figure.savefig(packed, format="png")
    write_whole(path, packed.getvalue())
    return path


def _histogram(path: Path, numbers: list[int] | list[float], title: str, unit: str) -> Path:
    figure = _figure(6, 4)
    axes = figure.add_subplot(title=title, xlabel=unit, ylabel="images")
    if numbers:
        axes.hist(numbers, bins=min(30, max(len(set(numbers)), 1)))
    else:
        axes.text(0.5, 0.5, "no image was fooled", ha="center", transform=axes.transAxes)
    return _save(figure, path)


def _curve(path: Path, figures: dict[str, Any], said: str) -> Path:
    figure = _figure(6, 4)
    axes = figure.add_subplot(
        title=f"Accuracy by queries: {said}", xlabel="queries an image", ylabel="read correctly", ylim=(0, 1.02)
    )
    steps = figures["accuracy_by_queries"]
    if steps:
        axes.step([spent for spent, _ in steps], [accuracy for _, accuracy in steps], where="post")
    return _save(figure, path)


def _examples(path: Path, attacked: Attacked, said: str) -> Path:
    """Before and after, one above the other: images fooled, or where there is none, images that held out."""
    chosen = attacked.fooled if attacked.fooled.any() else attacked.correct
    rows = chosen.nonzero()[:EXAMPLES, 0].tolist()
    figure = _figure(1.6 * max(len(rows), 3), 4)
    figure.suptitle(f"Before and after: {said}" if rows else "No image was attacked")
    for column, row in enumerate(rows):
        for line, (images, seen) in enumerate(((attacked.images, attacked.before), (attacked.best, attacked.after))):
            axes = figure.add_subplot(2, len(rows), line * len(rows) + column + 1)
            picture = images[row].movedim(0, -1).squeeze(-1) if images.ndim == 4 else images[row]
            picture = (picture.double() - attacked.pixels.low) / (attacked.pixels.high - attacked.pixels.low)
            axes.imshow(picture.numpy(), cmap="gray", vmin=0, vmax=1)
            axes.set_title(f"sees {int(seen[row])}" + (f", {int(attacked.queries[row])} q" if line else ""), fontsize=8)
            axes.set_axis_off()
    return _save(figure, path)
