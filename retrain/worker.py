"""The worker: one process at a time fine-tunes for a data folder; everybody can see how far it is."""

import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from flagging.attempts import Refused
from flagging.home import Home

REPOSITORY = Path(__file__).parents[1]
STOPPED = "the retraining was stopped before it ended; no drawing is lost, the next retraining learns from them all"


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


class Worker:
    """Starts `python -m retrain run` as a process of its own and knows whether it is under way."""

    def __init__(self, home: Home, environment: Mapping[str, str]) -> None:
        self.files = WorkerFiles(home)
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
        return (self._process is not None and self._process.poll() is None) or self.files.is_held()

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
