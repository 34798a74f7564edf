"""A line that people wait in, each address for itself: whose turn it is goes round the addresses.

An address that sends many at once waits behind its own, and others are served in between.
"""

import asyncio
from collections import deque


class Line:
    """For one event loop; from no other thread."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def of(self, address: str) -> int:
        """How many of this address wait."""
        return len(self._waiting.get(address, ()))

    def join(self, address: str) -> "asyncio.Future[None]":
        """Done when it is one's turn; whoever does not want to wait any more cancels it."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(address, deque()).append(turn)
        return turn

    def call(self) -> bool:
        """Call the next who still waits; False if there is nobody."""
        while self._waiting:
            address, turns = next(iter(self._waiting.items()))
            turn = turns.popleft()
            del self._waiting[address]
            if turns:
                self._waiting[address] = turns  # behind the others
            if not turn.done():
                turn.set_result(None)
                return True
        return False
