"""Who is there: a browser or a client by the token it sends, a person by the Hub account they signed in with."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Account:
    """A Hub account somebody signed in with. user_id: lasting, where the name may change."""

    user_id: str
    name: str

    @property
    def token(self) -> str:
        """All other tokens begin with "browser:", "header:" or "session:", so that nobody can claim this one."""
        return f"hub:{self.user_id}"


@dataclass(frozen=True)
class Visitor:
    """own: the token of their browser or client. address, size: where the request came from and its bytes; for limits, never recorded."""

    own: str
    account: Account | None = None
    address: str = field(default="", compare=False)
    size: int = field(default=0, compare=False)

    @property
    def token(self) -> str:
        """Whose the drawings and votes are that come in now."""
        return self.account.token if self.account else self.own

    @property
    def also(self) -> tuple[str, ...]:
        """What else is theirs: what they drew in this browser before they signed in."""
        return (self.own,) if self.account else ()


def origin(request: Any) -> tuple[str, int]:
    """Where a request came from, and the size of its body, as ui.guard found. request: a gr.Request, or Starlette's."""
    starlette = getattr(request, "request", None) or request
    scope = starlette.scope if starlette is not None else {}
    return str(scope.get("hoodwink.address", "")), int(scope.get("hoodwink.size", 0))


def account_of(request: Any) -> Account | None:
    """Who the server's session says it is; None for nobody, or if it expired.

    request: a gr.Request, or Starlette's, which Gradio hands to server functions; its application has the session
    middleware that Gradio adds to sign people in.
    """
    starlette = getattr(request, "request", None) or request
    # The cookie comes along with requests that other sites make a browser send: those are nobody's. Browsers say whose
    # they are, and no page can change that; other clients hold no cookie by accident.
    if starlette.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return None
    info = starlette.session.get("oauth_info")
    if not isinstance(info, Mapping) or (info.get("expires_at") or math.inf) < time.time():  # as gradio.oauth has it
        return None
    user = info["userinfo"]
    return Account(str(user["sub"]), str(user["preferred_username"]))
