"""Threads for work that takes long: a few at a time of each kind, so that no kind keeps another waiting."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import anyio.to_thread

from flagging.database import LedgerUnavailable
from ui.limits import TooMany
from ui.line import Line

T = TypeVar("T")
MOST_WAITING = 200  # of one address
WAIT_SECONDS = 4.0  # with the 15 the ledger waits for its lock, less than the page waits for an answer


class Lane:
    """wide: pieces of work at a time; for the others turns go round the addresses they came from."""

    def __init__(self, wide: int) -> None:
        self._free = wide
        self._line = Line()

    async def run(self, address: str, work: Callable[..., T], *arguments: object) -> T:
        """The work in a thread. Raises TooMany or LedgerUnavailable if it could not begin; then it never does."""
        async with self.turn(address):
            return await anyio.to_thread.run_sync(work, *arguments)

    @asynccontextmanager
    async def turn(self, address: str) -> AsyncIterator[None]:
        """For work that finds a thread by itself. Raises as `run`."""
        await self._enter(address)
        try:
            yield
        finally:
            if not self._line.call():
                self._free += 1

    async def _enter(self, address: str) -> None:
        if self._free:
            self._free -= 1
            return
        if self._line.of(address) >= MOST_WAITING:
            raise TooMany("too much at once from one address; this request recorded nothing, try again in a moment")
        turn = self._line.join(address)
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await turn
        except TimeoutError:
            self._hand_on(turn)
            raise LedgerUnavailable(
                "the server is busy; this request recorded nothing, try again in a moment"
            ) from None
        except asyncio.CancelledError:
            self._hand_on(turn)
            raise

    def _hand_on(self, turn: "asyncio.Future[None]") -> None:
        """The turn came in the very moment it was given up."""
        if turn.done() and not turn.cancelled() and not self._line.call():
            self._free += 1
