"""HTTP: one thread per connection, what is read and answered on it, and the faults that hit it."""

import contextlib
import socket
import sys
import time
import traceback
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event
from typing import Any
from urllib.parse import parse_qs

from .answers import Answer, Refused, Request
from .faults import Fault
from .hub import Hub, Seen
from .routes import route_for

# Paths that do not count as API requests: downloads and uploads have limits of their own on the Hub.
_NOT_API = ("resolve", "lfs-upload", "lfs-download", "sign-in")


class _Gone(Exception):
    """The client closed the connection, or we are to close it."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "Server"

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (_Gone, OSError):  # killed clients and ordered cuts end here
            self.close_connection = True

    def _answer(self) -> None:
        hub = self.server.hub
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        head = Request(self.command, path, parse_qs(query, keep_blank_values=True), headers, b"")
        route, head = route_for(head)
        received = 0

        def remember(status: int | None) -> None:
            line = self.path if hub.keep_queries else path
            hub.requests.append(Seen(hub.clock(), self.command, line, status, route.stage, received))

        if hub.offline:
            remember(None)
            raise _Gone
        fault = hub.faults.due(route.stage, f"{self.command} {self.path}")
        kind = fault.kind if fault else ""
        if kind == "refuse" or (kind == "cut" and self.command in ("POST", "PUT")):
            received = self._read_some(fault) if kind == "cut" else 0
            remember(None)
            raise _Gone
        try:
            body = self._read_body()
        except (_Gone, OSError):
            remember(None)
            raise
        received = len(body)
        request = Request(head.method, head.path, head.query, head.headers, body, head.parts)
        answer = self._faulty(fault) or self._limited(route.stage)
        if answer is None:
            with hub.lock:
                answer = self._carry_out(route.carry, request)
        if fault and kind == "slow" and fault.late:
            self.server.stopping.wait(fault.seconds)
        if kind == "lost answer":
            remember(None)
            raise _Gone
        remember(None if kind == "cut" else answer.status)
        self._send(answer, fault if kind == "cut" else None)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = _answer  # noqa: N815

    def _carry_out(self, carry: Callable[[Hub, Request], Answer], request: Request) -> Answer:
        try:
            return carry(self.server.hub, request)
        except Refused as refused:
            return refused.answer()
        except Exception:
            self.server.hub.errors.append(f"{request.method} {request.path}\n{traceback.format_exc()}")
            return Answer.json({"error": "This server made a mistake; see hub.errors"}, 500)

    def _faulty(self, fault: Fault | None) -> Answer | None:
        """The answer a fault gives instead of carrying the request out; None goes on."""
        if fault is None:
            return None
        if fault.kind == "slow" and not fault.late:
            self.server.stopping.wait(fault.seconds)
        if fault.kind in ("meanwhile", "conflict") and fault.call is not None:
            fault.call()
        if fault.kind == "conflict":
            return Refused(412, fault.message or "A commit has happened since. Please refresh and try again.").answer()
        if fault.kind.isdigit():
            words = {"429": "We had to rate limit you", "500": "Internal Server Error"}
            refused = Refused(int(fault.kind), fault.message or words.get(fault.kind, "Service Unavailable"))
            wait = fault.retry_after if fault.retry_after is not None else 1 if fault.kind == "429" else None
            if wait is not None:
                refused.headers["Retry-After"] = str(wait)
            return refused.answer()
        return None

    def _limited(self, stage: str) -> Answer | None:
        hub = self.server.hub
        if hub.requests_per_5_minutes is None or stage in _NOT_API:
            return None
        now = hub.clock()
        ages = [(now - seen.time).total_seconds() for seen in hub.requests if seen.stage not in _NOT_API]
        recent = [age for age in ages if age < 300]
        if len(recent) < hub.requests_per_5_minutes:
            return None
        wait = max(1, int(300 - max(recent)))
        limit = f'"fixed window";"api";q={hub.requests_per_5_minutes};w=300'
        refused = Refused(429, "We had to rate limit you", headers={"Retry-After": str(wait)})
        refused.headers |= {"RateLimit": f'"api";r=0;t={wait}', "RateLimit-Policy": limit}
        return refused.answer()

    def _exactly(self, count: int) -> bytes:
        found = self.rfile.read(count)
        if len(found) < count:
            raise _Gone
        return found

    def _read_body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            chunks = []
            while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
                chunks.append(self._exactly(size))
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return b"".join(chunks)
        return self._exactly(int(self.headers.get("Content-Length") or 0))

    def _read_some(self, fault: Fault | None) -> int:
        """Read the beginning of the body: as much as the fault says, or half of it."""
        length = int(self.headers.get("Content-Length") or 0)
        wanted = fault.after_bytes if fault and fault.after_bytes is not None else length // 2
        return len(self.rfile.read(min(wanted, length))) if length else 0

    def _send(self, answer: Answer, cut: Fault | None) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("X-Request-Id", f"local-{len(self.server.hub.requests)}")
        self.end_headers()
        body = b"" if self.command == "HEAD" else answer.body
        if cut is not None:
            self.wfile.write(body[: cut.after_bytes if cut.after_bytes is not None else len(body) // 2])
            raise _Gone
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing; `hub.requests` has it."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def __init__(self, hub: Hub, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler, bind_and_activate=False)
        self.server_bind()
        self.hub = hub
        self.stopping = Event()
        self.open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # a client that went away is no mistake of ours
            self.hub.errors.append(traceback.format_exc())

    def close_everything(self) -> None:
        """Close the listening socket and every connection, and wait until the connections' threads have let go."""
        self.stopping.set()
        self.server_close()
        for connection in list(self.open):
            with contextlib.suppress(OSError):  # closed by its own thread in the meantime
                connection.shutdown(socket.SHUT_RDWR)
        until = time.monotonic() + 2
        while self.open and time.monotonic() < until:
            time.sleep(0.005)
