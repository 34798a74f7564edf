"""What stands before every request: which paths there are, how large and what a body may be, whose turn it is, what headers go out.

The page takes no files and Gradio's routes that deal with files are closed, whatever they would refuse by themselves.
"""

import asyncio
import ipaddress
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import orjson
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flagging.database import LedgerUnavailable
from ui.lanes import Lane
from ui.limits import Limits, TooMany
from ui.line import Line

MAX_BODY = 1_000_000  # bytes; the largest drawing there may be has half of that
MAX_BRACKETS = 100_000  # it has 10,501 of them; half a million empty lists take long to read
BODY_WITHIN_SECONDS = 20.0
MOST_UNFETCHED = 300  # of a session; a call that nobody fetches is four
OURS = ("ui", "flagging", "model", "retrain", "evaluation")

# All that the page and API clients ask for. Not among it: files, uploads, streams, the proxy, custom components, development.
GET = re.compile(
    r"/(|config/?|theme\.css|robots\.txt|favicon\.ico|manifest\.json|pwa_icon(/\d+)?|logout/?|login/(huggingface|callback)"
    r"|(assets|static|svelte)/[\w./@+-]+"
    r"|gradio_api/(info/?|openapi\.json|app_id/?|user/?|startup-events|theme\.css|login_check/?|queue/(data|status)"
    r"|heartbeat/[\w-]{1,64}|call/(v2/)?\w{1,40}/[\w-]{1,64}))"
)
POST = re.compile(
    r"/gradio_api/(look|component_server/?|queue/join/?|cancel|reset/?|(run|api)/\w{1,40}/?|call/(v2/)?\w{1,40}/?)"
)
QUEUED = re.compile(r"/gradio_api/(queue/join/?|call/.*)")
PAGES = re.compile(r"/(|config/?|gradio_api/(info/?|openapi\.json))")  # each takes as long as twenty predictions

log = logging.getLogger("hoodwink")


@dataclass(frozen=True)
class Surroundings:
    """What is around the server. framed_by: sites that may show the page in a frame of theirs; a Space is shown by the Hub.

    behind_proxy: every request comes through a proxy that adds to X-Forwarded-For whose it is; on_space: through several, the
    inner ones with private addresses. parts_from: where Gradio has scripts and styles of the page come from.
    """

    behind_proxy: bool = False
    on_space: bool = False
    framed_by: tuple[str, ...] = ()
    parts_from: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], behind_proxy: bool) -> "Surroundings":
        # With a share link Gradio sends everybody a page whose parts lie here.
        shared = environment.get("GRADIO_SHARE", "").lower() == "true"
        parts = ("https://gradio.s3-us-west-2.amazonaws.com",) if shared else ()
        if environment.get("SYSTEM") != "spaces":
            return cls(behind_proxy, parts_from=parts)
        # The script lets the Hub's page give the frame the height it needs; Gradio asks for it.
        framed_by = ("https://huggingface.co", "https://*.hf.space")
        return cls(behind_proxy, True, framed_by, (*parts, "https://cdnjs.cloudflare.com"))

    def headers(self, typed: bool) -> list[tuple[bytes, bytes]]:
        """As OWASP's HTTP headers cheat sheet has them, but for what Gradio needs: its scripts are inline and it compiles some.

        typed: asked for by the address bar or a bookmark: hardly ever is there an opener to be kept away. The policy against
        openers makes a browser begin the page again in another process, 30 ms, which it does anyway coming from another site.
        """
        policy = {
            "default-src": "'self'",
            "script-src": " ".join(("'self' 'unsafe-inline' 'unsafe-eval'", *self.parts_from)),
            "style-src": " ".join(("'self' 'unsafe-inline'", *self.parts_from)),
            "img-src": "'self' data: blob:",
            "font-src": " ".join(("'self' data:", *self.parts_from)),
            "connect-src": " ".join(("'self'", *self.parts_from)),
            "worker-src": "'self' blob:",
            "object-src": "'none'",
            "base-uri": "'self'",
            "form-action": "'self'",
            "frame-ancestors": " ".join(("'self'", *self.framed_by)),
        }
        headers = {
            "content-security-policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
            "x-content-type-options": "nosniff",
            "referrer-policy": "strict-origin-when-cross-origin",
            "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
            "cross-origin-resource-policy": "same-origin",
        }
        if not self.framed_by:
            headers["x-frame-options"] = "SAMEORIGIN"
            if not typed:
                headers["cross-origin-opener-policy"] = "same-origin"
        return [(name.encode(), value.encode()) for name, value in headers.items()]


class Guard:
    """ASGI middleware. What it refuses is answered with {"error": a sentence}."""

    def __init__(
        self, app: ASGIApp, surroundings: Surroundings, limits: Limits, unfetched: Callable[[str], int]
    ) -> None:
        self._limits = limits
        self._app = app
        self._packed = GZipMiddleware(app, compresslevel=1)  # Gradio packs what its paths call .js and .css
        self._surroundings = surroundings
        self._headers = {typed: surroundings.headers(typed) for typed in (False, True)}
        self._turns = Turns()
        self._making = Lane(1)  # pages
        self._unfetched = unfetched

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return  # a websocket is not among what the page uses: closed unanswered
        scope["hoodwink.address"] = address = address_of(scope, self._surroundings)
        typed = (b"sec-fetch-site", b"none") in scope["headers"]
        answer = _Answer(scope, send, self._headers[typed])
        try:
            _check_path(scope)
            if scope["method"] == "POST":
                await self._limits.sending(address, _size(scope))
                body = await _whole_body(scope, receive)
                await self._turns.wait(address)
                _check_body(scope, body)
                self._check_fetched(scope)
                receive = _replayed(body, receive)
            else:
                await self._turns.wait(address)
            await self._pass_on(scope, receive, answer.send)
        except _Refused as refused:
            await answer.error(refused.status, str(refused))
        except TooMany as refused:
            await answer.error(429, str(refused))
        except LedgerUnavailable as refused:
            await answer.error(503, str(refused))
        except Exception as error:
            if answer.started:
                raise
            await answer.failed(error)

    def _check_fetched(self, scope: Scope) -> None:
        """Gradio keeps what a session does not fetch, however much it is."""
        session = scope["hoodwink.body"].get("session_hash")
        if session and QUEUED.fullmatch(_route(scope)) and self._unfetched(session) >= MOST_UNFETCHED:
            raise TooMany("answers to many calls with this session_hash were not fetched; fetch them, then go on")

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        route, address = _route(scope), scope["hoodwink.address"]
        app = self._packed if route in ("/", "/config") else self._app
        if not PAGES.fullmatch(route):
            await app(scope, receive, send)
            return
        # Gradio makes as many at once, in threads, as are asked for: who draws would wait for all of these.
        await self._limits.opening(address)
        async with self._making.turn(address):
            await app(scope, receive, send)


class _Answer:
    """An answer under way, with the headers every answer gets."""

    def __init__(self, scope: Scope, send: Send, headers: list[tuple[bytes, bytes]]) -> None:
        self._scope, self._send, self._headers = scope, send, headers
        self.started = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            # Gradio answers 500 to whatever a named endpoint raises, and where it finds fault itself. Ours say whose it was.
            if message["status"] == 500 and self._scope["method"] == "POST":
                message["status"] = 503 if self._scope.get("hoodwink.fault") else 400
            self._headers_for(message)
            message["headers"] = [*message["headers"], *self._headers]
        await self._send(message)

    def _headers_for(self, message: Message) -> None:
        """What was answered to one is not kept for another."""
        if not any(name.lower() == b"cache-control" for name, _ in message["headers"]):
            message["headers"] = [*message["headers"], (b"cache-control", b"no-store")]

    async def error(self, status: int, sentence: str) -> None:
        headers = {"retry-after": "1"} if status == 429 else None
        await JSONResponse({"error": sentence}, status, headers)(self._scope, _nothing, self.send)

    async def failed(self, error: Exception) -> None:
        """Something was raised. From our own code: our fault. From Gradio's alone: a request that no page of ours sends."""
        if _is_ours(error):
            log.error("%s %s failed", self._scope["method"], self._scope["path"], exc_info=error)
            message: tuple[int, str] = 503, "something went wrong here; it is logged, try again in a moment"
        else:
            log.info("%s %s refused: %r", self._scope["method"], self._scope["path"], error)
            message = 400, "this is no request that the page or an API client sends; reload the page, or see /?view=api"
        await self.error(*message)


class Turns:
    """One request is begun in each round of the event loop."""

    def __init__(self) -> None:
        self._line = Line()

    async def wait(self, address: str) -> None:
        if not len(self._line):
            asyncio.get_running_loop().call_soon(self._next)
        await self._line.join(address)

    def _next(self) -> None:
        self._line.call()
        if len(self._line):
            asyncio.get_running_loop().call_soon(self._next)


class _Refused(Exception):
    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def _route(scope: Scope) -> str:
    """The path below where the app is mounted: a proxy may keep the prefix it serves us under."""
    path, root = str(scope["path"]), str(scope.get("root_path", "")).rstrip("/")
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


def _check_path(scope: Scope) -> None:
    method, path = scope["method"], _route(scope)
    known = {"GET": GET, "HEAD": GET, "POST": POST, "OPTIONS": POST}.get(method)
    if known is None:
        raise _Refused(405, f"{method[:20]} is not used here; the page and its API use GET and POST")
    if not known.fullmatch(path) or ".." in path:
        raise _Refused(404, f"there is nothing at {path[:80]!r} for {method}; the page is at /, its API at /?view=api")


def _size(scope: Scope) -> int:
    """Bytes of the body, as it says; as much as we take, if it does not. Larger ones are refused unread."""
    said = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    size = int(said) if said.isdigit() else MAX_BODY
    if size > MAX_BODY:
        raise _Refused(413, f"the body is larger than {MAX_BODY} bytes; a drawing has fewer points")
    return size


async def _whole_body(scope: Scope, receive: Receive) -> bytes:
    """The body of a request that says it is JSON, if it is not larger than we take."""
    kind = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    if not kind.lower().startswith(b"application/json"):
        raise _Refused(415, f"the body is {kind[:60].decode('latin-1')!r}; send application/json")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_WITHIN_SECONDS):
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _Refused(400, "the connection was closed before the body had come")
                body += message.get("body", b"")
                more = message.get("more_body", False)
                if len(body) > MAX_BODY:
                    raise _Refused(413, f"the body is larger than {MAX_BODY} bytes; a drawing has fewer points")
    except TimeoutError:
        raise _Refused(408, f"the body did not come within {BODY_WITHIN_SECONDS:.0f} s; send it again") from None
    return bytes(body)


def _check_body(scope: Scope, body: bytes) -> None:
    """Read it, once it is its turn: that takes time."""
    if body.count(b"[") + body.count(b"{") > MAX_BRACKETS:
        raise _Refused(400, f"the body has more than {MAX_BRACKETS} lists and objects; a drawing has fewer points")
    scope["hoodwink.size"] = len(body)
    try:
        scope["hoodwink.body"] = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _Refused(400, f"the body is no JSON that is taken here: {error.msg}") from None
    if not isinstance(scope["hoodwink.body"], dict):
        raise _Refused(400, "the body is no JSON object; see /?view=api for what is sent")
    _check_session(scope["hoodwink.body"])


def _check_session(body: dict[str, object]) -> None:
    session = body.get("session_hash")
    if session is not None and not (isinstance(session, str) and re.fullmatch(r"[\w-]{1,64}", session)):
        raise _Refused(400, "session_hash is no short text of letters and digits; reload the page")


def _replayed(body: bytes, receive: Receive) -> Receive:
    unread = True

    async def replay() -> Message:
        nonlocal unread
        if unread:
            unread = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replay


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


def _is_ours(error: BaseException) -> bool:
    trace = error.__traceback__
    names = []
    while trace:
        names.append(str(trace.tb_frame.f_globals.get("__name__", "")))
        trace = trace.tb_next
    return any(name.split(".")[0] in OURS and name != __name__ for name in names)


def address_of(scope: Scope, surroundings: Surroundings) -> str:
    """Whose request it is, as far as the network can tell: an IPv4 address, or the /64 of an IPv6 one.

    Behind a proxy the last entry of X-Forwarded-For, which the proxy added; what stands before it, the client may have written.
    On a Space the last public one: between its proxies addresses are private.
    """
    client = scope.get("client")
    found = client[0] if client else ""
    if surroundings.behind_proxy:
        sent = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for").decode("latin-1")
        names = [name.strip() for name in sent.split(",") if name.strip()]
        if surroundings.on_space:
            names = [name for name in names if _is_public(name)]
        found = names[-1] if names else found
    try:
        address = ipaddress.ip_address(found)
    except ValueError:
        return found[:64]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def _is_public(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_global
    except ValueError:
        return False
