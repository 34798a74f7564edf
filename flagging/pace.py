"""How often the Hub may be written to: a share of the commits it allows in an hour, and never more."""

import time
import uuid
from collections.abc import Callable, Mapping
from typing import Protocol

HOUR = 3600.0


class Commits(Protocol):
    """The commits to a repository within the last hour, by id: kept where a restart and other processes find them."""

    def recent(self, now: float) -> list[float]: ...  # when they were made, in order; none later than now
    def add(self, commits: Mapping[str, float]) -> None: ...
    def rename(self, before: str, after: str) -> None: ...


class TooManyCommits(RuntimeError):
    """This hour's commits are used up; what waits is kept and goes later."""


class Pace:
    """Counts commits of the last hour, and says when the next one may be.

    Ordinary rows go at most every few minutes. What others wait for, a promotion or a withdrawal, goes at once in a quiet
    hour, and the fuller the hour, the later. An eighth is kept back for shutting down.
    """

    def __init__(self, per_hour: int, commits: Commits, clock: Callable[[], float] = time.time) -> None:
        self._per_hour = per_hour
        self._commits = commits
        self._clock = clock

    @property
    def per_hour(self) -> int:
        return self._per_hour

    @property
    def interval(self) -> float:
        """Seconds between ordinary commits: 1.6 times an even spread, three minutes at 32 an hour."""
        return HOUR / self._per_hour * 1.6

    def learn(self, commits: Mapping[str, float]) -> None:
        """Commits that are in the repository, whoever made them: seconds since 1970, by id."""
        self._commits.add(commits)

    def count(self) -> str:
        """A commit is about to be made: what it is called until `made`. Raises TooManyCommits if there may be none now."""
        if len(self._recent()) >= self._per_hour:
            raise TooManyCommits(
                f"{self._per_hour} commits were made within the hour, a quarter of what the Hub allows; the rest goes later"
            )
        name = f"about to be made {uuid.uuid4().hex}"
        self._commits.add({name: self._clock()})
        return name

    def made(self, name: str, commit: str) -> None:
        """It was made; also if it is read in the repository's history, it counts once."""
        self._commits.rename(name, commit)

    def room(self) -> int:
        """How many commits may be made now, besides those kept back."""
        return self._most() - len(self._recent())

    def wait(self, *, urgent: bool) -> float:
        """Seconds until the next commit should be made."""
        now, recent, most = self._clock(), self._recent(), self._most()
        if len(recent) >= most:
            return recent[-most] + HOUR - now
        spacing = HOUR / self._per_hour * 1.3 * len(recent) / most if urgent else self.interval
        return max(0.0, recent[-1] + spacing - now) if recent else 0.0

    def _most(self) -> int:
        return max(1, self._per_hour - self._per_hour // 8)

    def _recent(self) -> list[float]:
        return self._commits.recent(self._clock())
