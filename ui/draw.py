"""The Draw tab: the sketchpad, live prediction, submitting."""

from pathlib import Path
from typing import Any

import anyio
import gradio as gr

from flagging.database import LedgerUnavailable
from ui.browser import fields, or_error, script, visitor
from ui.explain import Explainer
from ui.game import Game, as_base64, checked_try_id

HERE = Path(__file__).parent


def draw_tab(game: Game) -> gr.HTML:
    """The sketchpad and all that is around it: one component of our own.

    Gradio's Sketchpad swallows first strokes, does not clear twice and answers after 750 ms.
    """

    async def look(data: Any, request: gr.Request) -> dict[str, Any]:
        """The prediction for the drawing as it is now; the first one of a drawing makes it a try."""
        try:
            sent = fields(data)
            token, try_id = visitor(game, sent, request).token, checked_try_id(sent.get("try_id"))
            answer = game.answer(sent.get("strokes"))
            if not game.live:
                return {"image": as_base64(answer)}
            if not game.is_known_try(try_id):
                await anyio.to_thread.run_sync(game.remember_try, answer, token, try_id)
            return game.describe(answer) | {"image": as_base64(answer)}
        except (ValueError, LedgerUnavailable, OSError) as error:
            return {"error": str(error)}

    explainer = Explainer(game)

    def explain(data: Any, request: gr.Request) -> dict[str, Any]:
        """Where it looked; in a thread of its own, so that no prediction waits for it."""

        def work() -> dict[str, Any]:
            sent = fields(data)
            token, try_id = visitor(game, sent, request).token, checked_try_id(sent.get("try_id"))
            return explainer.explain(sent.get("strokes"), sent.get("digit"), sent.get("before"), token, try_id)

        return or_error(work)

    def submit(data: Any, request: gr.Request) -> dict[str, Any]:
        def record() -> dict[str, Any]:
            sent = fields(data)
            token, try_id = visitor(game, sent, request).token, checked_try_id(sent.get("try_id"))
            result, answer = game.submit(sent.get("strokes"), sent.get("label"), token, try_id)
            return result | {"image": as_base64(answer), "score": game.score(token)}

        return or_error(record)

    def retract(data: Any, request: gr.Request) -> dict[str, Any]:
        def take_back() -> dict[str, Any]:
            who = visitor(game, fields(data), request)
            return game.retract(fields(data).get("attempt_id"), who.token, who.also) | {"score": game.score(who.token)}

        return or_error(take_back)

    def score(data: Any, request: gr.Request) -> dict[str, Any]:
        return or_error(lambda: game.score(visitor(game, fields(data), request).token) or {})

    def status(_: Any) -> dict[str, Any]:
        return or_error(game.status)

    return gr.HTML(
        html_template=_template(game.live),
        js_on_load=script("sketchpad.js", "hub.js", "explain.js", "draw.js"),
        server_functions=[look, explain, submit, retract, score, status],
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
