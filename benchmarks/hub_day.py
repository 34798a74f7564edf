"""A day of heavy play, compressed: 100,000 attempts through the ledger and the publisher, and what that costs.

`python -m benchmarks.hub_day` plays with a clock that runs as fast as the machine allows: an attempt every 0.864 s, half as many
tries again that are left, votes, retractions, hidings, and a round for every ten fooling drawings. The publisher is the app's; the Hub
is a local server that speaks its protocol, in a process of its own, with the Hub's own limit of 128 commits an hour. What is drawn are
real pen digits; what the model sees in them is chosen at random (16 % wrong), weights are not trained. Writes docs/hub.md.
"""

import json
import multiprocessing as mp
import platform
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from huggingface_hub import HfApi

from benchmarks.pen_digits import load_pen_digits
from flagging.attempts import Attempt
from flagging.home import Home
from flagging.hub import HubUnavailable
from flagging.ledger import Ledger
from flagging.pace import TooManyCommits
from flagging.publisher import Publisher
from flagging.settings import HubSettings
from model.network import Network
from model.weights import Card, install_shipped, save_weights
from tests.hub_server import HubServer
from tests.made import FakeAnswer

DAY = 86_400.0
BEGAN = datetime(2026, 6, 1, tzinfo=UTC).timestamp()
DATASET, MODEL = "alice/drawings", "alice/weights"
WRONG = 0.16  # of attempts
THRESHOLD = 10
DOCS = Path(__file__).parents[1] / "docs"


@dataclass
class Clock:
    """Simulated time, shared with the Hub's process."""

    value: Any

    def now(self) -> float:
        return float(self.value.value)

    def utc(self) -> datetime:
        return datetime.fromtimestamp(self.now(), UTC)


def serve(pipe: Connection, clock: Clock) -> None:
    """The Hub, in a process of its own; answers with its figures for every word sent."""
    with HubServer(clock.utc) as hub:
        hub.commits_per_hour = 128
        pipe.send((hub.url, hub.token))
        while pipe.recv() != "end":
            times = [commit.date.timestamp() for commit in hub.commits_ever(DATASET)]
            pipe.send(
                {
                    "commits": len(times),
                    "model_commits": len(hub.commits_ever(MODEL, "model")),
                    "busiest_hour": max((sum(t <= u < t + 3600 for u in times) for t in times[-600:]), default=0),
                    "bytes": sum(seen.received for seen in hub.requests),
                    "requests": len(hub.requests),
                    "refused": sum(seen.status == 429 for seen in hub.requests),
                    "shards": sum(path.startswith("raw/") for path in hub.files(DATASET)),
                    "files": len(hub.files(DATASET)),
                }
            )


class Day:
    """Everybody who plays, the maintainer, and the process that closes rounds."""

    def __init__(self, ledger: Ledger, home: Home, seed: int) -> None:
        self._ledger, self._home = ledger, home
        self._random = random.Random(seed)
        self._strokes = [digit.strokes for digit in load_pen_digits("natural")[:2000]]
        self._annotators = [ledger.annotator(f"annotator {n}") for n in range(300)]
        self._to_judge: list[Attempt] = []

    def attempt(self) -> None:
        """One attempt, and all that belongs to it."""
        chance, served = self._random, self._ledger.served()
        annotator, label = chance.choice(self._annotators), chance.randrange(10)
        if chance.random() < 0.5:
            self._ledger.record_try(f"{chance.getrandbits(128):032x}", annotator, served.number)
        seen = (label + chance.randrange(1, 10)) % 10 if chance.random() < WRONG else label
        answer = FakeAnswer(seen, served.number, served.weights_id, chance.choice(self._strokes))
        drawing = self._ledger.record_attempt(answer, label, annotator, f"{chance.getrandbits(128):032x}")
        if drawing.model_wrong:
            self._to_judge.append(drawing)
            if chance.random() < 0.05:
                self._ledger.retract(drawing.attempt_id, annotator)
                self._to_judge.pop()
        if len(self._to_judge) > 20:
            self._judge(self._to_judge.pop(chance.randrange(20)))
        if self._ledger.open_round().ready >= THRESHOLD:
            self._close_round()

    def _judge(self, drawing: Attempt) -> None:
        others = [a for a in self._random.sample(self._annotators, 3) if a != drawing.annotator][:2]
        for annotator in others:
            reading = drawing.label if self._random.random() < 0.9 else self._random.randrange(10)
            self._ledger.record_vote(drawing.attempt_id, reading, annotator)
        if self._random.random() < 0.01:
            self._ledger.hide(drawing.attempt_id)

    def _close_round(self) -> None:
        now = self._ledger.open_round()
        weights_id = now.weights_id
        decision = "promoted" if self._random.random() < 0.9 else "refused"
        if decision == "promoted":
            torch.manual_seed(now.number)
            weights_id = save_weights(Network(), Card(now.weights_id, now.number, 0, {}, {}), self._home.weights).id
        used = [a.attempt_id for a in self._ledger.drawn_in_round(now.number) if a.model_wrong]
        used += [a.attempt_id for a in self._ledger.drawn_in_round(now.number - 1) if a.model_wrong]
        figures = {"clean_accuracy_after": 0.99, "quorum": 2, "confusion": [[0] * 10] * 10}
        self._ledger.close_round(decision, "for the day", weights_id, figures, began=now, used=used)  # type: ignore[arg-type]


def memory_mb() -> float:
    """Of this process, now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def play(attempts: int, every: int, seed: int) -> Iterator[dict[str, Any]]:
    """The figures of each `every` attempts, then those of the day."""
    clock = Clock(mp.get_context("spawn").Value("d", BEGAN))
    pipe, theirs = mp.get_context("spawn").Pipe()
    process = mp.get_context("spawn").Process(target=serve, args=(theirs, clock), daemon=True)
    process.start()
    url, token = pipe.recv()
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "data", b"the key of the day")
        home.folder.mkdir(parents=True)
        ledger = Ledger(home.ledger_path, b"the key of the day", clock.utc)
        ledger.use_quorum(2)
        ledger.start(install_shipped(home.weights))
        api = HfApi(endpoint=url, token=token)
        publisher = Publisher(ledger, home, HubSettings(DATASET, MODEL), api, clock.now)
        day = Day(ledger, home, seed)
        publisher.look()
        before = asked(pipe) | {"playing": 0.0, "publishing": 0.0}
        spent = {"playing": 0.0, "publishing": 0.0}
        looked_at, waiting = clock.now(), 0
        for number in range(1, attempts + 1):
            clock.value.value += DAY / attempts
            started = time.perf_counter()
            day.attempt()
            spent["playing"] += time.perf_counter() - started
            if clock.now() >= looked_at + 1:
                looked_at, started = clock.now(), time.perf_counter()
                try:
                    publisher.look()
                except (HubUnavailable, TooManyCommits) as error:
                    print(f"{number}: {error}", file=sys.stderr)
                spent["publishing"] += time.perf_counter() - started
                waiting = max(waiting, publisher.state.unpublished)
            if number % every == 0:
                now = asked(pipe) | spent
                row = {
                    name: now[name] - before[name] for name in ("commits", "model_commits", "bytes", "requests", *spent)
                }
                yield row | {
                    "attempts": number,
                    "rounds": ledger.open_round().number - 1,
                    "most_waiting": waiting,
                    "shards": now["shards"],
                    "files": now["files"],
                    "memory_mb": memory_mb(),
                }
                before, waiting = now, 0
        clock.value.value += 3600
        publisher.publish()
        left = {"left": ledger.outbox().waiting().rows, "ledger_mb": home.ledger_path.stat().st_size / 1e6}
        yield asked(pipe) | left | spent | restored(Path(folder) / "restored", ledger, api, clock)
        ledger.close()
    pipe.send("end")
    process.join()


def restored(folder: Path, published: Ledger, api: HfApi, clock: Clock) -> dict[str, Any]:
    """How long an empty disk takes to come back, and whether all counts are what they were."""
    home = Home(folder, b"the key of the day")
    ledger = home.open_ledger(create=True)
    ledger.use_quorum(2)
    started = time.perf_counter()
    Publisher(ledger, home, HubSettings(DATASET, MODEL), api, clock.now).restore()
    seconds = time.perf_counter() - started
    same = (ledger.totals(), ledger.open_round(), ledger.served()) == (
        published.totals(),
        published.open_round(),
        published.served(),
    )
    ledger.close()
    return {"restoring": seconds, "restored_the_same": same}


def asked(pipe: Connection) -> dict[str, Any]:
    pipe.send("figures")
    figures: dict[str, Any] = pipe.recv()
    return figures


def page(rows: list[dict[str, Any]], whole: dict[str, Any], per: int) -> str:
    """The table; a row for every ten thousand attempts, and the first and the last thousand."""
    lines = [
        "| attempts | rounds closed | commits (data, weights) | MB sent | requests | publishing, s | recording, s | rows waiting at most | shards | memory, MB |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]

    def line(name: str, some: list[dict[str, Any]]) -> str:
        total = {
            key: sum(row[key] for row in some)
            for key in ("commits", "model_commits", "bytes", "requests", "publishing", "playing")
        }
        last = some[-1]
        return (
            f"| {name} | {last['rounds']} | {total['commits']}, {total['model_commits']} | {total['bytes'] / 1e6:.1f} | {total['requests']} "
            f"| {total['publishing']:.1f} | {total['playing']:.1f} | {max(row['most_waiting'] for row in some)} | {last['shards']} | {last['memory_mb']:.0f} |"
        )

    chunk = max(1, len(rows) // 10)
    for first in range(0, len(rows), chunk):
        some = rows[first : first + chunk]
        lines.append(line(f"{first * per + 1:,} to {some[-1]['attempts']:,}", some))
    fifth = max(1, len(rows) // 5)
    early, late = rows[:fifth], rows[-fifth:]
    lines += [line(f"the first {fifth * per:,}", early), line(f"the last {fifth * per:,}", late), line("all", rows)]
    ratio = sum(row["publishing"] for row in late) / sum(row["publishing"] for row in early)
    sent = sum(row["bytes"] for row in late) / sum(row["bytes"] for row in early)
    per_thousand = [line("the first thousand", rows[:1]), line("the last thousand", rows[-1:])] if per == 1000 else []
    return f"""# A day of heavy play on the Hub

`python -m benchmarks.hub_day`: {rows[-1]["attempts"]:,} attempts in a day of 24 hours, with half as many tries again, two votes for most
fooling drawings, and a round for every {THRESHOLD} of them, through the ledger and the publisher to a local server that speaks the Hub's
protocol. {datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, Python {platform.python_version()}; clock compressed, work not. Weights are
not trained, and what the model sees is drawn by lot. The publisher's process also makes the drawings; its memory is all of both.

{chr(10).join(lines + per_thousand)}

The last fifth of the day took {ratio:.2f} times as long to publish as the first, and {sent:.2f} times the bytes. The busiest hour had
{whole["busiest_hour"]} commits to the dataset (the Hub allows 128; a quarter is 32); {whole["refused"]} requests were refused. At the end
{whole["left"]} rows were left to publish, the ledger had {whole["ledger_mb"]:.0f} MB, and the repository {whole["files"]} files. An empty
disk came back from it in {whole["restoring"]:.0f} s, with {"the same" if whole["restored_the_same"] else "OTHER"} counts, open round and served weights.
"""


def main(
    attempts: Annotated[int, typer.Option(help="In the day.")] = 100_000,
    seed: Annotated[int, typer.Option(help="Of who draws what.")] = 1,
    out: Annotated[Path, typer.Option(help="Folder for hub.md and hub.json.")] = DOCS,
) -> None:
    rows: list[dict[str, Any]] = []
    per = max(1, min(1000, attempts // 10))
    for row in play(attempts, per, seed):
        rows.append(row)
        print(json.dumps(row), flush=True)
    whole = rows.pop()
    out.mkdir(parents=True, exist_ok=True)
    (out / "hub.json").write_text(json.dumps({"rows": rows, "whole": whole}, indent=1))
    (out / "hub.md").write_text(page(rows, whole, per))


if __name__ == "__main__":
    typer.run(main)
