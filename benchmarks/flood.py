"""One client floods; is another still answered as before? `python -m benchmarks.flood`."""

import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import typer

from benchmarks import load
from benchmarks.load import Kind, Load
from benchmarks.quantiles import milliseconds, times
from benchmarks.results import Row, Section, command
from benchmarks.server import RunningApp

TIMES = 3.0  # asked: the other's p99 at most so many times that without a flood
OTHER, FLOOD = "127.0.0.2", "127.0.0.3"  # addresses of this machine
CONNECTIONS = 64


def measure(short: bool) -> Section:
    """A drawer's p99 while somebody else sends all they can."""
    seconds, rounds = (4.0, 1) if short else (12.0, 3)
    drawer = Kind(1, seconds, 20, OTHER)
    floods = {
        "predictions, as one annotator": Kind(CONNECTIONS, seconds + 2, None, FLOOD, one=True),
        "predictions, as one annotator, from the drawer's own address": Kind(
            CONNECTIONS, seconds + 2, None, OTHER, one=True
        ),
        "predictions, as 64 annotators": Kind(CONNECTIONS, seconds + 2, None, FLOOD),
        "submissions, as one annotator": Kind(CONNECTIONS, seconds + 2, None, FLOOD, one=True, submit=True),
        "submissions, as 64 annotators": Kind(CONNECTIONS, seconds + 2, None, FLOOD, submit=True),
    }
    idle: list[Load] = []
    flooded: dict[str, list[Load]] = {name: [] for name in floods}
    sent: dict[str, list[Load]] = {name: [] for name in floods}
    with tempfile.TemporaryDirectory() as folder, RunningApp(Path(folder), {"HOODWINK_AUTO_RETRAIN": "0"}) as app:
        load.put(app.url, Kind(8, 2.0, 100))  # warm
        for turn in range(rounds):
            idle.append(load.put(app.url, drawer, turn))
            for name, flood in floods.items():
                under_way = load.start(app.url, flood, turn)
                time.sleep(1.5)  # until it has begun
                flooded[name].append(load.put(app.url, drawer, turn))
                sent[name].append(load.ended(under_way))
    return describe(idle, flooded, sent)


def describe(idle: list[Load], flooded: dict[str, list[Load]], sent: dict[str, list[Load]]) -> Section:
    quiet = max(one.p99_ms for one in idle)
    rows = [Row("p99 of a drawer, nobody else", milliseconds(quiet))]
    for name, loads in flooded.items():
        p99 = sum(one.p99_ms for one in loads) / len(loads)
        flood = sum(one.a_second for one in sent[name]) / len(sent[name])
        refused = sum(one.failed for one in sent[name])
        rows.append(
            Row(
                f"flood of {name}",
                milliseconds(p99),
                f"{flood:.0f} a second answered, {refused} refused in all",
                times(p99 / quiet),
                f"at most {TIMES:g} x",
                p99 <= TIMES * quiet and not any(one.failed for one in loads),
            )
        )
    return Section(
        "One client floods",
        [
            f"The drawer: 20 predictions a second from {OTHER}. The flood: {CONNECTIONS} connections that ask again as soon as they are answered, "
            f"from {FLOOD} but for the second; it, the drawer and the server share two cores.",
            f"{len(idle)} times each, in turns; means of p99, the highest one without a flood.",
        ],
        rows,
        {
            "idle": [asdict(one) for one in idle],
            "flooded": {name: [asdict(one) for one in loads] for name, loads in flooded.items()},
            "sent": {name: [asdict(one) for one in loads] for name, loads in sent.items()},
        },
    )


if __name__ == "__main__":
    typer.run(command(measure))
