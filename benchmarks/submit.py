"""How long a submission takes until it is safe on disk, and whether that grows with the ledger: `python -m benchmarks.submit`.

Two apps at once, one on a ledger of 1,000 attempts and one on 1,000,000, are sent drawings in turns: one at a time, and
eight at once. Peer: a write of 4 kB and an fsync in the same folder, what being durable costs whatever one writes.
"""

import os
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import typer

from benchmarks.big_ledger import make
from benchmarks.calls import Caller
from benchmarks.collection import pool_and_unseen
from benchmarks.pen_digits import PenDigit
from benchmarks.quantiles import Spread, milliseconds, times
from benchmarks.results import Row, Section, command
from benchmarks.server import RunningApp, both
from flagging.home import Home

P50_MS, P99_MS, GROWN = 10, 40, 1.3  # asked
AT_ONCE = 8
# No retraining beside it, which takes a core of its own for seconds; no person submits as fast as one drawer here.
QUIET = {"HOODWINK_AUTO_RETRAIN": "0", "HOODWINK_LIMITS": "0"}
SMALL, BIG, SHORT_BIG = 1_000, 1_000_000, 20_000


class Drawer:
    """Somebody who draws and submits, one drawing after the other."""

    def __init__(self, app: RunningApp, token: str, digits: Iterator[PenDigit], seed: int) -> None:
        self._caller = Caller(app, token)
        self._digits, self._random = digits, random.Random(seed)

    def submit(self, count: int) -> list[float]:
        """Milliseconds each submission took, from sending it to having read that it is recorded."""
        self._caller.close()  # a server gives up connections that rest; the next call, uncounted, opens another
        took = []
        for _ in range(count):
            digit, try_id = next(self._digits), f"{self._random.getrandbits(128):032x}"
            self._caller.look(digit.strokes, try_id)
            began = time.perf_counter()
            self._caller.call("draw", "submit", strokes=digit.strokes, label=digit.label, try_id=try_id)
            took.append(1000 * (time.perf_counter() - began))
        return took


class Drawers:
    """The drawers of one app. Each has digits that nobody else draws: of copies there only the first is new."""

    def __init__(self, app: RunningApp, digits: Sequence[PenDigit]) -> None:
        self._drawers = [
            Drawer(app, f"drawer-number-{n}", iter(list(digits[n::AT_ONCE]) * 20), n) for n in range(AT_ONCE)
        ]
        # What is read once after a start, the fooling drawings of each digit to compare with, is measured apart.
        self.first_ms = self._drawers[0].submit(60)
        self.alone_ms: list[float] = []
        self.at_once_ms: list[float] = []

    def one_by_one(self, count: int) -> None:
        self.alone_ms += self._drawers[0].submit(count)

    def all_at_once(self, count: int) -> None:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for took in pool.map(lambda drawer: drawer.submit(count // AT_ONCE), self._drawers):
                self.at_once_ms += took


def fsync_ms(folder: Path, count: int) -> list[float]:
    """Milliseconds of a write of 4 kB at the end of a file, and its fsync."""
    took = []
    with (folder / "durable").open("ab", buffering=0) as file:
        for _ in range(count):
            began = time.perf_counter()
            file.write(bytes(4096))
            os.fsync(file.fileno())
            took.append(1000 * (time.perf_counter() - began))
    return took


def measure(short: bool) -> Section:
    """Durable submissions over HTTP, to a small ledger and to a big one."""
    attempts = SHORT_BIG if short else BIG
    blocks, each = (2, 40) if short else (10, 200)
    digits = random.Random(1).sample(pool := pool_and_unseen()[0], len(pool))
    disk: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        homes = [Path(folder) / "small", Path(folder) / "big"]
        for home, count in zip(homes, (SMALL, attempts), strict=True):
            make(Home(home), count)
        with both(*(RunningApp(home, QUIET) for home in homes)) as apps:
            drawers = [Drawers(app, digits) for app in apps]
            for block in range(blocks):
                for drawing in drawers[:: -1 if block % 2 else 1]:
                    drawing.one_by_one(each)
                disk += fsync_ms(Path(folder), each // 4)
            for block in range(blocks):
                for drawing in drawers[:: -1 if block % 2 else 1]:
                    drawing.all_at_once(each)
    return describe(attempts, drawers, disk)


def describe(attempts: int, drawers: Sequence[Drawers], disk: Sequence[float]) -> Section:
    small, big = (Spread.of(each.alone_ms) for each in drawers)
    busy_small, busy_big = (Spread.of(each.at_once_ms) for each in drawers)
    safe = Spread.of(disk)
    rows = []
    for size, spread in ((SMALL, small), (attempts, big)):
        for name, value, peer, limit in (
            ("median", spread.median, safe.median, P50_MS),
            ("99 % within", spread.p99, safe.p99, P99_MS),
        ):
            asked = f"at most {limit} ms"
            row = (f"{size:,} attempts, {name}", milliseconds(value), milliseconds(peer), times(value / peer))
            rows.append(Row(*row, asked, value <= limit))
    grown, busy_grown = big.median / small.median, busy_big.median / busy_small.median
    rows += [
        Row("median, big against small", times(grown), wanted=f"at most {GROWN} x", reached=grown <= GROWN),
        Row("99 % within, big against small", times(big.p99 / small.p99)),
        *(
            Row(f"{size:,} attempts, {AT_ONCE} at once, {name}", milliseconds(value))
            for size, spread in ((SMALL, busy_small), (attempts, busy_big))
            for name, value in (("median", spread.median), ("99 % within", spread.p99))
        ),
        Row(f"median, {AT_ONCE} at once, big against small", times(busy_grown)),
    ]
    return Section(
        "A submission, until it is safe on disk",
        [
            f"{small.n} submissions one after the other and {busy_small.n} by {AT_ONCE} drawers at once, each, over HTTP to two running "
            "apps in turns; real pen digits in natural framing, about half of which fool it; each was shown a prediction before, uncounted.",
            "Counted from sending the request to having read its answer, score and rank included. Who draws runs on the same cores.",
            "Peer: writing 4 kB and an fsync in the same folder, between the blocks. No retraining runs beside it.",
            f"The first 60 of each app are left out: after a start the earlier fooling drawings of each digit are read once "
            f"(at worst {milliseconds(max(drawers[1].first_ms))} with {attempts:,} attempts).",
        ],
        rows,
        {
            "attempts": [SMALL, attempts],
            "alone_ms": [small.rounded(), big.rounded()],
            "at_once_ms": [busy_small.rounded(), busy_big.rounded()],
            "first_ms": [Spread.of(each.first_ms).rounded() for each in drawers],
            "fsync_ms": safe.rounded(3),
            "grown": round(grown, 3),
        },
    )


if __name__ == "__main__":
    typer.run(command(measure))
