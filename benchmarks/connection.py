"""One connection to a server, kept open: as little work of ours as asking can take, for load that shares a machine with what it measures.

aiohttp needs several times as long for a request, and the server would be measured with the rest of the core.
"""

import asyncio
from urllib.parse import urlsplit

import httptools

LONGEST_SECONDS = 60.0  # without an answer


class Connection(asyncio.Protocol):
    """`await Connection.to(url)`, then one request at a time. Raises ConnectionError if the server ends it before it answered."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._transport: asyncio.Transport | None = None
        self._answered: asyncio.Future[tuple[int, bytes]] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._body = bytearray()

    @classmethod
    async def to(cls, url: str, from_address: str = "") -> "Connection":
        """from_address: of this machine, to ask from; any, if empty."""
        parts = urlsplit(url)
        local = (from_address, 0) if from_address else None
        loop = asyncio.get_running_loop()
        host, port = parts.hostname or "", parts.port or 80
        _, made = await loop.create_connection(lambda: cls(parts.netloc), host, port, local_addr=local)
        return made

    async def get(self, path: str) -> tuple[int, bytes]:
        """Status and body."""
        return await self._ask(f"GET {path} HTTP/1.1\r\nhost: {self._host}\r\n\r\n".encode())

    async def post(self, path: str, body: bytes, kind: str = "application/json") -> tuple[int, bytes]:
        head = (
            f"POST {path} HTTP/1.1\r\nhost: {self._host}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        return await self._ask(head.encode() + body)

    async def _ask(self, request: bytes) -> tuple[int, bytes]:
        if self._transport is None:
            raise ConnectionResetError("the server has closed the connection")
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        async with asyncio.timeout(LONGEST_SECONDS):
            return await self._answered

    # -- what asyncio and the parser call -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # a TCP connection has one
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._answered and not self._answered.done():
            self._answered.set_exception(exc or ConnectionResetError("the server closed the connection unanswered"))

    def on_message_begin(self) -> None:
        self._body.clear()

    def on_body(self, part: bytes) -> None:
        self._body += part

    def on_message_complete(self) -> None:
        if self._answered and not self._answered.done():
            self._answered.set_result((self._parser.get_status_code(), bytes(self._body)))
