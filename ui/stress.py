"""The Stress test tab: the reports on what breaks the weights."""

import hashlib
from typing import Any

import gradio as gr

from ui.browser import HERE, fields, or_error, script
from ui.game import Game
from ui.reports import Reports, told


def stress_tab(game: Game) -> gr.HTML:
    reports = Reports(game.reports)

    def overview(data: Any) -> dict[str, Any]:
        """All reports as HTML, or only the version if the page has it already."""

        def work() -> dict[str, Any]:
            newest, served = reports.newest(), game.served.weights_id
            marks = repr([(report.weights_id, report.stamp) for report in newest] + [served])
            version = hashlib.sha256(marks.encode()).hexdigest()[:16]
            if fields(data).get("version") == version:
                return {"version": version}
            missing = bool(newest) and not any(report.weights_id == served for report in newest)
            return {"version": version, "html": told(newest, served), "missing": missing}

        return or_error(work)

    def full(data: Any) -> dict[str, Any]:
        """A report's own page, which needs nothing else."""
        return or_error(lambda: {"html": reports.page(fields(data).get("weights_id"))})

    return gr.HTML(
        html_template=(HERE / "stress.html").read_text(),
        js_on_load=script("looking.js", "stress.js"),
        server_functions=[overview, full],
        apply_default_css=False,
        elem_id="stress-test",
    )
