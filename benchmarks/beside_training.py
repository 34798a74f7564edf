"""A round being trained on the cores that answer: `python -m benchmarks.beside_training`. Who is slowed down, and by how much?"""

import shutil
import statistics
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer
from gradio_client import Client

from benchmarks import load
from benchmarks.collection import pool_and_unseen
from benchmarks.load import Kind, Load
from benchmarks.quantiles import milliseconds, times
from benchmarks.results import Row, Section, command
from benchmarks.server import MAINTAINER_TOKEN, RunningApp
from flagging.home import Home
from model.served import ServedModel
from model.weights import install_shipped, load_weights

DRAWERS, A_SECOND = 16, 200
LONGEST_SECONDS = 300.0  # the drawers stop at the decision

FOOLING = 60
P99_TIMES, TRAINING_TIMES = 3.0, 1.5  # asked: at most


def measure(short: bool) -> Section:
    """Train the same round with and without drawers, and answer them with and without the round."""
    repeats = 1 if short else 3
    alone: list[float] = []
    beside: list[float] = []
    calm: list[Load] = []
    busy: list[Load] = []
    with tempfile.TemporaryDirectory() as folder:
        begun = begun_round(Path(folder) / "begun")
        for repeat in range(repeats):
            seconds, _ = train(copied(begun, f"alone-{repeat}"), drawers=False)
            alone.append(seconds)
            calm.append(answered(copied(begun, f"calm-{repeat}"), seconds, repeat))
            seconds, one = train(copied(begun, f"beside-{repeat}"), drawers=True)
            beside.append(seconds)
            busy += one
    return describe(alone, beside, calm, busy)


def begun_round(folder: Path) -> Path:
    """A data folder with an open round of real drawings that fool the shipped weights."""
    home = Home(folder, b"benchmark of training beside drawers")
    ledger = home.open_ledger(create=True)
    ledger.start(install_shipped(home.weights))
    served = ServedModel(load_weights(home.weights, ledger.served().weights_id), 1)
    for number, digit in enumerate(pool_and_unseen()[0]):
        ledger.record_attempt(
            served.answer(digit.strokes), digit.label, ledger.annotator(f"w{digit.writer}"), f"drawing-{number}"
        )
        if ledger.open_round().ready >= FOOLING:
            break
    ledger.close()
    return folder


def copied(home: Path, name: str) -> Path:
    return Path(shutil.copytree(home, home.with_name(name)))


def _app(home: Path) -> RunningApp:
    key = "benchmark of training beside drawers"
    return RunningApp(home, {"HOODWINK_AUTO_RETRAIN": "0", "HOODWINK_ANNOTATOR_KEY": key})


def train(home: Path, drawers: bool) -> tuple[float, list[Load]]:
    """Seconds the round took; with drawers, how they were answered from just after its start to the decision."""
    with _app(home) as app:
        maintainer = Client(app.url, verbose=False)
        load.put(app.url, Kind(DRAWERS, 2.0, A_SECOND))  # warm
        maintainer.predict(MAINTAINER_TOKEN, api_name="/retrain")
        under_way = load.start(app.url, Kind(DRAWERS, LONGEST_SECONDS, A_SECOND)) if drawers else None
        while (status := maintainer.predict(api_name="/status"))["round"] == 1:
            if status["problem"]:
                raise RuntimeError(f"the round was not closed: {status['problem']}")
            time.sleep(0.5)
        if under_way:
            under_way.terminate()
        met = [load.answered(under_way)] if under_way else []
        # As the worker itself took the time: it does not depend on how often one asks.
        return float(maintainer.predict(api_name="/rounds")[-1]["seconds"]), met


def answered(home: Path, seconds: float, seed: int) -> Load:
    with _app(home) as app:
        load.put(app.url, Kind(DRAWERS, 2.0, A_SECOND))
        return load.put(app.url, Kind(DRAWERS, max(seconds, 5.0), A_SECOND), seed)


def describe(alone: list[float], beside: list[float], calm: list[Load], busy: list[Load]) -> Section:
    calm_p99 = statistics.median(one.p99_ms for one in calm)
    busy_p99 = statistics.median(one.p99_ms for one in busy)
    slower = statistics.median(beside) / statistics.median(alone)
    failed = sum(one.failed for one in [*calm, *busy])
    figures: dict[str, Any] = {"alone_seconds": alone, "beside_seconds": beside}
    return Section(
        "A round being trained beside drawers",
        [
            f"{FOOLING} fooling drawings, the product's fine-tuning and gate, {len(alone)} times each way, in turns; {DRAWERS} drawers with "
            f"{A_SECOND} predictions a second, all on the same two cores.",
            "p99: the median over the rounds of each; an answer is late from when it was due. The worker gives way (nice 10).",
        ],
        [
            Row(
                "p99 while it trains",
                milliseconds(busy_p99),
                f"{milliseconds(calm_p99)} without",
                times(busy_p99 / calm_p99),
                f"at most {P99_TIMES:g} x",
                busy_p99 <= P99_TIMES * calm_p99,
            ),
            Row(
                "a round",
                f"{statistics.median(beside):.1f} s",
                f"{statistics.median(alone):.1f} s without drawers",
                times(slower),
                f"at most {TRAINING_TIMES:g} x",
                slower <= TRAINING_TIMES,
            ),
            Row("median answer while it trains", milliseconds(statistics.median(one.p50_ms for one in busy))),
            Row("failed answers", str(failed), wanted="none", reached=failed == 0, timed=False),
        ],
        figures | {"calm": [asdict(one) for one in calm], "busy": [asdict(one) for one in busy]},
    )


if __name__ == "__main__":
    typer.run(command(measure))
