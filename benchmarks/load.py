"""Drawers at work: connections that ask for predictions of real pen digits, one after the other, each as its own annotator.

They run in a process of their own, so that what they cost is not the server's.
"""

import asyncio
import json
import math
import random
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

import orjson
import typer

from benchmarks.connection import Connection
from benchmarks.pen_digits import load_pen_digits
from benchmarks.quantiles import Spread
from benchmarks.server import REPOSITORY

LARGEST = [[[140 + 10 * math.cos(n), 140 + 10 * math.sin(n)] for n in range(10_000)]]
LONG = [[[9.0, 9.0 + n % 2] for n in range(250)]]
LISTS: list[list[int]] = [[] for _ in range(300_000)]


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


@dataclass(frozen=True)
class Kind:
    """How the drawers behave. a_second: requests, all together; None: each asks again as soon as it was answered.

    address: of this machine, to ask from. one: all are the same annotator. what: look (the live prediction), submit, explain,
    large (look at the largest drawing there may be), long (at one of just under what is answered at once), lists (a body of many empty lists), page (open it).
    """

    drawers: int = 64
    seconds: float = 20.0
    a_second: float | None = None
    address: str = ""
    one: bool = False
    what: str = "look"


def put(url: str, kind: Kind, seed: int = 1) -> Load:
    """Put a load on an app, from a process of its own, and wait until it has ended."""
    return answered(start(url, kind, seed))


def start(url: str, kind: Kind, seed: int = 1) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "benchmarks.load", url, json.dumps(asdict(kind)), str(seed)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)


def ended(process: "subprocess.Popen[str]") -> Load:
    """Raises RuntimeError if it could not do its work. It may be ended before its time by `process.terminate()`."""
    out, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"the load ended with {process.returncode}; what it wrote stands above")
    return Load(**json.loads(out))


def answered(process: "subprocess.Popen[str]") -> Load:
    """As `ended`, and raises RuntimeError if nobody was answered: what measured nothing must not pass."""
    load = ended(process)
    if not load.answers:
        raise RuntimeError(f"nobody was answered, {load.failed} were refused; look at what the measured process said")
    return load


class Drawers:
    def __init__(self, url: str, kind: Kind, seed: int) -> None:
        self._url, self._kind, self._random = url.rstrip("/"), kind, random.Random(seed)
        self._took: list[float] = []
        self._ended: list[float] = []
        self._weights: set[str] = set()
        self._failed = 0
        digits = load_pen_digits("natural")
        self._strokes = [digit.strokes for digit in self._random.sample(digits, 500)]

    async def run(self) -> Load:
        kind = self._kind
        pens = [await Connection.to(self._url, kind.address) for _ in range(kind.drawers)]
        await self._find_page(pens[0])
        began = time.monotonic()
        self._until = began + kind.seconds
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._end)
        await asyncio.gather(*map(self._draw, pens))
        gaps = [later - earlier for earlier, later in zip(self._ended, self._ended[1:], strict=False)]
        if not self._took:
            return Load(0, self._failed, 0.0, 0.0, 0.0, 0.0, 0.0, 0)
        took = Spread.of([1000 * seconds for seconds in self._took])
        return Load(
            answers=took.n,
            failed=self._failed,
            a_second=took.n / (self._until - began),
            p50_ms=took.median,
            p99_ms=took.p99,
            longest_ms=took.worst,
            gap_ms=1000 * max(gaps, default=0.0),
            weights=len(self._weights),
        )

    async def _find_page(self, pen: Connection) -> None:
        config = orjson.loads((await pen.get("/config"))[1])
        self._page = next(c["id"] for c in config["components"] if c["props"].get("elem_id") == "draw")

    def _end(self) -> None:
        self._until = time.monotonic()

    async def _draw(self, pen: Connection) -> None:
        """One drawer: a drawing grows stroke by stroke and point by point; each look is one request."""
        token = "one-and-the-same" if self._kind.one else f"drawer-{self._random.getrandbits(64):016x}"
        pause = self._kind.drawers / self._kind.a_second if self._kind.a_second else 0.0
        due = time.monotonic() + self._random.random() * pause
        while True:
            strokes = self._random.choice(self._strokes)
            drawing = {"token": token, "try_id": f"{self._random.getrandbits(128):032x}"}
            for seen in looks(strokes) if self._kind.what == "look" else [strokes]:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                if time.monotonic() >= self._until:
                    return
                await self._ask(pen, drawing | {"strokes": seen}, due if pause else None)
                due = max(due + pause, time.monotonic() - 1.0)  # a backlog of a second at most is made up for

    async def _ask(self, pen: Connection, drawing: dict[str, Any], due: float | None) -> None:
        # From when it was due: a server that is late keeps no drawer from being counted as waiting.
        began = time.monotonic() if due is None else due
        if self._kind.what == "page":
            status, answer = (await pen.get("/"))[0], {"weights_id": ""}
        else:
            path, sent = self._request(drawing)
            status, body = await pen.post(f"/gradio_api/{path}", orjson.dumps(sent))
            answer = orjson.loads(body)
        if status != 200 or "error" in answer:
            self._failed += 1
            return
        ended = time.monotonic()
        self._took.append(ended - began)
        self._ended.append(ended)
        self._weights.add(answer["weights_id"])

    def _request(self, drawing: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        match self._kind.what:
            case "submit" | "explain" as name:
                data = drawing | {"label": 1}
                called = {"session_hash": drawing["try_id"], "component_id": self._page, "fn_name": name}
                return "component_server", called | {"data": data}
            case "large":
                return "look", drawing | {"strokes": LARGEST}
            case "long":
                return "look", drawing | {"strokes": LONG}
            case "lists":
                return "look", {"a": LISTS}
            case _:
                return "look", drawing


def looks(strokes: list[list[list[float]]]) -> list[list[list[list[float]]]]:
    """What a page asks while a digit is drawn: the drawing after every second point, and the whole."""
    asked = []
    for done, stroke in enumerate(strokes):
        asked += [[*strokes[:done], stroke[:points]] for points in range(2, len(stroke), 2)]
    return [*asked, strokes]


def main(url: str, kind: str, seed: int) -> None:
    """Put a load on a running app and say, as JSON, how it answered. kind: of Kind, as JSON."""
    print(json.dumps(asdict(asyncio.run(Drawers(url, Kind(**json.loads(kind)), seed).run()))))


if __name__ == "__main__":
    typer.run(main)
