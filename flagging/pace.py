"""How often the Hub may be written to: a share of the commits it allows in an hour, and never more."""

import time
from collections import deque
from collections.abc import Callable, Iterable

HOUR = 3600.0


class TooManyCommits(RuntimeError):
    """This hour's commits are used up; what waits is kept and goes later."""


class Pace:
    """Counts commits of the last hour, and says when the next one may be.

    Ordinary rows go at most every few minutes. What others wait for, a promotion or a withdrawal, goes at once in a quiet
    hour, and the fuller the hour, the later. An eighth is kept back for shutting down.
    """

    def __init__(self, per_hour: int, clock: Callable[[], float] = time.time) -> None:
        self._per_hour = per_hour
        self._clock = clock
        self._commits: deque[float] = deque()

    def remember(self, commits: Iterable[float]) -> None:
        """Commits that others made, or this process before it was restarted: seconds since 1970."""
        self._commits = deque(sorted([*self._commits, *commits]))

    def count(self) -> None:
        """A commit is about to be made. Raises TooManyCommits if there may be none now."""
        if len(self._recent()) >= self._per_hour:
            raise TooManyCommits(
                f"{self._per_hour} commits were made within the hour, a quarter of what the Hub allows; the rest goes later"
            )
        self._commits.append(self._clock())

    def room(self) -> int:
        """How many commits may be made now, besides those kept back."""
        return self._per_hour - self._per_hour // 8 - len(self._recent())

    def wait(self, *, urgent: bool) -> float:
        """Seconds until the next commit should be made."""
        now, recent = self._clock(), self._recent()
        most = max(1, self._per_hour - self._per_hour // 8)
        if len(recent) >= most:
            return recent[-most] + HOUR - now
        # 1.6 intervals of an even spread: every three minutes at 32 an hour.
        spacing = HOUR / self._per_hour * (1.3 * len(recent) / most if urgent else 1.6)
        return max(0.0, recent[-1] + spacing - now) if recent else 0.0

    def _recent(self) -> list[float]:
        now = self._clock()
        # After a clock went back, commits seem to be still to come: they were made by now.
        self._commits = deque(min(moment, now) for moment in self._commits if moment > now - HOUR)
        return list(self._commits)
