"""What the page's own components share: their JavaScript, and how Python answers it.

Server functions can be called by anybody who can load the page, so each checks all it gets, and answers
{"error": sentence} instead of raising, which would reach the page as a bare "Internal Server Error".
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from flagging.attempts import Refused
from flagging.database import LedgerUnavailable
from ui.game import Game, checked_token
from ui.lanes import Lane
from ui.people import Account, Visitor, account_of, origin

HERE = Path(__file__).parent


def script(*names: str) -> str:
    """A component's js_on_load: what all share, then its own."""
    return "\n".join((HERE / name).read_text() for name in ("common.js", *names))


def fields(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise Refused("the page sent something unexpected; reload it")
    return data


def visitor(game: Game, data: dict[str, Any], request: Any) -> Visitor:
    # Marked, so that it can never pass for the token of an API client or of an account, nor the other way round.
    return Visitor(f"browser:{checked_token(data.get('token'))}", account(game, request), *origin(request))


def account(game: Game, request: Any) -> Account | None:
    """Who signed in; nobody where nobody can."""
    return account_of(request) if game.sign_in else None


async def in_turn(
    game: Game,
    data: Any,
    request: Any,
    turn: Callable[[Visitor], Awaitable[None]],
    work: Callable[[dict[str, Any], Visitor], dict[str, Any]],
    lane: Lane | None = None,
) -> dict[str, Any]:
    """The work on what was sent, in a thread, once it is this visitor's turn: one of game.limits. lane: where ledgers are written, if None."""
    try:
        sent = fields(data)
        who = visitor(game, sent, request)
        await turn(who)
        return await (lane or game.recording).run(who.address, work, sent, who)
    except (ValueError, LedgerUnavailable, OSError) as error:
        return {"error": str(error)}


def or_error(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return work()
    except (ValueError, LedgerUnavailable, OSError) as error:
        return {"error": str(error)}
