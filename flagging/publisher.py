"""The publisher: keeps a data folder and the Hub the same, beside whatever the app is doing."""

import fcntl
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from huggingface_hub import HfApi

from flagging.database import LedgerUnavailable
from flagging.home import Home
from flagging.hub import HubUnavailable, Overtaken
from flagging.ledger import Ledger
from flagging.outbox import Waiting
from flagging.pace import TooManyCommits
from flagging.settings import HubSettings
from flagging.sync import Sync

log = logging.getLogger("hoodwink")

LOOK_EVERY_SECONDS = 1.0
FOLLOW_EVERY_SECONDS = 20.0
FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 5.0, 900.0
STOP_WITHIN_SECONDS = 25.0
LOCK_WITHIN_SECONDS = 120.0
MOST_OVERTAKEN = 5  # in a row


@dataclass(frozen=True)
class PublisherState:
    """What the page tells of the Hub. unpublished: rows that are only here; since: when the oldest was recorded.

    published_at: when everything there was was last known to be on the Hub, and what was withdrawn to be gone. problem: why it is not, or "".
    """

    repository: str
    unpublished: int = 0
    since: str | None = None
    published_at: str | None = None
    problem: str = ""
    withdrawing: bool = False  # may the Hub still hold something of what was withdrawn?


class Publisher:
    """One thread that pulls before it ever pushes, and tries again, later and later, when the Hub does not answer.

    Nobody waits for it: what is recorded is on disk already.
    """

    def __init__(
        self,
        ledger: Ledger,
        home: Home,
        settings: HubSettings,
        api: HfApi | None = None,
        clock: Callable[[], float] = time.time,
        report: Callable[[int, int], None] | None = None,
    ) -> None:
        self._ledger = ledger
        self._outbox = ledger.outbox()
        self._sync = Sync(ledger, home, settings, api, clock, report)
        self._lock_path = home.folder / "hub.lock"
        self._state = PublisherState(settings.dataset)
        self._stop = threading.Event()
        self._restored = threading.Event()
        self._failures = 0
        self._clock = clock
        self._follow_at = 0.0
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    # -- what others ask ----------------------------------------------------------------------------------

    def start(self) -> None:
        self._thread.start()

    def wait_until_restored(self, seconds: float) -> bool:
        """Wait until everything on the Hub is in the ledger; False if that took longer, or the Hub cannot be reached."""
        until = time.monotonic() + seconds
        while not self._restored.wait(0.1):
            if time.monotonic() > until or self._failures > 1:
                return False
        return True

    def ask_to_stop(self) -> None:
        """Begin to publish what is left."""
        self._stop.set()

    def stop(self) -> None:
        """Publish what is left, if that can be done within seconds."""
        self.ask_to_stop()
        if self._thread.is_alive():
            self._thread.join(STOP_WITHIN_SECONDS)

    @property
    def state(self) -> PublisherState:
        return self._state

    @property
    def merged(self) -> int:
        """How often something came in from the Hub."""
        return self._sync.merged

    # -- the work -----------------------------------------------------------------------------------------

    def publish(self) -> None:
        """Pull, and push until nothing is left. For command lines; raises what the thread would try again after."""
        self._sync.hurry()
        with self._alone():
            self._pull_and_push(to_the_end=True)
        self._tell()

    def restore(self) -> None:
        """Pull only; a repository that is not there is not made. For command lines."""
        with self._alone():
            self._sync.pull(create=False)
        self._tell()

    def look(self) -> None:
        """Do what is due: follow what others published, and publish what waits, if the pace allows it now."""
        if self._clock() >= self._follow_at or self._clock() < self._follow_at - FOLLOW_EVERY_SECONDS:
            with self._alone():
                self._sync.pull()
            self._restored.set()
            self._follow_at = self._clock() + FOLLOW_EVERY_SECONDS
        if self._sync.has_work() and self._sync.wait() <= 0:
            with self._alone():
                self._pull_and_push(to_the_end=False)
        self._failures = 0
        self._tell()

    def _run(self) -> None:
        pause = 0.0
        while not self._stop.wait(pause):
            try:
                self.look()
                pause = LOOK_EVERY_SECONDS
            except Exception as error:
                pause = self._after(error)
        self._end()
        self._ledger.close()

    def _pull_and_push(self, *, to_the_end: bool) -> None:
        overtaken = 0
        while True:
            self._sync.pull()
            try:
                more = self._sync.push()
            except Overtaken:
                overtaken += 1
                if overtaken == MOST_OVERTAKEN:
                    raise
                continue  # read what the other did
            if not more or not (to_the_end or self._sync.wait() <= 0):
                return

    def _end(self) -> None:
        """The last words before the disk may be gone; also to a Hub that did not answer a while ago."""
        try:
            self._sync.hurry()
            if self._sync.has_work():
                with self._alone():
                    self._pull_and_push(to_the_end=True)
        except Exception as error:
            log.warning("not everything could be published before the end: %s", error)

    def _after(self, error: Exception) -> float:
        """Tell what is wrong; how long to wait. Whatever it is, the thread goes on."""
        known = isinstance(error, HubUnavailable | TooManyCommits | LedgerUnavailable | ValueError)
        problem = str(error) if known else "publishing failed for a reason that the log tells"
        try:
            self._tell(problem)
        except LedgerUnavailable:
            self._state = replace(self._state, problem=problem)
        if isinstance(error, TooManyCommits):
            return max(LOOK_EVERY_SECONDS, min(60.0, self._sync.wait()))
        self._failures += 1
        if not known:
            log.error("publishing failed; drawings are kept here and sent later", exc_info=error)
        elif self._failures == 1:
            log.warning("the Hub: %s; drawings are kept here and sent later", error)
        wait = FIRST_RETRY_SECONDS * 2.0 ** min(self._failures - 1, 10)
        told = error.wait_seconds if isinstance(error, HubUnavailable) else None
        # Scattered, so that several that failed together do not come back together.
        return max(told or 0.0, min(LAST_RETRY_SECONDS, wait) * random.uniform(0.75, 1.25))

    def _tell(self, problem: str = "") -> None:
        waiting: Waiting = self._outbox.waiting()
        problem = problem or self._sync.note
        withdrawing = self._sync.is_withdrawing
        now = datetime.now(UTC).isoformat(timespec="seconds")
        published_at = self._state.published_at if waiting.rows or problem or withdrawing else now
        self._state = PublisherState(
            self._state.repository, waiting.rows, waiting.since, published_at, problem, withdrawing
        )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time talks to the Hub for a data folder: an app and a command line, or two apps."""
        until = time.monotonic() + (STOP_WITHIN_SECONDS if self._stop.is_set() else LOCK_WITHIN_SECONDS)
        with self._lock_path.open("a") as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > until:
                        raise HubUnavailable("another process is busy publishing this data folder") from None
                    time.sleep(0.1)
            yield
