"""The Judge tab: somebody else's drawing, read blind."""

from pathlib import Path
from typing import Any

import gradio as gr

from ui.browser import annotator, fields, or_error, script
from ui.game import Game

HERE = Path(__file__).parent


def judge_tab(game: Game) -> gr.HTML:
    """One drawing at a time. What reaches the browser before the vote is its strokes: no label, no prediction."""

    def next_drawing(data: Any) -> dict[str, Any]:
        return or_error(lambda: game.next_to_judge(annotator(fields(data)), fields(data).get("skipped", [])))

    def vote(data: Any) -> dict[str, Any]:
        return or_error(
            lambda: game.judge(fields(data).get("attempt_id"), fields(data).get("reading"), annotator(fields(data)))
        )

    return gr.HTML(
        html_template=_template(),
        js_on_load=script("judge.js"),
        server_functions=[next_drawing, vote],
        apply_default_css=False,
        elem_id="judge",
    )


def _template() -> str:
    digits = "".join(
        f'<button id="judge-{d}" type="button" disabled aria-label="I read {"an" if d == 8 else "a"} {d}">{d}</button>'
        for d in range(10)
    )
    return (HERE / "judge.html").read_text().replace("@digits", digits)
