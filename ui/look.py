"""Live prediction: asked with every move of a pen, so a plain route of our own, without what Gradio's own calls cost."""

from typing import Any

import anyio
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from flagging.database import LedgerUnavailable
from ui.browser import fields, visitor
from ui.game import Game, as_base64, checked_try_id
from ui.limits import TooMany

# Under Gradio's own prefix: on a Space another server may stand before this one and pass on only that.
PATH = "/gradio_api/look"


def look_route(game: Game) -> Route:
    """POST {"token", "try_id", "strokes"}: the prediction for the drawing as it is now, and the 28 x 28 pixels it was made from.

    The first one of a drawing makes it a try. 400 for what is no drawing, 429 for too many, 503 while the ledger cannot be
    written: each with {"error": sentence}.
    """

    async def look(request: Request) -> Response:
        try:
            return _json(await _looked(game, fields(request.scope["hoodwink.body"]), request))
        except TooMany as error:
            return _json({"error": str(error)}, 429, {"retry-after": "1"})
        except ValueError as error:
            return _json({"error": str(error)}, 400)
        except (LedgerUnavailable, OSError) as error:
            return _json({"error": str(error)}, 503)

    return Route(PATH, look, methods=["POST"])


async def _looked(game: Game, sent: dict[str, Any], request: Request) -> dict[str, Any]:
    who, try_id = visitor(game, sent, request), checked_try_id(sent.get("try_id"))
    await game.limits.predicting(who)
    answer = game.answer(sent.get("strokes"))
    if not game.live:
        return {"image": as_base64(answer)}
    if not game.is_known_try(try_id):
        await anyio.to_thread.run_sync(game.remember_try, answer, who.token, try_id)
    return game.describe(answer) | {"image": as_base64(answer)}


def _json(content: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status, headers, "application/json")
