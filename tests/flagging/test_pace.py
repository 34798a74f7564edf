"""How often the Hub may be written to."""

import itertools

import pytest

from flagging.pace import HOUR, Pace, TooManyCommits


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Remembered:
    """Commits in memory."""

    def __init__(self) -> None:
        self.commits: dict[str, float] = {}

    def recent(self, now: float) -> list[float]:
        self.commits = {name: min(at, now) for name, at in self.commits.items() if at > now - HOUR}
        return sorted(self.commits.values())

    def add(self, commits: dict[str, float]) -> None:
        self.commits = commits | self.commits

    def rename(self, before: str, after: str) -> None:
        self.commits[after] = self.commits.pop(before)


def commit_whenever_allowed(pace: Pace, clock: Clock, seconds: int, *, urgent: bool) -> list[float]:
    made = []
    for _ in range(seconds):
        clock.now += 1
        if pace.wait(urgent=urgent) <= 0:
            pace.count()
            made.append(clock.now)
    return made


def busiest_hour(commits: list[float]) -> int:
    return max(sum(start <= moment < start + HOUR for moment in commits) for start in commits)


def test_ordinary_rows_go_every_three_minutes():
    clock = Clock()
    made = commit_whenever_allowed(Pace(32, Remembered(), clock), clock, 4 * 3600, urgent=False)
    assert {after - before for before, after in itertools.pairwise(made)} == {180.0}


def test_urgent_ones_go_at_once_in_a_quiet_hour_and_never_more_than_allowed():
    clock = Clock()
    made = commit_whenever_allowed(Pace(32, Remembered(), clock), clock, 4 * 3600, urgent=True)
    assert made[1] - made[0] <= 6
    assert busiest_hour(made) <= 28  # four are kept back for shutting down


def test_the_limit_holds_whoever_asks():
    clock = Clock()
    pace = Pace(32, Remembered(), clock)
    for _ in range(32):
        pace.count()
    with pytest.raises(TooManyCommits, match="32 commits were made within the hour, a quarter of what the Hub allows"):
        pace.count()
    clock.now += HOUR
    pace.count()


def test_commits_of_others_and_of_before_a_restart_count():
    clock = Clock()
    pace = Pace(32, Remembered(), clock)
    pace.learn({f"commit {n}": clock.now - 60 * n for n in range(28)})
    assert pace.wait(urgent=True) == pytest.approx(HOUR - 27 * 60)


def test_a_commit_that_is_also_read_in_the_history_counts_once():
    clock = Clock()
    pace = Pace(32, Remembered(), clock)
    pace.made(pace.count(), "abc")
    pace.learn({"abc": clock.now})
    assert pace.room() == 27


def test_a_clock_that_went_back_does_not_stop_publishing_for_longer_than_an_hour():
    clock = Clock()
    pace = Pace(2, Remembered(), clock)
    pace.count()
    pace.count()
    clock.now -= 100 * HOUR
    assert pace.wait(urgent=True) <= HOUR
    clock.now += HOUR + 1
    assert pace.wait(urgent=True) <= 0
