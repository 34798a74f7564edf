"""The Draw tab: the sketchpad, live prediction, submitting."""

from pathlib import Path
from typing import Any

import anyio
import gradio as gr

from flagging.database import LedgerUnavailable
from ui.browser import annotator, fields, or_error, script
from ui.game import Game, as_base64, checked_try_id

HERE = Path(__file__).parent


def draw_tab(game: Game) -> gr.HTML:
    """The sketchpad and all that is around it: one component of our own.

    Gradio's Sketchpad swallows first strokes, does not clear twice and answers after 750 ms.
    """

    async def look(data: Any) -> dict[str, Any]:
        """The prediction for the drawing as it is now; the first one of a drawing makes it a try."""
        try:
            sent = fields(data)
            token, try_id = annotator(sent), checked_try_id(sent.get("try_id"))
            answer = game.answer(sent.get("strokes"))
            if not game.live:
                return {"image": as_base64(answer)}
            if not game.is_known_try(try_id):
                await anyio.to_thread.run_sync(game.remember_try, answer, token, try_id)
            return game.describe(answer) | {"image": as_base64(answer)}
        except (ValueError, LedgerUnavailable, OSError) as error:
            return {"error": str(error)}

    def submit(data: Any) -> dict[str, Any]:
        def record() -> dict[str, Any]:
            sent = fields(data)
            token, try_id = annotator(sent), checked_try_id(sent.get("try_id"))
            result, answer = game.submit(sent.get("strokes"), sent.get("label"), token, try_id)
            return result | {"image": as_base64(answer), "score": game.score(token)}

        return or_error(record)

    def retract(data: Any) -> dict[str, Any]:
        def take_back() -> dict[str, Any]:
            token = annotator(fields(data))
            return game.retract(fields(data).get("attempt_id"), token) | {"score": game.score(token)}

        return or_error(take_back)

    def withdraw(data: Any) -> dict[str, Any]:
        return or_error(lambda: game.withdraw(annotator(fields(data))))

    def score(data: Any) -> dict[str, Any]:
        return or_error(lambda: game.score(annotator(fields(data))) or {})

    def status(_: Any) -> dict[str, Any]:
        return or_error(game.status)

    return gr.HTML(
        html_template=_template(),
        js_on_load=script("sketchpad.js", "draw.js"),
        server_functions=[look, submit, retract, withdraw, score, status],
        apply_default_css=False,
        elem_id="draw",
    )


def header() -> gr.HTML:
    """Name of the game and how the round goes; draw.js keeps it up to date."""
    return gr.HTML(
        '<div id="header"><h1 class="name">HOOD<span>WINK</span></h1>'
        '<div id="round-status"><span class="round"></span>'
        '<progress max="1" value="0" aria-label="Fooling drawings towards the next retraining"></progress>'
        '<span class="count"></span> <span class="waiting"></span></div></div>',
        apply_default_css=False,
    )


def _template() -> str:
    bars = "".join(
        f'<li><span class="name">{d}</span><span class="bar"></span><span class="value"></span></li>' for d in range(10)
    )
    digits = "".join(
        f'<button id="digit-{d}" type="button" aria-label="I drew {"an" if d == 8 else "a"} {d}">{d}</button>'
        for d in range(10)
    )
    return (HERE / "draw.html").read_text().replace("@bars", bars).replace("@digits", digits)
