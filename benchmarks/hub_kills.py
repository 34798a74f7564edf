"""Kill the app at random moments of a busy session that publishes, wipe its disk every other time, and count what is missing.

`python -m benchmarks.hub_kills --kills 200` starts `python app.py` against a local server that speaks the Hub's protocol.
Several players draw, submit, judge, retract and withdraw through the page's own server functions; beside them a second process
closes rounds with other weights every few seconds. The app is killed with SIGKILL; in half of the cases its data folder is deleted.
After every restart:

- everything that was on the Hub is in the ledger (published, and not withdrawn since);
- if the disk was kept, everything acknowledged is in the ledger;
- no shard was written over, and no row is in two shards.
"""

import json
import os
import random
import shutil
import signal
import sqlite3
import tempfile
import threading
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any

import httpx
import pyarrow.parquet as pq
import torch
import typer

from benchmarks.pen_digits import load_pen_digits
from benchmarks.server import RunningApp
from flagging.attempts import Refused
from flagging.database import LedgerUnavailable
from flagging.home import Home
from flagging.shards import kind_of
from flagging.sync import MARKS, UNSWEPT
from model.network import Network
from model.weights import Card, save_weights
from tests.hub_server import HubServer

DATASET, MODEL = "alice/drawings", "alice/weights"
KEY = "the key of the kills"
PLAYERS = 4
LONGEST_SECONDS = 6.0  # from the moment the app answers to the kill
IN_THE_START = 0.15  # share of kills before it answers
WIPED = "wiped"
KEYS = {
    "tries": ("try_id",),
    "attempts": ("attempt_id",),
    "retractions": ("attempt_id",),
    "votes": ("attempt_id", "annotator"),
    "hidings": ("hiding_id",),
    "promotions": ("number", "weights_id"),
    "rounds": ("number", "weights_id"),
    "withdrawals": ("id",),
}

Events = set[tuple[Any, ...]]  # kind and key of rows


@dataclass
class Acknowledged:
    """What the app said it had recorded."""

    attempts: set[str] = field(default_factory=set)
    votes: set[tuple[str, str]] = field(default_factory=set)
    retracted: set[str] = field(default_factory=set)
    withdrawn: set[str] = field(default_factory=set)
    asked_to_withdraw: set[str] = field(default_factory=set)  # whether or not an answer came before the kill

    def clear(self) -> None:
        for values in vars(self).values():
            values.clear()


class Player(threading.Thread):
    """Draws, submits, judges, takes back and now and then withdraws, until the app is gone."""

    def __init__(self, app: RunningApp, strokes: list[Any], seed: int, acknowledged: Acknowledged) -> None:
        super().__init__(daemon=True)
        self._app, self._strokes, self._random, self._acknowledged = app, strokes, random.Random(seed), acknowledged
        self._token = f"player-{seed:08d}"
        self.refused: Counter[str] = Counter()

    def run(self) -> None:
        try:
            with httpx.Client(base_url=self._app.url, timeout=30) as client:
                self._components = {
                    c["props"].get("elem_id"): c["id"] for c in client.get("config").json()["components"]
                }
                while True:
                    self._play(client)
        except (httpx.HTTPError, json.JSONDecodeError):
            return  # it was killed

    def _call(self, client: httpx.Client, component: str, name: str, **data: Any) -> dict[str, Any]:
        sent = {
            "session_hash": self._token,
            "component_id": self._components[component],
            "fn_name": name,
            "data": data | {"token": self._token},
        }
        answer = client.post("gradio_api/component_server", json=sent)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        if "error" in found:
            self.refused[found["error"][:80]] += 1
        return found

    def _play(self, client: httpx.Client) -> None:
        try_id = f"{self._random.getrandbits(128):032x}"
        strokes = self._random.choice(self._strokes)
        client.post(
            "gradio_api/look", json={"token": self._token, "strokes": strokes, "try_id": try_id}
        ).raise_for_status()
        if self._random.random() < 0.2:
            return  # a drawing that was left
        recorded = self._call(
            client, "draw", "submit", strokes=strokes, label=self._random.randrange(10), try_id=try_id
        )
        mine = recorded.get("attempt_id")
        if mine:
            self._acknowledged.attempts.add(mine)
        if (
            mine
            and self._random.random() < 0.1
            and "error" not in self._call(client, "draw", "retract", attempt_id=mine)
        ):
            self._acknowledged.retracted.add(mine)
        if self._random.random() < 0.4:
            self._judge(client)
        if self._random.random() < 0.02:
            self._withdraw(client)

    def _judge(self, client: httpx.Client) -> None:
        drawing = self._call(client, "judge", "next_drawing").get("attempt_id")
        if drawing:
            vote = self._call(client, "judge", "vote", attempt_id=drawing, reading=self._random.randrange(10))
            if "error" not in vote:
                self._acknowledged.votes.add((drawing, self._token))

    def _withdraw(self, client: httpx.Client) -> None:
        """All of this player's drawings; then they are somebody else."""
        with closing(sqlite3.connect(self._app.home / "ledger.sqlite", timeout=30)) as db:
            mine = Home(self._app.home, KEY.encode()).open_ledger().annotator(f"browser:{self._token}")
            drawn = [row[0] for row in db.execute("SELECT attempt_id FROM attempts WHERE annotator = ?", (mine,))]
        self._acknowledged.asked_to_withdraw.update(drawn)
        if "error" not in self._call(client, "mine", "withdraw", all=True):
            self._acknowledged.withdrawn.update(drawn)
            self._token = f"player-{self._random.getrandbits(64):016x}"


class Closer(threading.Thread):
    """Closes rounds as `python -m retrain run` does, from a process of its own, with weights that were not trained."""

    def __init__(self, home: Home, seed: int) -> None:
        super().__init__(daemon=True)
        self._home, self._seed = home, seed
        self.stopped = threading.Event()

    def run(self) -> None:
        ledger = self._home.open_ledger()
        chance = random.Random(self._seed)
        try:
            while not self.stopped.wait(chance.uniform(0.5, 3)):
                torch.manual_seed(chance.getrandbits(32))
                now = ledger.open_round()
                weights = save_weights(Network(), Card(now.weights_id, now.number, 0, {}, {}), self._home.weights)
                usable = [a.attempt_id for a in ledger.attempts(usable_only=True)]
                decision = chance.choice(("promoted", "refused"))
                ledger.close_round(decision, "for the kills", weights.id, {}, began=now, used=usable)  # type: ignore[arg-type]
        except (Refused, LedgerUnavailable, OSError):
            return
        finally:
            ledger.close()


def on_hub(hub: HubServer) -> tuple[Events, list[str]]:
    """Rows in all shards of the Hub, without those withdrawn; and what is there twice."""
    seen: Counter[tuple[Any, ...]] = Counter()
    if ("dataset", DATASET) not in hub.repositories:
        return set(), []  # killed before the first contact
    for path, content in hub.files(DATASET).items():
        kind = kind_of(path)
        if kind:
            seen.update(
                (kind, *(row[name] for name in KEYS[kind])) for row in pq.read_table(BytesIO(content)).to_pylist()
            )
    gone = {key for kind, key, *_ in seen if kind == "withdrawals"}
    return {event for event in seen if event[1] not in gone}, [repr(event) for event, n in seen.items() if n > 1]


def in_ledger(home: Path) -> Events:
    with closing(sqlite3.connect(home / "ledger.sqlite", timeout=30)) as db:
        return {
            (kind, *row) for kind, names in KEYS.items() for row in db.execute(f"SELECT {', '.join(names)} FROM {kind}")
        }


def missing(home: Path, published: Events, acknowledged: Acknowledged, annotator: Any) -> list[str]:
    """What should be in the ledger of an app that has just started, and is not."""
    there = in_ledger(home)
    gone = {key for kind, key, *_ in there if kind == "withdrawals"} | acknowledged.asked_to_withdraw
    expected = {event for event in published if event[1] not in gone}
    expected |= {("attempts", key) for key in acknowledged.attempts - gone}
    expected |= {("retractions", key) for key in acknowledged.retracted - gone}
    expected |= {("votes", key, annotator(token)) for key, token in acknowledged.votes if key not in gone}
    lost = [repr(event) for event in expected - there]
    lost += [f"withdrawn but there: {key}" for key in acknowledged.withdrawn if ("attempts", key) in there]
    return lost


def run(kills: int, seed: int = 1, say: Any = print) -> dict[str, Any]:
    chance = random.Random(seed)
    strokes = [digit.strokes for digit in load_pen_digits("natural")[:500]]
    acknowledged, problems = Acknowledged(), []
    published: Events = set()
    wiped = starts_killed = sent = 0
    with HubServer() as hub, tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "data"
        settings = dict(hub.environment) | {
            "HOODWINK_HUB_DATASET": DATASET,
            "HOODWINK_HUB_MODEL": MODEL,
            "HOODWINK_HUB_COMMITS_PER_HOUR": "100000",
            "HOODWINK_ANNOTATOR_KEY": KEY,
            "HOODWINK_AUTO_RETRAIN": "0",
            "HOODWINK_QUORUM": "2",
        }
        ledger_key = Home(Path(folder) / "key", KEY.encode()).open_ledger(create=True)

        def annotator(token: str) -> str:
            return ledger_key.annotator(f"browser:{token}")

        for number in range(kills + 1):
            in_start = chance.random() < IN_THE_START and number < kills
            app = RunningApp(home, settings)
            if in_start:
                starts_killed += 1
                threading.Timer(chance.uniform(0.5, 4), lambda app=app: kill(app)).start()
            try:
                app.__enter__()
            except RuntimeError as error:
                if not in_start:
                    raise
                problems += [line for line in str(error).splitlines() if "Traceback" in line]
            else:
                lost = missing(home, published, acknowledged, annotator)
                problems += [f"after kill {number}: missing {event}" for event in lost]
                if number == kills:
                    end(app, home, problems, hub)
                    break
                before = len(acknowledged.attempts)
                play(app, strokes, chance, acknowledged)
                sent += max(0, len(acknowledged.attempts) - before)
            kill(app)
            published, doubled = on_hub(hub)
            problems += [f"after kill {number}: twice on the Hub {event}" for event in doubled]
            if chance.random() < 0.5 and home.exists():
                wiped += 1
                shutil.rmtree(home)
                acknowledged.clear()
            if number % 10 == 9:
                say(
                    f"{number + 1} kills, {wiped} wiped, {sent} attempts, {len(published)} rows on the Hub, {len(problems)} problems"
                )
        overwritten = [path for path in hub.overwritten(DATASET) if kind_of(path)]
        commits = len(hub.commits_ever(DATASET))
        rounds = sum(1 for event in published if event[0] == "rounds")
        ledger_key.close()
        return {
            "kills": kills,
            "in_the_start": starts_killed,
            "wiped": wiped,
            "attempts_acknowledged": sent,
            "rows_on_hub": len(published),
            "rounds": rounds,
            "commits": commits,
            "shards_overwritten": overwritten,
            "server_errors": hub.errors,
            "problems": problems,
        }


def play(app: RunningApp, strokes: list[Any], chance: random.Random, acknowledged: Acknowledged) -> None:
    """Be busy for a random time."""
    players = [Player(app, strokes, chance.getrandbits(24), acknowledged) for _ in range(PLAYERS)]
    closer = Closer(Home(app.home, KEY.encode()), chance.getrandbits(24))
    for thread in (*players, closer):
        thread.start()
    time.sleep(chance.uniform(0.2, LONGEST_SECONDS))
    kill(app)
    closer.stopped.set()
    for thread in (*players, closer):
        thread.join(40)


def kill(app: RunningApp) -> None:
    if app.process is not None and app.process.poll() is None:
        os.killpg(app.process.pid, signal.SIGKILL)
        app.process.wait()


def end(app: RunningApp, home: Path, problems: list[str], hub: HubServer) -> None:
    """Stopped as a Space is: nothing is left unpublished."""
    app.stop()
    with closing(sqlite3.connect(home / "ledger.sqlite")) as db:
        left = db.execute("SELECT count(*) FROM unpublished").fetchone()[0]
    if left:
        problems.append(f"{left} rows were left unpublished by a clean stop")
    if any(path == UNSWEPT or path.startswith(MARKS) for path in hub.files(DATASET)):
        problems.append("a withdrawal did not end")


def main(
    kills: Annotated[int, typer.Option(help="How many.")] = 200,
    seed: Annotated[int, typer.Option(help="Of the moments.")] = 1,
    out: Annotated[Path | None, typer.Option(help="A file for the figures.")] = None,
) -> None:
    result = run(kills, seed)
    if out:
        out.write_text(json.dumps(result, indent=1))
    print(json.dumps(result, indent=1))
    if result["problems"] or result["shards_overwritten"]:
        raise SystemExit(1)


if __name__ == "__main__":
    typer.run(main)
