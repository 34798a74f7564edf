"""A hundred swaps of the served weights while people draw: `python -m benchmarks.swaps`. Does anybody notice?"""

import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import torch
import typer
from gradio_client import Client

from benchmarks import load
from benchmarks.load import Kind, Load
from benchmarks.quantiles import milliseconds
from benchmarks.results import Row, Section, command
from benchmarks.server import MAINTAINER_TOKEN, RunningApp
from flagging.home import Home
from model.network import Network
from model.weights import Card, install_shipped, save_weights

DRAWERS = 16
A_SECOND = 200
GAP_MS = 50.0  # asked: the longest time without an answer to anybody


def measure(short: bool) -> Section:
    """Swap the weights under steady drawers, and count failed and late answers."""
    swaps, seconds = (20, 8.0) if short else (100, 40.0)
    kind = Kind(DRAWERS, seconds, A_SECOND)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "data"
        pair = two_weights(home)
        with RunningApp(home, {"HOODWINK_AUTO_RETRAIN": "0"}) as app:
            maintainer = Client(app.url, verbose=False)
            load.put(app.url, Kind(DRAWERS, 2.0, A_SECOND))  # warm
            calm = load.put(app.url, kind)
            under_way = load.start(app.url, kind, 2)
            time.sleep(1.5)  # until it has begun
            until = time.monotonic() + seconds - 2
            for number in range(swaps):
                maintainer.predict(MAINTAINER_TOKEN, pair[number % 2], api_name="/rollback")
                time.sleep(max(0.0, (until - time.monotonic()) / (swaps - number)))
            swapped = load.answered(under_way)
            promotions = maintainer.predict(api_name="/status")["promotion"]
    return describe(calm, swapped, promotions)


def two_weights(home: Path) -> tuple[str, str]:
    """Make a data folder in which two weights were served: those to swap to first, and those served now."""
    made = Home.from_environment({"HOODWINK_HOME": str(home)})
    ledger = made.open_ledger(create=True)
    shipped = install_shipped(made.weights)
    ledger.start(shipped)
    torch.manual_seed(1)
    other = save_weights(Network(), Card(shipped, 1, 1, {"random": True}, {}), made.weights).id
    ledger.close_round("promoted", "to swap with", other, {}, began=ledger.open_round())
    ledger.close()
    return shipped, other


def describe(calm: Load, swapped: Load, promotions: int) -> Section:
    return Section(
        "Swaps under load",
        [
            f"{promotions - 1} swaps through /rollback, each recorded as a promotion, under {DRAWERS} drawers with {A_SECOND} predictions a second; "
            "the same load without swaps in the same run.",
            "The gap is the longest time in which nobody at all was answered; an answer is late from when it was due.",
        ],
        [
            Row("swaps", str(promotions - 1)),
            Row("failed answers", str(swapped.failed), wanted="none", reached=swapped.failed == 0, timed=False),
            Row(
                "longest gap",
                milliseconds(swapped.gap_ms),
                f"{milliseconds(calm.gap_ms)} without swaps",
                wanted=f"at most {GAP_MS:g} ms",
                reached=swapped.gap_ms <= GAP_MS,
            ),
            Row("p99", milliseconds(swapped.p99_ms), f"{milliseconds(calm.p99_ms)} without swaps"),
            Row("slowest answer", milliseconds(swapped.longest_ms), f"{milliseconds(calm.longest_ms)} without swaps"),
            Row(
                "weights that answered", str(swapped.weights), wanted="both", reached=swapped.weights == 2, timed=False
            ),
        ],
        {"calm": asdict(calm), "swapped": asdict(swapped), "promotions": promotions},
    )


if __name__ == "__main__":
    typer.run(command(measure))
