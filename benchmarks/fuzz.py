"""Bad calls, many, at everything that answers: `python -m benchmarks.fuzz`. What must not happen did not?

The app runs without limits, so that what comes reaches what it is meant for.
"""

import asyncio
import json
import os
import random
import re
import sqlite3
import tempfile
import time
import urllib.request
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import typer
from yarl import URL

from benchmarks.memory import memory_of
from benchmarks.nonsense import Nonsense, Request
from benchmarks.results import Row, Section, command
from benchmarks.server import REPOSITORY, RunningApp
from flagging.home import Home
from model.served import ServedModel
from model.weights import install_shipped, load_weights

TABLES = (
    "tries",
    "attempts",
    "retractions",
    "votes",
    "hidings",
    "promotions",
    "rounds",
    "withdrawals",
    "likenesses",
    "uses",
)
CONNECTIONS = 16
GROWTH_MB = 40.0  # of memory, between a fifth of the calls and all of them
KEY = "the key of the bad calls"


class Fuzz:
    """What was answered so far."""

    def __init__(self, nonsense: Nonsense, url: str) -> None:
        self._nonsense, self._url = nonsense, url.rstrip("/")
        self.statuses: Counter[int] = Counter()
        self.problems: list[str] = []

    async def send(self, calls: int) -> None:
        left = iter(range(calls))
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS), timeout=aiohttp.ClientTimeout(60)
        ) as session:

            async def worker() -> None:
                for _ in left:
                    await self._one(session, self._nonsense.request())

            await asyncio.gather(*(worker() for _ in range(CONNECTIONS)))

    async def _one(self, session: aiohttp.ClientSession, bad: Request) -> None:
        headers = {"content-type": bad.kind} if bad.kind else {}
        try:
            async with session.request(
                bad.method,
                self._address(bad.path),
                data=bad.body or None,
                headers=headers,
                skip_auto_headers=["content-type"],
            ) as response:
                # Events of the queue go on until somebody stops listening.
                streams = response.headers.get("content-type", "").startswith("text/event-stream")
                text = "" if streams else await response.text(errors="replace")
        except (aiohttp.ClientError, TimeoutError) as error:
            self.problems.append(f"{bad.method} {bad.path[:80]} {bad.body[:200]!r}: no answer ({error!r})")
            return
        self.statuses[response.status] += 1
        if response.status >= 500 or "Traceback (most recent" in text or "root:x:0" in text:
            self.problems.append(f"{bad.method} {bad.path[:80]} {bad.body[:300]!r}: {response.status} {text[:300]!r}")

    def _address(self, path: str) -> Any:
        return URL(self._url + path, encoded=True)


def measure(short: bool) -> Section:
    """Send bad calls and look for failures, rows, growth and files."""
    calls = 4000 if short else 100_000
    with tempfile.TemporaryDirectory() as folder:
        home, temporary = Path(folder) / "data", Path(folder) / "tmp"
        temporary.mkdir()
        ids = others(home)
        settings = {
            "HOODWINK_LIMITS": "0",
            "HOODWINK_AUTO_RETRAIN": "0",
            "HOODWINK_ANNOTATOR_KEY": KEY,
            "TMPDIR": str(temporary),
            "GRADIO_TEMP_DIR": str(temporary / "gradio"),
        }
        with RunningApp(home, settings) as app:
            before = rows(home)
            fuzz = Fuzz(Nonsense(random.Random(1), functions_of(app), ids), app.url)
            began = time.monotonic()
            asyncio.run(fuzz.send(calls // 5))
            early, files = memory_of(app.pid).resident, count(temporary)
            asyncio.run(fuzz.send(calls - calls // 5))
            took = time.monotonic() - began
            late, more = memory_of(app.pid).resident, count(temporary)
            after = rows(home)
            logged = exceptions(app.log.read_text())
    changed = [f"{table}: {before[table]} -> {after[table]}" for table in TABLES if before[table] != after[table]]
    return describe(fuzz, calls, took, (early, late), (files, more), changed, logged)


def others(home: Path) -> list[str]:
    """Make a ledger with drawings of others; their ids."""
    made = Home(home, KEY.encode())
    ledger = made.open_ledger(create=True)
    ledger.start(install_shipped(made.weights))
    served = ServedModel(load_weights(made.weights, ledger.served().weights_id), 1)
    one = [[[140, 60], [140, 220]]]
    recorded = [
        ledger.record_attempt(served.answer(one), n % 10, ledger.annotator(f"other {n}"), f"try-{n:08d}")
        for n in range(20)
    ]
    ledger.close()
    return [attempt.attempt_id for attempt in recorded]


def functions_of(app: RunningApp) -> list[tuple[int, str]]:
    """The page's own functions, as its configuration tells any visitor."""
    with urllib.request.urlopen(app.url + "config") as answer:
        components = json.load(answer)["components"]
    return [(c["id"], name) for c in components for name in c["props"].get("server_fns") or ()]


def rows(home: Path) -> dict[str, int]:
    with closing(sqlite3.connect(Home(home).ledger_path)) as db:
        return {table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}


def exceptions(log: str) -> tuple[list[str], int]:
    """The stack traces in the log that lead through our own code (the guard is on every way), and how many others there are."""
    traces = log.split("Traceback (most recent call last)")[1:]
    ours = [
        trace[:2000]
        for trace in traces
        if re.search(rf'File "{re.escape(str(REPOSITORY))}/(?!\.venv|ui/guard\.py)', trace)
    ]
    return ours, len(traces) - len(ours)


def count(folder: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(folder))


def describe(
    fuzz: Fuzz,
    calls: int,
    took: float,
    memory: tuple[float, float],
    files: tuple[int, int],
    changed: list[str],
    logged: tuple[list[str], int],
) -> Section:
    grown = memory[1] - memory[0]
    said = ", ".join(f"{count} x {status}" for status, count in sorted(fuzz.statuses.items()))
    return Section(
        "Bad calls",
        [
            f"{calls} calls at the page's functions, the live prediction, the named endpoints at all of Gradio's addresses for them, paths "
            f"that must not be served, and bodies that are no JSON; {CONNECTIONS} at once, {took:.0f} s, limits off.",
            f"Answered: {said}.",
            *(f"Problem: {problem}" for problem in [*fuzz.problems[:20], *logged[0][:5]]),
        ],
        [
            Row(
                "no answer, 5xx, a stack trace or a file's content",
                str(len(fuzz.problems)),
                wanted="none",
                reached=not fuzz.problems,
                timed=False,
            ),
            Row(
                "tables with other rows than before",
                "; ".join(changed) or "0",
                wanted="none",
                reached=not changed,
                timed=False,
            ),
            Row(
                "exceptions of our own code in the log",
                str(len(logged[0])),
                f"{logged[1]} of Gradio's",
                wanted="none",
                reached=not logged[0],
                timed=False,
            ),
            Row(
                "memory, after a fifth and after all",
                f"{memory[0]:.0f} MB, {memory[1]:.0f} MB",
                wanted=f"at most {GROWTH_MB:g} MB more",
                reached=grown <= GROWTH_MB,
                timed=False,
            ),
            Row(
                "temporary files, after a fifth and after all",
                f"{files[0]}, {files[1]}",
                wanted="no more",
                reached=files[1] <= files[0],
                timed=False,
            ),
        ],
        {
            "statuses": dict(fuzz.statuses),
            "problems": fuzz.problems[:200],
            "memory_mb": memory,
            "files": files,
            "seconds": took,
        },
    )


if __name__ == "__main__":
    typer.run(command(measure))
