"""How soon the app answers after it was started on a big ledger, and what it holds in memory: `python -m benchmarks.start`.

Peer of the start: a Python process that imports gradio and torch, which any such app has to. Peer of the memory: the same
app on an empty ledger.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import typer

from benchmarks.big_ledger import make
from benchmarks.calls import Caller
from benchmarks.memory import Memory, memory_of
from benchmarks.pen_digits import PenDigit, load_pen_digits
from benchmarks.quantiles import Spread, times
from benchmarks.results import Row, Section, command
from benchmarks.server import REPOSITORY, RunningApp
from benchmarks.submit import BIG, QUIET, SHORT_BIG
from flagging.home import Home

START_TIMES, MEMORY_TIMES = 1.5, 1.2  # asked
IMPORTS = "import gradio, torch; print('done', flush=True)"
# What the tabs ask when they are opened, and the Rounds tab's sections when they come into view.
TABS = (
    ("draw", "status"),
    ("draw", "score"),
    ("judge", "next_drawing"),
    ("mine", "drawings"),
    ("rounds-figures", "overview"),
    ("rounds-figures", "confusion"),
    ("rounds-figures", "matrix"),
    ("gallery", "drawings"),
    ("stress-test", "overview"),
)
TRY_EVERY_SECONDS = 0.02


def seconds_to_import() -> float:
    """Until a fresh Python has imported gradio and torch; its end is not counted."""
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", IMPORTS], cwd=REPOSITORY, env=RunningApp(REPOSITORY).environment, stdout=subprocess.PIPE
    ) as process:
        if process.stdout is None or process.stdout.readline() != b"done\n":
            raise RuntimeError("gradio and torch could not be imported")
        return time.perf_counter() - began


def seconds_to_first_answer(app: RunningApp, digit: PenDigit) -> float:
    """Until it has answered a drawing over HTTP. The app is left running."""
    began = time.perf_counter()
    app.start()
    while app.process is not None and app.process.poll() is None:
        with suppress(OSError):
            look(app, [digit])
            return time.perf_counter() - began
        time.sleep(TRY_EVERY_SECONDS)
    raise RuntimeError(f"the app ended; it said: {app.log.read_text()[-2000:]}")


def look(app: RunningApp, digits: Sequence[PenDigit]) -> None:
    caller = Caller(app, "measured-token")
    for number, digit in enumerate(digits):
        caller.look(digit.strokes, f"measured-try-{time.time_ns()}-{number}")
    caller.close()


def open_tabs(app: RunningApp) -> None:
    caller = Caller(app, "measured-token")
    for component, name in TABS:
        caller.call(component, name)
    caller.close()


def measure(short: bool) -> Section:
    """The start and the memory of the app, on a big ledger and on an empty one."""
    attempts, starts = (SHORT_BIG, 2) if short else (BIG, 5)
    digits = load_pen_digits("natural")[:20]
    seconds: dict[str, list[float]] = {"big": [], "empty": [], "imports": []}
    drawn: dict[str, list[Memory]] = {"big": [], "empty": []}
    opened: dict[str, list[Memory]] = {"big": [], "empty": []}
    with tempfile.TemporaryDirectory() as folder:
        make(Home(Path(folder) / "big"), attempts)
        seconds_to_import()  # the first one reads the packages from the disk
        for number in range(starts):
            seconds["imports"].append(seconds_to_import())
            for name in ("big", "empty"):
                app = RunningApp(Path(folder) / name, QUIET)
                try:
                    seconds[name].append(seconds_to_first_answer(app, digits[0]))
                    look(app, digits)
                    drawn[name].append(_memory(app))
                    if number == starts - 1:  # once: the matrix of fifty rounds takes its time
                        open_tabs(app)
                        opened[name].append(_memory(app))
                finally:
                    app.kill()
    return describe(attempts, seconds, drawn, opened)


def _memory(app: RunningApp) -> Memory:
    if app.process is None:
        raise RuntimeError("the app is not running")
    return memory_of(app.process.pid)


def describe(
    attempts: int,
    seconds: dict[str, list[float]],
    drawn: dict[str, list[Memory]],
    opened: dict[str, list[Memory]],
) -> Section:
    big, empty, imports = (Spread.of(seconds[name]) for name in ("big", "empty", "imports"))
    later = big.median / imports.median
    rows = [
        Row(
            f"first answer, {attempts:,} attempts",
            f"{big.median:.2f} s",
            f"{imports.median:.2f} s",
            times(later),
            f"at most {START_TIMES} x",
            later <= START_TIMES,
        ),
        Row(
            "first answer, empty ledger",
            f"{empty.median:.2f} s",
            f"{imports.median:.2f} s",
            times(empty.median / imports.median),
        ),
    ]
    for what, held in (("20 predictions", drawn), ("20 predictions and every tab", opened)):
        ours, theirs = (Spread.of([memory.pss for memory in held[name]]).median for name in ("big", "empty"))
        more = ours / theirs
        row = (f"memory after {what}", f"{ours:.0f} MB", f"{theirs:.0f} MB", times(more))
        rows.append(Row(*row, f"at most {MEMORY_TIMES} x", more <= MEMORY_TIMES))
    return Section(
        f"Start and memory with {attempts:,} attempts",
        [
            f"{big.n} starts each, in turns, medians. Start: from `python app.py` to having read the answer to a drawing, tried every "
            f"{1000 * TRY_EVERY_SECONDS:.0f} ms. Peer: from the start of a Python to having imported gradio and torch.",
            "Files have been read before, the ledger too: what a first start after a boot costs beyond that is the disk's.",
            "Memory: PSS of the app and of what it started, on Linux. Peer: the same app on an empty ledger, after the same calls.",
            "Every tab: what each asks the server when it is opened, once, after the last start. No retraining runs.",
        ],
        rows,
        {
            "attempts": attempts,
            "seconds": {name: Spread.of(values).rounded(3) for name, values in seconds.items()},
            "memory_mb": {
                name: {"drawn": [asdict(m) for m in drawn[name]], "opened": [asdict(m) for m in opened[name]]}
                for name in ("big", "empty")
            },
        },
    )


if __name__ == "__main__":
    typer.run(command(measure))
