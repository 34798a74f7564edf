"""What the page asks most: plain routes of our own, without what Gradio's cost. ui.guard has checked what comes in.

On a Space another server may stand before this one and pass on only what is under Gradio's own prefix.
"""

import inspect
from collections.abc import Callable
from typing import Any

import gradio as gr
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from flagging.database import LedgerUnavailable
from model.served import Answer
from model.strokes import check_strokes
from ui.assets import asset
from ui.browser import fields, visitor
from ui.game import Game, as_base64, checked_try_id
from ui.limits import TooMany
from ui.people import Visitor, origin

# What is longer is answered in a thread, so that nobody waits for it. Of 400 pen digits none has more than 106 segments.
LONG_BYTES, LONG_SEGMENTS = 10_000, 300


def routes(game: Game, page: gr.Blocks) -> list[Route]:
    return [
        Route("/assets/{name}", asset),
        Route("/gradio_api/look", look(game), methods=["POST"]),
        *(Route(f"/gradio_api/component_server{end}", call(game, page), methods=["POST"]) for end in ("", "/")),
    ]


def look(game: Game) -> Callable[[Request], Any]:
    """{"token", "try_id", "strokes"}: the prediction for the drawing as it is now, and the 28 x 28 pixels it was made from.

    The first one of a drawing makes it a try. 400 for what is no drawing, 429 for too many, 503 while the ledger cannot be
    written: each with {"error": sentence}.
    """

    async def looked(sent: dict[str, Any], request: Request) -> dict[str, Any]:
        who, try_id = visitor(game, sent, request), checked_try_id(sent.get("try_id"))
        await game.limits.predicting(who)
        answer = await _answer(game, who, sent.get("strokes"))
        if not game.live:
            return {"image": as_base64(answer)}
        if not game.is_known_try(try_id):
            await game.noting.run(who.address, game.remember_try, answer, who.token, try_id)
        return game.describe(answer) | {"image": as_base64(answer)}

    async def answer(request: Request) -> Response:
        try:
            return _json(await looked(fields(request.scope["hoodwink.body"]), request))
        except TooMany as error:
            return _json({"error": str(error)}, 429, {"retry-after": "1"})
        except ValueError as error:
            return _json({"error": str(error)}, 400)
        except (LedgerUnavailable, OSError) as error:
            return _json({"error": str(error)}, 503)

    return answer


async def _answer(game: Game, who: Visitor, strokes: object) -> Answer:
    if who.size <= LONG_BYTES:
        drawing = check_strokes(strokes)
        if drawing.segments <= LONG_SEGMENTS:
            return await game.looking.answer(drawing)
    return await game.looking_long.run(who.address, game.served.answer, strokes)


def call(game: Game, page: gr.Blocks) -> Callable[[Request], Any]:
    """{"component_id", "fn_name", "data"}: what one of the page's server functions answers; they refuse with {"error": sentence}.

    Gradio's own route makes a session for every session_hash anybody sends, 8 ms of work that all wait for, and fails on
    what it does not expect. Our functions have no sessions.
    """
    functions = {
        (number, function.__name__): (function, len(inspect.signature(function).parameters))
        for number, component in page.blocks.items()
        for function in getattr(component, "server_fns", None) or ()
    }

    async def answer(request: Request) -> Response:
        body = request.scope["hoodwink.body"]
        number, name = body.get("component_id"), body.get("fn_name")
        known = functions.get((number, name)) if type(number) is int and isinstance(name, str) else None
        if known is None:
            return _json({"error": "the page has no such function; it may be of an older version, reload it"}, 404)
        function, takes = known
        given = (body.get("data"), request)[:takes]
        if inspect.iscoroutinefunction(function):
            return _json(await function(*given))
        try:
            return _json(await game.reading.run(origin(request)[0], function, *given))
        except (TooMany, LedgerUnavailable) as error:
            return _json({"error": str(error)}, 503)

    return answer


def _json(content: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS), status, headers, "application/json")
