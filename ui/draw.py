"""The Draw tab: the sketchpad, live prediction, submitting."""

from pathlib import Path
from typing import Any

import gradio as gr

from ui.browser import fields, in_turn, or_error, script, visitor
from ui.explain import Explainer
from ui.game import Game, as_base64, checked_try_id
from ui.people import Visitor

HERE = Path(__file__).parent


def draw_tab(game: Game) -> gr.HTML:
    """The sketchpad and all that is around it: one component of our own.

    Gradio's Sketchpad swallows first strokes, does not clear twice and answers after 750 ms.
    """

    explainer = Explainer(game)

    async def explain(data: Any, request: gr.Request) -> dict[str, Any]:
        """Where it looked; in a lane of its own, so that neither prediction nor submission waits for it."""

        def work(sent: dict[str, Any], who: Visitor) -> dict[str, Any]:
            try_id = checked_try_id(sent.get("try_id"))
            return explainer.explain(sent.get("strokes"), sent.get("digit"), sent.get("before"), who.token, try_id)

        return await in_turn(game, data, request, game.limits.explaining, work, game.explaining)

    async def submit(data: Any, request: gr.Request) -> dict[str, Any]:
        def record(sent: dict[str, Any], who: Visitor) -> dict[str, Any]:
            try_id = checked_try_id(sent.get("try_id"))
            result, answer = game.submit(sent.get("strokes"), sent.get("label"), who.token, try_id)
            return result | {"image": as_base64(answer), "score": game.score(who.token)}

        return await in_turn(game, data, request, game.limits.submitting, record)

    async def retract(data: Any, request: gr.Request) -> dict[str, Any]:
        def take_back(sent: dict[str, Any], who: Visitor) -> dict[str, Any]:
            return game.retract(sent.get("attempt_id"), who.token, who.also) | {"score": game.score(who.token)}

        return await in_turn(game, data, request, game.limits.submitting, take_back)

    def score(data: Any, request: gr.Request) -> dict[str, Any]:
        return or_error(lambda: game.score(visitor(game, fields(data), request).token) or {})

    def status(_: Any) -> dict[str, Any]:
        return or_error(game.status)

    return gr.HTML(
        html_template=_template(game.live),
        js_on_load=script("sketchpad.js", "hub.js", "explain.js", "draw.js"),
        server_functions=[explain, submit, retract, score, status],
        apply_default_css=False,
        elem_id="draw",
    )


def _template(live: bool) -> str:
    bars = "".join(
        f'<li><span class="name">{d}</span><span class="bar"></span><span class="value"></span></li>' for d in range(10)
    )
    digits = "".join(
        f'<button id="digit-{d}" type="button" aria-label="I drew {"an" if d == 8 else "a"} {d}">{d}</button>'
        for d in range(10)
    )
    return (
        (HERE / "draw.html")
        .read_text()
        .replace("@bars", bars)
        .replace("@digits", digits)
        .replace("@hidden", "" if live else "hidden")
    )
