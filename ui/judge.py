"""The Judge tab: somebody else's drawing, read blind."""

from pathlib import Path
from typing import Any

import gradio as gr

from ui.browser import fields, in_turn, or_error, script, visitor
from ui.game import Game
from ui.people import Visitor

HERE = Path(__file__).parent


def judge_tab(game: Game) -> gr.HTML:
    """One drawing at a time. What reaches the browser before the vote is its strokes: no label, no prediction."""

    def next_drawing(data: Any, request: gr.Request) -> dict[str, Any]:
        def ask() -> dict[str, Any]:
            who = visitor(game, fields(data), request)
            if game.settings.quorum and not game.may_judge(who.token):
                return {"sign_in": True, "waiting": game.ledger.waiting_to_be_judged()}
            return game.next_to_judge(who.token, fields(data).get("skipped", []), who.also)

        return or_error(ask)

    async def vote(data: Any, request: gr.Request) -> dict[str, Any]:
        def record(sent: dict[str, Any], who: Visitor) -> dict[str, Any]:
            return game.judge(sent.get("attempt_id"), sent.get("reading"), who.token, who.also)

        return await in_turn(game, data, request, game.limits.judging, record)

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
