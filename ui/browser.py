"""What the page's own components share: their JavaScript, and how Python answers it.

Server functions can be called by anybody who can load the page, so each checks all it gets, and answers
{"error": sentence} instead of raising, which would reach the page as a bare "Internal Server Error".
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from flagging.attempts import Refused
from flagging.database import LedgerUnavailable
from ui.game import checked_token

HERE = Path(__file__).parent


def script(*names: str) -> str:
    """A component's js_on_load: what all share, then its own."""
    return "\n".join((HERE / name).read_text() for name in ("common.js", *names))


def fields(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise Refused("the page sent something unexpected; reload it")
    return data


def annotator(data: dict[str, Any]) -> str:
    # Marked, so that it can never pass for the token of an API client, nor the other way round.
    return f"browser:{checked_token(data.get('token'))}"


def or_error(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return work()
    except (ValueError, LedgerUnavailable, OSError) as error:
        return {"error": str(error)}
