"""What a label-smoothing comparison leaves behind: figures, tables, weights, cases, and a summary in words."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

from torch import nn

from evaluation.extras import need
from evaluation.failure_files import write_failures
from evaluation.failures import CONFIDENCE, find_failures
from evaluation.label_smoothing import SIDES, Comparison, Trained, case_rows
from evaluation.metrics import share
from evaluation.study import Splits, Study
from model.weights import Card, save_weights, write_whole

COLOURS = {"baseline": "#6b7280", "smoothed": "#7c3aed"}


def write_comparison(comparison: Comparison, study: Study, data: Splits, folder: Path) -> dict[str, Any]:
    """Write everything below `folder`; gives the figures, the ids of the weights and the summary with them."""
    ids = [{run.side: _save(run, study, comparison.figures, folder) for run in pair} for pair in comparison.runs]
    first = comparison.runs[0]
    networks: dict[str, nn.Module] = {run.side: run.network for run in first}
    found = find_failures(networks, data.test)
    write_failures(
        found,
        study,
        networks,
        data.test,
        folder / "cases",
        {"data": f"{data.source}, test"} | {"seed": str(first[0].seed)},
    )
    rows = case_rows(comparison, study, data.test)
    write_whole(folder / "cases.csv", _csv(rows, ["seed", "case", "true"]))
    write_whole(folder / "epochs.csv", _csv(_epoch_rows(comparison), ["seed", "side", "epoch"]))
    write_whole(folder / "curves.png", _curves(comparison, study))
    write_whole(folder / "reliability.png", _reliability(comparison))
    figures = comparison.figures | {"weights": ids, "cases": len(rows), "summary": summary(comparison.figures)}
    write_whole(folder / "comparison.json", (json.dumps(figures, indent=2) + "\n").encode())
    write_whole(folder / "summary.md", _page(figures).encode())
    return figures


def _save(run: Trained, study: Study, figures: Mapping[str, Any], folder: Path) -> str:
    smoothing = figures["smoothing"] if run.side == "smoothed" else 0.0
    recipe = study.recipe_of(figures["epochs"], smoothing)
    card = Card(
        parent=None,
        round=0,
        seed=run.seed,
        recipe=recipe,
        data=figures["data"],
        scores={"test_accuracy": asdict(run.accuracy)},
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return save_weights(run.network, card, folder / "weights").id


def _epoch_rows(comparison: Comparison) -> list[dict[str, Any]]:
    return [{"seed": r.seed, "side": r.side, **row} for pair in comparison.runs for r in pair for row in r.epochs]


def _csv(rows: Sequence[Mapping[str, Any]], first: list[str]) -> bytes:
    text = StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]) if rows else first, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _curves(comparison: Comparison, study: Study) -> bytes:
    """Four panels over epochs, a line a run: validation solid, training dashed."""
    figure = need("matplotlib.figure").Figure(figsize=(11, 6.4), dpi=110, layout="constrained")
    panels = figure.subplots(2, 2)
    what = (
        ("loss", "cross-entropy, nats"),
        ("accuracy", "accuracy"),
        ("ece", "ECE, 15 bins"),
        ("confidence", "mean confidence"),
    )
    for axes, (name, title) in zip(panels.flat, what, strict=True):
        for pair in comparison.runs:
            for run in pair:
                epochs = [row["epoch"] for row in run.epochs]
                for split, style in (("validation", "-"), ("train", ":")):
                    label = f"{run.side}, {split}" if pair is comparison.runs[0] else None
                    values = [row[f"{split}_{name}"] for row in run.epochs]
                    axes.plot(epochs, values, style, color=COLOURS[run.side], linewidth=1.2, label=label)
        axes.set(title=title, xlabel="epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
    panels[0, 0].legend(frameon=False, fontsize=8)
    seeds = len(comparison.runs)
    figure.suptitle(
        f"{study.name}: labels smoothed by {comparison.figures['smoothing']:g} or not, {_count(seeds, 'seed')}"
    )
    return _png(figure)


def _reliability(comparison: Comparison) -> bytes:
    """For each side: accuracy in every bin of confidence with its Wilson interval, and how many images are there."""
    figure = need("matplotlib.figure").Figure(figsize=(9.5, 5.4), dpi=110, layout="constrained")
    panels = figure.subplots(2, 2, sharex=True, sharey="row", height_ratios=[3, 1])
    for column, side in enumerate(SIDES):
        of = [pair[column].calibration for pair in comparison.runs]
        upper, lower = panels[0, column], panels[1, column]
        for bins in zip(*(each.bins for each in of), strict=True):
            n = sum(b.n for b in bins)
            if not n:
                continue
            right = share(round(sum(b.n * (b.accuracy or 0) for b in bins)), n)
            sure = sum(b.n * (b.confidence or 0) for b in bins) / n
            middle, width = (bins[0].low + bins[0].high) / 2, bins[0].high - bins[0].low
            upper.bar(middle, right.value, width, color=COLOURS[side], alpha=0.35, edgecolor="white")
            upper.plot([sure, sure], [right.low, right.high], color=COLOURS[side], linewidth=1.5)
            upper.plot(sure, right.value, "o", color=COLOURS[side], markersize=4)
            lower.bar(middle, n, width, color=COLOURS[side], edgecolor="white")
        upper.plot([0, 1], [0, 1], "--", color="black", linewidth=0.8)
        upper.set(
            title=f"{side}: ECE {_spread(comparison.figures['measures']['ece'][side], 4)}", xlim=(0, 1), ylim=(0, 1)
        )
        lower.set(yscale="log", xlabel="confidence")
    panels[0, 0].set_ylabel("accuracy")
    panels[1, 0].set_ylabel("images")
    data = comparison.figures["data"]
    figure.suptitle(
        f"{data['source']}: {data['test']:,} test images, read by {_count(len(comparison.runs), 'network')} each"
    )
    return _png(figure)


def _png(figure: Any) -> bytes:
    packed = BytesIO()
    figure.savefig(packed, format="png")
    return packed.getvalue()


# Name in the summary, factor, decimals, unit, and whether more is better (None: neither).
WORDS: dict[str, tuple[str, float, int, str, bool | None]] = {
    "accuracy": ("accuracy", 100, 2, "points", True),
    "loss": ("cross-entropy", 1, 4, "nats", False),
    "ece": ("calibration error (ECE, 15 bins)", 1, 4, "", False),
    "confidence": ("mean confidence", 100, 2, "points", None),
    "confident_failures": (f"failures with confidence of at least {CONFIDENCE:g}", 1, 1, "images", None),
    "errors_among_surest": ("errors among equally many of its surest images", 1, 1, "images", False),
}


def summary(figures: Mapping[str, Any]) -> list[str]:
    """A sentence for each measure: both sides, the difference, and what its interval lets one say."""
    seeds, data = len(figures["seeds"]), figures["data"]
    sentences = [
        f"Labels smoothed by {figures['smoothing']:g} against labels as they are: {_count(seeds, 'seed')}, "
        f"{_count(figures['epochs'], 'epoch')}, {data['train']:,} images trained on, {data['test']:,} test images of {data['source']}. "
        "Means with 95 % intervals over seeds (t); differences are smoothed minus baseline, seed by seed. "
        "They tell of other seeds, not of other test images."
    ]
    for name, (words, factor, decimals, unit, more_is_better) in WORDS.items():
        of = figures["measures"][name]
        baseline, smoothed, difference = (_scaled(of[key], factor) for key in (*SIDES, "difference"))
        sentences.append(
            f"{words[0].upper()}{words[1:]}: {baseline['mean']:.{decimals}f} without, {smoothed['mean']:.{decimals}f} with; difference "
            f"{_spread(difference, decimals, sign='+')}{' ' + unit if unit else ''}: {_verdict(difference, more_is_better)}."
        )
    sentences.append(
        "Smoothing lowers confidence by construction, so fewer confident failures alone show no better network; errors among "
        "equally many of the surest images do not depend on that."
    )
    return sentences


def _verdict(difference: Mapping[str, Any], more_is_better: bool | None) -> str:
    if difference["low"] is None:
        return "one seed shows nothing"
    if difference["low"] <= 0 <= difference["high"]:
        return "no difference shown"
    up = difference["mean"] > 0
    if more_is_better is None:
        return "higher" if up else "lower"
    return "better" if up == more_is_better else "worse"


def _scaled(of: Mapping[str, Any], factor: float) -> dict[str, Any]:
    return {key: value * factor if key != "n" and value is not None else value for key, value in of.items()}


def _spread(of: Mapping[str, Any], decimals: int, sign: str = "") -> str:
    if of["low"] is None:
        return f"{of['mean']:{sign}.{decimals}f}"
    return f"{of['mean']:{sign}.{decimals}f} ({of['low']:{sign}.{decimals}f} to {of['high']:{sign}.{decimals}f})"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _page(figures: Mapping[str, Any]) -> str:
    first, *rest = figures["summary"]
    lines = ["# Label smoothing", "", first, "", *[f"- {sentence}" for sentence in rest], ""]
    lines += ["![Training curves](curves.png)", "", "![Reliability](reliability.png)", ""]
    lines += [
        f"- seed {seed}: baseline `{ids['baseline']}`, smoothed `{ids['smoothed']}`"
        for seed, ids in zip(figures["seeds"], figures["weights"], strict=True)
    ]
    lines += [
        "",
        f"Cases of the first seed with what both looked at: [cases/index.md](cases/index.md); of all seeds: [cases.csv](cases.csv) ({figures['cases']} rows). Every epoch: [epochs.csv](epochs.csv).",
    ]
    lines += ["", f"Made with: `{json.dumps(figures['conditions'])}`"]
    return "\n".join(lines) + "\n"
