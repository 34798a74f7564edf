"""One data folder, the app that runs on it, its players, and what is broken and looked at from outside."""

import contextlib
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import httpx

from benchmarks.faults import checks
from benchmarks.faults.players import Book, Player
from benchmarks.pen_digits import load_pen_digits
from benchmarks.server import MAINTAINER_TOKEN, REPOSITORY, RunningApp
from flagging.home import Home
from model.served import Snapshot
from model.weights import WeightsDamaged, load_weights
from retrain.worker import WorkerFiles

T = TypeVar("T")
KEY = "the key of the faults"
THRESHOLD = 6
HANGS_AFTER_SECONDS = 12
PLAYERS = 3
DISK_MB = 192
LITTLE_BYTES = 4096  # a file may still grow to this: the progress file fits, a row and weights do not
EARLY = Path(__file__).parent / "early"


class DidNotCome(RuntimeError):
    """What was waited for did not come about; the message says what."""


class Session:
    """`with Session(chance) as session:` starts the app, with players, on a data folder of its own.

    Where the system lets us, the folder lies on a small disk of its own (tmpfs), so that it can really be full.
    """

    def __init__(self, chance: random.Random, *, pause_seconds: float = 0.6) -> None:
        self.chance = chance
        self.book = Book()
        self.stages: Counter[str] = Counter()  # of a round, at which its worker was killed
        self.apps: list[RunningApp] = []  # that answer
        self._started: list[RunningApp] = []
        self._folder = Path(tempfile.mkdtemp(prefix="hoodwink-faults-"))
        self.disk = self._folder / "disk"
        self.disk.mkdir()
        self.is_small_disk = _mount(self.disk)
        self.home = Home(self.disk / "data", KEY.encode())
        self.home.folder.mkdir()
        self.files = WorkerFiles(self.home)
        self._copies = self._folder / "weights"  # of all weights that were ever served, taken while they were whole
        self._copies.mkdir()
        self._pause_seconds = pause_seconds
        self._players: list[Player] = []
        self._snapshots: dict[str, Snapshot] = {}
        self.settings = {
            "HOODWINK_ANNOTATOR_KEY": KEY,
            "HOODWINK_THRESHOLD": str(THRESHOLD),
            "HOODWINK_WORKER_SECONDS": str(HANGS_AFTER_SECONDS),
            "PYTHONPATH": os.pathsep.join([str(EARLY), str(REPOSITORY)]),
            "OMP_NUM_THREADS": "1",
        }

    def __enter__(self) -> "Session":
        try:
            self.start()
            digits = load_pen_digits("natural")[:2000]
            config = httpx.get(f"{self.apps[0].url}config", timeout=30).json()
            self._components = {c["props"].get("elem_id"): c["id"] for c in config["components"]}
            for _ in range(PLAYERS):
                seed = self.chance.getrandbits(24)
                player = Player(self.address, self._components, digits, self.book, seed, self._pause_seconds)
                self._players.append(player)
                player.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for player in self._players:
            player.stopped.set()
        for app in self._started:
            if app.process is not None and app.process.poll() is None:
                app.kill()
        for pid in self.workers():
            _kill(pid)
        for player in self._players:
            player.join(60)
        if self.is_small_disk:
            subprocess.run(["umount", "--lazy", str(self.disk)], check=False)  # noqa: S607
        shutil.rmtree(self._folder, ignore_errors=True)

    # -- the app ----------------------------------------------------------------------------------------

    def begin(self, folder: Path | None = None) -> RunningApp:
        """Start an app, on the data folder or another one, without waiting for an answer."""
        app = RunningApp(folder or self.home.folder, self.settings)
        app.start()
        self._started.append(app)
        return app

    def start(self) -> RunningApp:
        """Start an app and wait until it answers."""
        app = self.begin()
        try:
            app.wait()
        except RuntimeError as error:
            raise DidNotCome(f"the app did not start: {error}") from error
        self.apps.append(app)
        return app

    def kill(self, app: RunningApp) -> None:
        """SIGKILL, of the server alone."""
        if app.process is not None:
            app.process.kill()
            app.process.wait()
        if app in self.apps:
            self.apps.remove(app)

    @contextlib.contextmanager
    def rush(self) -> Iterator[None]:
        """Everybody submits without a pause, so that something is under way at any moment, until the block ends."""
        for player in self._players:
            player.pause_seconds = 0.0
        try:
            yield
        finally:
            for player in self._players:
                player.pause_seconds = self._pause_seconds

    def pid(self, app: RunningApp) -> int:
        if app.process is None:
            raise DidNotCome("the app was not started")
        return app.process.pid

    def address(self) -> str | None:
        apps = list(self.apps)
        return random.choice(apps).url if apps else None

    def status(self, app: RunningApp) -> dict[str, Any]:
        sent = {"session_hash": "onlooker", "component_id": self._components["draw"], "fn_name": "status", "data": {}}
        answer = httpx.post(f"{app.url}gradio_api/component_server", json=sent, timeout=40)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def maintain(self, name: str, *data: str) -> tuple[bool, str]:
        """Ask for "rollback" or "retrain"; whether it was done, and the sentence if not."""
        sent = {"data": [MAINTAINER_TOKEN, *data]}
        answer = httpx.post(f"{self.apps[0].url}gradio_api/run/{name}", json=sent, timeout=60)
        return answer.is_success, "" if answer.is_success else str(answer.json().get("error"))

    # -- the worker -------------------------------------------------------------------------------------

    def workers(self) -> list[int]:
        """Process ids of all retrainings of this data folder, whoever started them."""
        found = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdecimal():
                with contextlib.suppress(OSError):
                    words = (folder / "cmdline").read_bytes().split(b"\0")
                    if b"retrain" in words and f"HOODWINK_HOME={self.home.folder}".encode() in (
                        (folder / "environ").read_bytes().split(b"\0")
                    ):
                        found.append(int(folder.name))
        return found

    def wait_for_stage(self, stage: str, seconds: float = 60) -> int:
        """Wait until a worker is at a stage of a round; its process id.

        "loading": before it holds the lock. "written": the candidate's file is there, the decision is not.
        """
        holder = self.files.holder
        if stage == "loading":
            self.until(lambda: not self.files.is_held() and self.workers(), "a retraining started", seconds, 0.1)
            time.sleep(self.chance.uniform(0, 1.5))
            return self.until(self.workers, "a retraining started", seconds, 0.02)[0]
        if stage == "written":
            known = set(self.home.weights.iterdir())
            is_new = lambda: [p for p in set(self.home.weights.iterdir()) - known if p.suffix == ".safetensors"]  # noqa: E731
            self.until(is_new, "a candidate was written", seconds, 0.002)
            return self.until(holder, "the worker is there still", 5, 0.002)

        def at_stage() -> int | None:
            told = self.files.read()
            return holder() if told.state == "running" and told.stage == stage else None

        # The first stages last some milliseconds and may be missed on a busy machine: then the next retraining has them again.
        return self.until(at_stage, f"a retraining came to {stage!r}", 3 * seconds, 0.0005)

    def decisions(self) -> list[tuple[int, str, str]]:
        """Number, decision and weights of every closed round."""
        with closing(sqlite3.connect(self.home.ledger_path, timeout=30)) as db:
            return db.execute("SELECT number, decision, weights_id FROM rounds ORDER BY number").fetchall()

    def trained(self) -> int:
        """Rounds that a retraining closed."""
        return sum(decision != "rolled back" for _, decision, _ in self.decisions())

    def close_a_round(self, seconds: float = 90) -> None:
        before = self.trained()
        self.until(lambda: self.trained() > before, "a retraining came to a decision", seconds, 0.2)

    # -- waiting ----------------------------------------------------------------------------------------

    def until(self, condition: Callable[[], T | None], what: str, seconds: float = 20, every: float = 0.05) -> T:
        """The first true value. Raises DidNotCome."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := condition():
                return found
            time.sleep(every)
        raise DidNotCome(f"within {seconds:.0f} s it did not come about that {what}")

    def play(self, attempts: int, seconds: float = 40) -> None:
        """Go on until so many further attempts are acknowledged."""
        enough = len(self.book.told) + attempts
        self.until(lambda: len(self.book.told) >= enough, f"{attempts} attempts were acknowledged", seconds)

    # -- the disk ---------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def full_disk(self) -> Iterator[None]:
        """No room for anything, until the block ends."""
        ballast = self.disk / "ballast"
        try:
            with ballast.open("wb", buffering=0) as file:
                for size in (1 << 20, 1 << 12):
                    with contextlib.suppress(OSError):
                        while True:
                            file.write(bytes(size))
            yield
        finally:
            ballast.unlink(missing_ok=True)

    @contextlib.contextmanager
    def no_growing(self, pid: int) -> Iterator[None]:
        """No file this process writes may grow beyond a little (RLIMIT_FSIZE), until the block ends."""
        soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (LITTLE_BYTES, hard))
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))

    def empty_log(self) -> None:
        """Bring the write-ahead log into the ledger: the next row needs room on the disk."""
        with closing(sqlite3.connect(self.home.ledger_path, timeout=30)) as db:
            # Refused at once while the app tidies up.
            self.until(lambda: not db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0], "the log was emptied")

    # -- weights ----------------------------------------------------------------------------------------

    def promotions(self) -> list[str]:
        """The weights of every promotion, oldest first."""
        with closing(sqlite3.connect(self.home.ledger_path, timeout=30)) as db:
            return [row[0] for row in db.execute("SELECT weights_id FROM promotions ORDER BY number")]

    def keep_copies(self) -> None:
        for weights_id in set(self.promotions()):
            copy = self._copies / f"{weights_id}.safetensors"
            if not copy.exists():
                with contextlib.suppress(WeightsDamaged):
                    load_weights(self.home.weights, weights_id)
                    copy.write_bytes((self.home.weights / copy.name).read_bytes())

    def damage(self, weights_id: str) -> None:
        """Cut a weights file off, turn one bit of it, or take it away."""
        path = self.home.weights / f"{weights_id}.safetensors"
        if not path.exists():
            return  # taken away by an earlier fault
        packed = bytearray(path.read_bytes())
        how = self.chance.choice(("cut off", "a bit", "a bit", "gone"))
        if how == "gone":
            path.unlink()
            return
        if how == "cut off":
            del packed[self.chance.randrange(len(packed)) :]
        else:
            packed[self.chance.randrange(len(packed))] ^= 1 << self.chance.randrange(8)
        path.write_bytes(packed)

    def is_whole(self, weights_id: str) -> bool:
        try:
            load_weights(self.home.weights, weights_id)
        except WeightsDamaged:
            return False
        return True

    def mend(self) -> None:
        """Put back every weights file that was damaged."""
        for copy in self._copies.iterdir():
            path = self.home.weights / copy.name
            if not path.exists() or path.read_bytes() != copy.read_bytes():
                path.write_bytes(copy.read_bytes())

    # -- what must be true ------------------------------------------------------------------------------

    def problems(self) -> list[str]:
        """Everything that is to be checked after a fault; players go on meanwhile."""
        told, retracted = dict(self.book.told), set(self.book.retracted)
        found = checks.check_ledger(self.home.ledger_path, told, retracted, self.book)
        for app in list(self.apps):
            found += self._served_problems(app)
        self.keep_copies()
        for one in list(self.book.newest)[-3:]:
            if (snapshot := self._snapshot(one.weights_id)) is not None:
                found += checks.check_answer(snapshot, one)
        said, self.book.problems = self.book.problems, []
        return found + said

    def _served_problems(self, app: RunningApp) -> list[str]:
        """A server notices a promotion within a second; it may be slow to answer while the machine is busy."""
        found: list[str] = []

        def is_right() -> bool:
            try:
                found[:] = checks.check_served(self.home.folder, self.status(app))
            except httpx.HTTPError as error:
                found[:] = [f"the status was not answered: {error!r}"]
            return not found

        with contextlib.suppress(DidNotCome):
            self.until(is_right, "the newest promotion is served", 15, 0.2)
        return found

    def _snapshot(self, weights_id: str) -> Snapshot | None:
        if weights_id not in self._snapshots and (self._copies / f"{weights_id}.safetensors").exists():
            self._snapshots[weights_id] = Snapshot.of(load_weights(self._copies, weights_id), 0)
        return self._snapshots.get(weights_id)


def _mount(folder: Path) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "none", str(folder)]
    try:
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
