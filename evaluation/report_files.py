"""Writes a report: JSON, Markdown, figures and the page."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.report import Report
from evaluation.report_figures import draw_figures
from evaluation.report_page import page, stated
from evaluation.summary import is_shown, percent, points
from model.weights import write_whole

Row = Mapping[str, Any]


def write_report(report: Report, folder: Path) -> list[Path]:
    """Write the files that report.py names; each complete or not at all, report.json last."""
    pictures = draw_figures(report.figures, report.examples)
    files = {f"figures/{name}": content for name, content in pictures.items()}
    files["report.md"] = markdown(report.figures).encode()
    files["report.html"] = page(report.figures, pictures["examples.png"]).encode()
    files["report.json"] = json.dumps(report.figures, indent=1).encode()
    for name, content in files.items():
        write_whole(folder / name, content)
    return [folder / name for name in files]


def markdown(figures: Row) -> str:
    """The report for reading in a repository."""
    rows = [row for row in figures["sets"] if row["n"]]
    clean = next(row for row in rows if row["kind"] == "clean")
    lines = [
        f"# Stress test of weights {figures['weights_id']} (round {figures['round']})",
        "",
        *(f"- {sentence}" for sentence in figures["summary"]),
        "",
        "![% read rightly on every set](figures/accuracy.png)",
        "",
        *overview(figures, rows),
        "",
        "\\* holds drawings that fooled just these weights, which had to misread them. Accuracy with Wilson's 95 % interval, loss (mean cross-entropy, nats) "
        "with a normal one. Points below clean digits: paired by image (Bonett and Price) for attacks and shifts, Newcombe's interval for "
        "drawings, which are other images." + (" In bold: differences that are shown." if figures["against"] else ""),
        "",
        "![% of each digit read rightly](figures/digits.png)",
        "",
        "![What was taken for what](figures/confusion.png)",
        "",
        "![An image of each digit in each set, and what it was misread as](figures/examples.png)",
        "",
        "## Clean digits, one by one",
        "",
        "| digit | precision | recall | F1 | support |",
        "|---|---|---|---|---|",
        *(
            f"| {d['digit']} | {_share(d['precision'])} | {_share(d['recall'])} | {_share(d['f1'])} | {d['support']} |"
            for d in clean["digits"]
        ),
        "",
        "The same for every other set, and all confusion matrices: `report.json`, `report.html`.",
        "",
        "## Conditions",
        "",
        *(f"- {line}" for line in stated(figures)),
        "",
    ]
    return "\n".join(lines)


def overview(figures: Row, rows: Sequence[Row]) -> list[str]:
    """One line a set, as a Markdown table."""
    other = figures["against"]
    head = ["set", "images", "accuracy", "loss", "points below clean", "what"]
    if other:
        head.insert(5, f"points better than {other['weights_id']} (round {other['round']})")
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for row in rows:
        loss = row["loss"]
        between = f" ({loss['low']:.3f} to {loss['high']:.3f})" if loss["low"] is not None else ""
        cells = [
            row["name"] + (" \\*" if row["fooled_these"] else ""),
            f"{row['n']:,}",
            percent(row["accuracy"]),
            f"{loss['value']:.3f}{between}",
            _bare(row["drop"]) if row["drop"] else "",
            row["what"],
        ]
        if other:
            cells.insert(5, _gain(row["against"]))
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _gain(against: Row) -> str:
    """In bold where it is shown; nothing where one of the two weights had to fail."""
    told = _bare(against["difference"])
    if not against["fair"]:
        return "(by construction)"
    return f"**{told}**" if is_shown(against["difference"]) else told


def _bare(difference: Row) -> str:
    return points(difference).replace(" points", "")


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
