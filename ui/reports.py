"""The stress-test reports in the data folder: found, checked and put into HTML.

A report is named by its folder, a weights id, and by nothing else: what the page asks for is looked up in the listing.
"""

import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

from evaluation.summary import percent
from flagging.attempts import Refused
from ui.numbers import plural

MOST_SHOWN = 20  # reports, the newest
MOST_JSON, MOST_HTML = 4_000_000, 20_000_000  # bytes; a report has about 130,000 and 370,000
FORMAT = 1
KINDS = {"clean": "Clean digits", "fooling": "Fooling drawings", "attack": "Attacked digits", "shift": "Shifted digits"}
_WEIGHTS_ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Report:
    """weights_id: its folder; stamp: changes with the file; written: seconds since 1970; html: what is told of it."""

    weights_id: str
    stamp: tuple[int, int]
    written: float
    title: str
    html: str
    damaged: bool = False


class Reports:
    """Read once, and again when a file has changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, Report] = {}
        self._reading = threading.Lock()

    def newest(self) -> list[Report]:
        """All there are, newest first; each that cannot be read says so in its own HTML."""
        with self._reading:
            found = (self._look(path) for path in self._paths())
            known = {report.weights_id: report for report in found if report}
            self._known = known
            return sorted(known.values(), key=lambda report: (report.written, report.weights_id), reverse=True)

    def page(self, weights_id: object) -> str:
        """The report's own page. Raises Refused for one that is not there or too large."""
        path = next((path for path in self._paths() if path.name == weights_id), None)
        html = path and path / "report.html"
        if path is None or html is None or not _is_plain_file(html):
            raise Refused(f"there is no full report of weights {str(weights_id)[:20]!r}; {again(None)}")
        try:
            if html.stat().st_size > MOST_HTML:
                raise Refused(
                    f"the full report of weights {path.name} is too large to show here; open {path.name}/report.html"
                )
            return html.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Refused(f"the full report of weights {path.name} cannot be read; {again(None)}") from error

    def _paths(self) -> list[Path]:
        try:
            return [
                path for path in self._folder.iterdir() if _WEIGHTS_ID.fullmatch(path.name) and not path.is_symlink()
            ]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise Refused("the folder of the reports cannot be read") from error

    def _look(self, path: Path) -> Report | None:
        try:
            if not _is_plain_file(path / "report.json"):
                return None  # not written yet: it comes last
            now = (path / "report.json").stat()
        except OSError:
            return None
        known, stamp = self._known.get(path.name), (now.st_mtime_ns, now.st_size)
        if known and known.stamp == stamp:
            return known
        try:
            if now.st_size > MOST_JSON:
                raise ValueError(f"report.json has {now.st_size:,} bytes")
            figures = json.loads((path / "report.json").read_text(encoding="utf-8"), parse_constant=_refuse_constant)
            title, html = describe(figures, path.name)
            return Report(path.name, stamp, now.st_mtime, title, html)
        except (OSError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError, RecursionError) as error:
            why = str(error) if type(error) is ValueError else "report.json is damaged"
            html = f'<p class="problem">This report cannot be read: {escape(why[:200])}. {again(path.name)}</p>'
            return Report(path.name, stamp, now.st_mtime, f"Weights {path.name[:8]}", html, damaged=True)


def _is_plain_file(path: Path) -> bool:
    """No link to elsewhere, and nothing that reading could wait for."""
    return not path.is_symlink() and path.is_file()


def _refuse_constant(constant: str) -> float:
    raise TypeError(f"{constant} is no figure")


def again(weights_id: str | None) -> str:
    command = f"python -m evaluation report{f' {weights_id}' if weights_id else ''}"
    return f"`{command}` makes one" if weights_id is None else f"Make it again: <code>{command}</code>"


def describe(figures: Mapping[str, Any], weights_id: str) -> tuple[str, str]:
    """Title and HTML. Raises ValueError with a sentence, or whatever a report that is not as it should be raises."""
    if figures["format"] != FORMAT:
        raise ValueError(f"it has format {str(figures['format'])[:20]}, and this page reads format {FORMAT}")
    if figures["weights_id"] != weights_id:
        raise ValueError(f"it is of weights {str(figures['weights_id'])[:20]}")
    made = str(figures["conditions"]["created_at"])
    title = f"Round {int(figures['round'])} · weights {weights_id[:8]} · {made[:10]}"
    sentences = "".join(f"<li>{escape(_text(sentence))}</li>" for sentence in figures["summary"])
    rows = [row for row in figures["sets"] if row["n"]]
    return title, f'<ul class="summary">{sentences}</ul>{_table(rows)}'


def _table(rows: list[Mapping[str, Any]]) -> str:
    lines = []
    for kind, group in groupby(rows, key=lambda row: row["kind"]):
        of_kind = list(group)
        lines.append(f'<tbody><tr class="kind"><th colspan="4" scope="rowgroup">{escape(KINDS[kind])}</th></tr>')
        lines += [_row(row) for row in of_kind]
        lines.append("</tbody>")
    note = (
        '<p class="fine">* holds drawings that fooled just these weights, which had to misread them: no measure of what they can do.</p>'
        if any(row["fooled_these"] for row in rows)
        else ""
    )
    return (
        '<table class="hw-sets"><thead><tr><th scope="col">set</th><th scope="col">images</th>'
        '<th scope="col">read rightly, 95 % interval</th><th scope="col" class="drawn"><span>the same, drawn</span></th></tr></thead>'
        f"{''.join(lines)}</table>{note}"
    )


def _row(row: Mapping[str, Any]) -> str:
    accuracy = {key: float(row["accuracy"][key]) for key in ("value", "low", "high")}
    if not 0 <= accuracy["low"] <= accuracy["value"] <= accuracy["high"] <= 1:
        raise TypeError(f"{accuracy} is no share with its interval")
    value, low, high = (100 * accuracy[key] for key in ("value", "low", "high"))
    n = int(row["n"])
    star = " *" if row["fooled_these"] else ""
    figure, _, between = percent({**accuracy, "n": n}).partition(" (")
    return (
        f'<tr><th scope="row" title="{escape(_text(row["what"]))}">{escape(_text(row["name"]))}{star}</th><td>{n:,}</td>'
        f"<td>{figure} <small>({between}</small></td>"
        f'<td class="drawn" aria-hidden="true"><span class="of-all {escape(row["kind"])}"><i style="width:{value:.2f}%"></i>'
        f'<b style="left:{low:.2f}%;width:{high - low:.2f}%"></b></span></td></tr>'
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    value.encode()  # half a surrogate pair is no text that a page could be sent
    return value


def told(reports: list[Report], served: str) -> str:
    """The newest that can be read is open, as is what is said of those that cannot; what is served now is marked."""
    parts = []
    opened = next((report for report in reports if not report.damaged), None)
    for report in reports[:MOST_SHOWN]:
        mark = ' <span class="served">served now</span>' if report.weights_id == served else ""
        button = (
            ""
            if report.damaged
            else f'<button type="button" class="full" data-report="{report.weights_id}">Full report</button>'
        )
        title = " · ".join(f"<span>{escape(part)}</span>" for part in report.title.split(" · "))
        parts.append(
            f'<details data-key="{report.weights_id}"{" open" if report is opened or report.damaged else ""}><summary>{title}{mark}</summary>'
            f"{button}{report.html}</details>"
        )
    if len(reports) > MOST_SHOWN:
        parts.append(f'<p class="fine">{plural(len(reports) - MOST_SHOWN, "older report")} not shown.</p>')
    return "".join(parts)
