"""The worker: one process at a time fine-tunes for a data folder; everybody can see how far it is."""

import fcntl
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from flagging.attempts import Refused
from flagging.home import Home

REPOSITORY = Path(__file__).parents[1]
STOPPED = "the retraining was stopped before it ended; no drawing is lost, the next retraining learns from them all"
HUNG = "the retraining showed no progress for {:.0f} s and was ended; no drawing is lost, the next retraining learns from them all"
GRACE_SECONDS = 5.0  # for a hung worker to end by itself once it is asked to
LONGEST_LOOK_SECONDS = 5.0  # what one look at a worker counts at most: if we stood still ourselves, so may it have
log = logging.getLogger("hoodwink")

ALREADY_RUNNING = 75  # the worker's exit status when another one is at work: no failure


class AlreadyRunning(Refused):
    """Another worker is at work on this data folder."""


@dataclass(frozen=True)
class WorkerState:
    """What the last worker said of itself. progress: 0 to 1."""

    state: Literal["idle", "running", "failed"] = "idle"
    stage: str = ""
    progress: float = 0.0
    round: int = 0
    message: str = ""


class WorkerFiles:
    """The lock and the progress file of a data folder.

    The lock is the kernel's: it ends with the process, however that ends, so a killed worker never blocks
    the next one. What the file says of a running worker is believed only while the lock is held.
    """

    def __init__(self, home: Home) -> None:
        self._lock = home.folder / "retrain.lock"
        self._state = home.folder / "retrain.json"
        self.log = home.folder / "retrain.log"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be the only worker. Raises AlreadyRunning if another one is at work."""
        with self._lock.open("a") as file:
            for attempt in range(20):
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    # A reader of the state holds it for an instant; a worker holds it for seconds.
                    if attempt == 19:
                        raise AlreadyRunning("a retraining is running already; wait until it has ended") from None
                    time.sleep(0.02)
            file.truncate(0)
            file.write(json.dumps({"pid": os.getpid(), "started": _started(os.getpid())}))
            file.flush()
            yield

    def is_held(self) -> bool:
        try:
            with self._lock.open("r") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def holder(self) -> int | None:
        """The process id of the worker that holds the lock, which may be another server's.

        None if nobody holds it, or the system cannot tell that the process of this number is that worker still.
        """
        if not self.is_held():
            return None
        try:
            told = json.loads(self._lock.read_text())
            pid, started = told["pid"], told["started"]
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError, TypeError, KeyError):
            return None
        # A number is used again, but not for a process that started at the same moment.
        return int(pid) if started is not None and started == _started(pid) and b"retrain" in words else None

    def signs(self) -> tuple[bytes, bytes, int]:
        """What changes while a worker gets on."""
        try:
            return self._lock.read_bytes(), self._state.read_bytes(), self._state.stat().st_mtime_ns
        except OSError:
            return b"", b"", 0

    def write(self, state: WorkerState) -> None:
        beside = self._state.with_name(f".{self._state.name}.{os.getpid()}")
        beside.write_text(json.dumps(asdict(state)))
        beside.replace(self._state)

    def read(self) -> WorkerState:
        # The lock first: a worker that ends in between has written its last word before it lets go.
        held = self.is_held()
        try:
            state = WorkerState(**json.loads(self._state.read_text()))
        except (OSError, ValueError, TypeError):
            return WorkerState()
        if state.state == "running" and not held:
            return WorkerState("failed", round=state.round, message=STOPPED)
        return state


def _started(pid: int) -> int | None:
    """When a process started, in the kernel's ticks since it did; None where /proc does not tell."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return int(text.rpartition(")")[2].split()[19])  # field 22; the second one, a name, may hold blanks


class Worker:
    """Starts `python -m retrain run` as a process of its own and knows whether it is under way.

    hangs_after_seconds: without any progress, after which end_if_hung ends it. clock: seconds that only grow.
    """

    def __init__(
        self,
        home: Home,
        environment: Mapping[str, str],
        hangs_after_seconds: float = 900,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.files = WorkerFiles(home)
        self._hangs_after_seconds = hangs_after_seconds
        self._clock = clock
        self._looked_at = clock()
        self._signs: object = None  # of progress, as last seen
        self._still_seconds = 0.0  # for how long they have not changed
        self._asked: tuple[int, float] | None = None  # the process that was asked to end, and after how long
        self._home = home
        self._environment = dict(environment)
        self._was_held = False  # has the process we started been seen at work?
        self._process: subprocess.Popen[bytes] | None = None
        self._starting = threading.Lock()

    def start(self, *, now: bool) -> bool:
        """Start a retraining; False if one is under way. now: also below the threshold."""
        with self._starting:
            if self.is_running():
                return False
            command = [sys.executable, "-m", "retrain", "run", *(["--now"] if now else [])]
            self._was_held = False
            with self.files.log.open("wb") as log:
                self._process = subprocess.Popen(
                    command, env=self._worker_environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
            return True

    def _worker_environment(self) -> dict[str, str]:
        environment = self._environment | {"HOODWINK_HOME": str(self._home.folder)}
        # Found from any folder, and relative paths in the settings keep their meaning.
        environment["PYTHONPATH"] = os.pathsep.join(
            filter(None, [str(REPOSITORY), self._environment.get("PYTHONPATH")])
        )
        if self._home.annotator_key:
            environment["HOODWINK_ANNOTATOR_KEY"] = self._home.annotator_key.decode()
        for secret in ("HOODWINK_MAINTAINER_TOKEN", "HF_TOKEN", "OAUTH_CLIENT_SECRET"):  # no business of its
            environment.pop(secret, None)
        return environment

    def is_running(self) -> bool:
        """Is a worker at work, ours or another process's?"""
        return self._our_pid() is not None or self.files.is_held()

    def _our_pid(self) -> int | None:
        """Of the process we started, while it runs."""
        process = self._process  # once: another thread may forget it
        return process.pid if process is not None and process.poll() is None else None

    def end_if_hung(self) -> None:
        """End a worker that has stood still for too long, ours or one whose server is gone; called again and again.

        Asked first (SIGTERM), then without asking. What became of it is said in its state.
        """
        looked_at, self._looked_at = self._looked_at, self._clock()
        pid = self._our_pid() or self.files.holder()
        if self._asked is not None and self._asked[0] != pid:
            self._asked = None
            self._say_it_hung()
        signs = (pid, *self.files.signs()) if self.is_running() else None
        if signs is None or signs != self._signs:
            self._signs, self._still_seconds = signs, 0.0
            return
        self._still_seconds += min(self._looked_at - looked_at, LONGEST_LOOK_SECONDS)
        if pid is None or self._still_seconds < self._hangs_after_seconds:
            return
        if self._asked is None:
            log.warning("a retraining, process %d, has shown no progress for %.0f s: ended", pid, self._still_seconds)
            self._asked = pid, self._still_seconds
            _send(pid, signal.SIGTERM)
        elif self._still_seconds >= self._asked[1] + GRACE_SECONDS:
            _send(pid, signal.SIGKILL)

    def _say_it_hung(self) -> None:
        try:
            with self.files.held():
                message = HUNG.format(self._hangs_after_seconds)
                self.files.write(WorkerState("failed", round=self.files.read().round, message=message))
        except AlreadyRunning:
            pass  # the next one is at work: its word counts

    def state(self) -> WorkerState:
        """How far the worker is. A worker of ours that ended badly before it could say so counts as failed."""
        process = self._process
        if process is not None and process.poll() is not None:
            self._process = None
            # Into the file: the next retraining, whoever starts it, then takes the failure off the page.
            if process.returncode not in (0, ALREADY_RUNNING) and self.files.read().state == "idle":
                self.files.write(WorkerState("failed", message=self._last_words()))
        elif process is not None and not self._was_held:
            if not self.files.is_held():
                return WorkerState("running", stage="starting")
            self._was_held = True
        return self.files.read()

    def _last_words(self) -> str:
        lines = self.files.log.read_text(errors="replace").strip().splitlines()
        return (lines[-1][:300] if lines else "") or STOPPED


def _send(pid: int, what: signal.Signals) -> None:
    try:
        os.kill(pid, what)
    except ProcessLookupError:
        pass  # ended meanwhile
    except PermissionError:
        log.warning("process %d, a retraining that hangs, is another user's; end it by hand", pid)
