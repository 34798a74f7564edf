"""Drawers at work: connections that ask for predictions of real pen digits, one after the other, each as its own annotator.

Runs as a process of its own, so that what it costs is not the server's: `python -m benchmarks.load URL --drawers 64`. One line
of JSON when it has ended.
"""

import asyncio
import json
import random
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import aiohttp
import typer

from benchmarks.pen_digits import load_pen_digits


@dataclass(frozen=True)
class Load:
    """What the drawers met. Milliseconds; gap: the longest time in which nobody was answered."""

    answers: int
    failed: int
    a_second: float
    p50_ms: float
    p99_ms: float
    longest_ms: float
    gap_ms: float
    weights: int  # how many different ones answered


def quantile(values: Sequence[float], share: float) -> float:
    """Linear between the two nearest; values: at least one."""
    return statistics.quantiles([*values, *values][: max(2, len(values))], n=1000, method="inclusive")[
        round(share * 1000) - 1
    ]


class Drawers:
    """drawers connections for some seconds; every one at once asks again, or, with `a_second`, all together so often."""

    def __init__(self, url: str, drawers: int, seconds: float, a_second: float | None, address: str, seed: int) -> None:
        self._url, self._drawers, self._seconds, self._a_second = url, drawers, seconds, a_second
        self._address, self._random = address, random.Random(seed)
        self._took: list[float] = []
        self._ended: list[float] = []
        self._weights: set[str] = set()
        self._failed = 0
        digits = load_pen_digits("natural")
        self._strokes = [digit.strokes for digit in self._random.sample(digits, 500)]

    async def run(self) -> Load:
        connector = aiohttp.TCPConnector(limit=0, local_addr=(self._address, 0) if self._address else None)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(60)) as session:
            until = time.monotonic() + self._seconds
            await asyncio.gather(*(self._draw(session, until) for _ in range(self._drawers)))
        gaps = [later - earlier for earlier, later in zip(self._ended, self._ended[1:], strict=False)]
        return Load(
            answers=len(self._took),
            failed=self._failed,
            a_second=len(self._took) / self._seconds,
            p50_ms=1000 * quantile(self._took, 0.5),
            p99_ms=1000 * quantile(self._took, 0.99),
            longest_ms=1000 * max(self._took),
            gap_ms=1000 * max(gaps, default=0.0),
            weights=len(self._weights),
        )

    async def _draw(self, session: aiohttp.ClientSession, until: float) -> None:
        """One drawer: a drawing grows stroke by stroke and point by point; each look is one request."""
        token = f"drawer-{self._random.getrandbits(64):016x}"
        pause = self._drawers / self._a_second if self._a_second else 0.0
        due = time.monotonic() + self._random.random() * pause
        while due < until:
            try_id = f"{self._random.getrandbits(128):032x}"
            for strokes in looks(self._random.choice(self._strokes)):
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                if time.monotonic() >= until:
                    return
                await self._ask(session, {"token": token, "try_id": try_id, "strokes": strokes}, due if pause else None)
                due = max(due + pause, time.monotonic() - 1.0)  # a backlog of a second at most is made up for

    async def _ask(self, session: aiohttp.ClientSession, drawing: dict[str, Any], due: float | None) -> None:
        # From when it was due: a server that is late keeps no drawer from being counted as waiting.
        began = time.monotonic() if due is None else due
        async with session.post(f"{self._url.rstrip('/')}/gradio_api/look", json=drawing) as response:
            answer = await response.json()
        if response.status != 200 or "prediction" not in answer:
            self._failed += 1
            return
        ended = time.monotonic()
        self._took.append(ended - began)
        self._ended.append(ended)
        self._weights.add(answer["weights_id"])


def looks(strokes: list[list[list[float]]]) -> list[list[list[list[float]]]]:
    """What a page asks while a digit is drawn: the drawing after every second point, and the whole."""
    asked = []
    for done, stroke in enumerate(strokes):
        asked += [[*strokes[:done], stroke[:points]] for points in range(2, len(stroke), 2)]
    return [*asked, strokes]


def main(
    url: Annotated[str, typer.Argument(help="Address of a running app.")],
    drawers: Annotated[int, typer.Option(help="Connections.")] = 64,
    seconds: Annotated[float, typer.Option(help="How long.")] = 20.0,
    a_second: Annotated[float, typer.Option(help="Requests a second, all together; 0: as fast as they are answered.")] = 0,
    address: Annotated[str, typer.Option(help="Address of this machine to ask from, for example 127.0.0.2.")] = "",
    seed: Annotated[int, typer.Option(help="Of the drawings and their order.")] = 1,
) -> None:
    """Put a load of predictions on a running app and say how it answered."""
    print(json.dumps(asdict(asyncio.run(Drawers(url, drawers, seconds, a_second or None, address, seed).run()))))


if __name__ == "__main__":
    typer.run(main)
