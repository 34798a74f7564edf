"""One client floods; is another still answered as before? `python -m benchmarks.flood`."""

import statistics
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
    """How a drawer and somebody who submits are answered while somebody else sends all they can."""
    seconds, rounds = (4.0, 1) if short else (8.0, 2)
    floods = {
        "predictions, as one annotator": flood(one=True),
        "the same from the drawer's own address": flood(address=OTHER, one=True),
        "predictions, as 64 annotators": flood(),
        "submissions, as 64 annotators": flood(what="submit"),
        "explanations, as one annotator": flood(one=True, what="explain"),
        "drawings of 10,000 points, as one annotator": flood(one=True, what="large"),
        "drawings just short enough to be answered together, as 64 annotators": flood(what="long"),
        "bodies of 300,000 empty lists": flood(what="lists"),
        "pages opened": flood(what="page"),
    }
    if short:
        floods = {name: floods[name] for name in list(floods)[2:4]}
    met: dict[str, list[tuple[Load, Load]]] = {name: [] for name in ("", *floods)}
    sent: dict[str, list[Load]] = {name: [] for name in floods}
    with tempfile.TemporaryDirectory() as folder, RunningApp(Path(folder), {"HOODWINK_AUTO_RETRAIN": "0"}) as app:
        load.put(app.url, Kind(8, 2.0, 100))  # warm
        for turn in range(rounds):
            met[""].append(both_answered(app.url, seconds, turn))
            for name, kind in floods.items():
                under_way = load.start(app.url, kind, turn)
                time.sleep(1.5)  # until it has begun
                met[name].append(both_answered(app.url, seconds, turn))
                if under_way.poll() is not None:
                    raise RuntimeError(f"the flood of {name} ended before the drawer had")
                under_way.terminate()
                sent[name].append(load.ended(under_way))
    return describe(met, sent)


def flood(address: str = FLOOD, one: bool = False, what: str = "look") -> Kind:
    return Kind(CONNECTIONS, 300.0, None, address, one, what)


def both_answered(url: str, seconds: float, seed: int) -> tuple[Load, Load]:
    """How the drawer and who submits, at the same time, were answered."""
    drawer = load.start(url, Kind(1, seconds, 20, OTHER), seed)
    submitter = load.start(url, Kind(1, seconds, 5, OTHER, what="submit"), 100 + seed)
    return load.answered(drawer), load.answered(submitter)


def describe(met: dict[str, list[tuple[Load, Load]]], sent: dict[str, list[Load]]) -> Section:
    def p99(name: str, which: int) -> float:
        return statistics.median(pair[which].p99_ms for pair in met[name])

    quiet = p99("", 0), p99("", 1)
    rows = [Row("p99 of a drawer, of who submits; nobody else", f"{milliseconds(quiet[0])}, {milliseconds(quiet[1])}")]
    for name, loads in sent.items():
        answered = sum(one.a_second for one in loads) / len(loads)
        refused = sum(one.failed for one in loads)
        failed = sum(one.failed for pair in met[name] for one in pair)
        ratios = p99(name, 0) / quiet[0], p99(name, 1) / quiet[1]
        rows.append(
            Row(
                f"flood of {name}",
                f"{milliseconds(p99(name, 0))}, {milliseconds(p99(name, 1))}",
                f"{answered:.0f} a second answered, {refused} refused in all",
                f"{times(ratios[0])}, {times(ratios[1])}",
                f"at most {TIMES:g} x",
                max(ratios) <= TIMES and not failed,
            )
        )
    return Section(
        "One client floods",
        [
            f"A drawer with 20 predictions a second and somebody who submits 5 drawings a second, both from {OTHER}. The flood: {CONNECTIONS} "
            f"connections that ask again as soon as they are answered, from {FLOOD} but for the second; it, they and the server share two cores.",
            f"{len(met[''])} times each, in turns; medians of p99. Refusals come after a quarter to half a second, which is what slows a flood down.",
        ],
        rows,
        {
            "met": {name: [[asdict(one) for one in pair] for pair in pairs] for name, pairs in met.items()},
            "sent": {name: [asdict(one) for one in loads] for name, loads in sent.items()},
        },
    )


if __name__ == "__main__":
    typer.run(command(measure))
