"""Predictions for drawings that come in the same moment, made in one pass of the network."""

import asyncio
from collections.abc import Callable, Sequence

from model.served import Answer
from model.strokes import StrokesRefused

MOST = 8  # more would gain little, and keep the first of them waiting


class Together:
    """answer_each: of the served model. For one event loop; from no other thread."""

    def __init__(self, answer_each: Callable[[Sequence[object]], list[Answer | StrokesRefused]]) -> None:
        self._answer_each = answer_each
        self._waiting: list[tuple[object, asyncio.Future[Answer]]] = []
        self._before = 0  # how many waited in the last round of the event loop

    async def answer(self, strokes: object) -> Answer:
        """Raises StrokesRefused, with a sentence, if they are not a drawing."""
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Answer] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._go_on)
        self._waiting.append((strokes, answered))
        return await answered

    def _go_on(self) -> None:
        """Answer, once a round of the event loop has brought nobody more."""
        if self._before < len(self._waiting) < MOST:
            self._before = len(self._waiting)
            asyncio.get_running_loop().call_soon(self._go_on)
            return
        asked, self._waiting, self._before = self._waiting, [], 0
        try:
            answers = self._answer_each([strokes for strokes, _ in asked])
        except Exception as error:
            for _, answered in asked:
                if not answered.done():
                    answered.set_exception(error)
            return
        for (_, answered), answer in zip(asked, answers, strict=True):
            if answered.done():
                continue  # whoever asked has gone
            if isinstance(answer, StrokesRefused):
                answered.set_exception(answer)
            else:
                answered.set_result(answer)
