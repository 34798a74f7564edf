"""Predictions for drawings that come in the same moment, drawn and read together: most of the work is done once for all."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import accumulate

from model.served import Answer
from model.strokes import Drawing, StrokesRefused

# More at once would keep those waiting who come next, and hardly save anything: 16 pen digits take a millisecond or two.
MOST, MOST_SEGMENTS = 16, 1000


class Together:
    """answer_each: of the served model. For one event loop; from no other thread."""

    def __init__(self, answer_each: Callable[[Sequence[Drawing]], Sequence[Answer | StrokesRefused]]) -> None:
        self._answer_each = answer_each
        self._waiting: list[tuple[Drawing, asyncio.Future[Answer]]] = []
        self._before = 0  # how many waited when the event loop last came round

    async def answer(self, drawing: Drawing) -> Answer:
        """Raises StrokesRefused if nothing of it lies on the canvas."""
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((drawing, answered))
        if len(self._waiting) == 1:
            self._soon(0)
        return await answered

    def _soon(self, before: int) -> None:
        self._before = before
        asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        """Answer, once a round of the event loop has brought nobody more."""
        if self._before < len(self._waiting) < MOST:
            self._soon(len(self._waiting))
            return
        sums = accumulate(drawing.segments for drawing, _ in self._waiting[:MOST])
        count = max(1, sum(segments <= MOST_SEGMENTS for segments in sums))
        asked, self._waiting = self._waiting[:count], self._waiting[count:]
        if self._waiting:
            self._soon(0)
        try:
            answers: Sequence[Answer | Exception] = self._answer_each([drawing for drawing, _ in asked])
        except Exception as error:
            answers = [error] * len(asked)
        for (_, answered), answer in zip(asked, answers, strict=True):
            _tell(answered, answer)


def _tell(answered: "asyncio.Future[Answer]", answer: Answer | Exception) -> None:
    if answered.done():
        return  # whoever asked has gone
    if isinstance(answer, Exception):
        answered.set_exception(answer)
    else:
        answered.set_result(answer)
