"""How much one annotator and one address may ask for."""

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.made import run
from ui import limits
from ui.limits import LONGEST_WAIT_SECONDS, Limit, Limits, Rate, TooMany
from ui.people import Account, Visitor


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def taken(limit, key, count):
    """How many of so many at once are taken, and how long the last of them waits."""
    wait = 0.0
    for number in range(count):
        try:
            wait = limit.take(key)
        except TooMany:
            return number, wait
    return count, wait


def test_a_burst_goes_at_once_then_a_little_is_slowed_down_and_more_is_refused(clock):
    limit = Limit("drawings", "annotator", Rate(20, 100), clock)
    assert all(limit.take("a") == 0 for _ in range(101))
    assert limit.take("a") == pytest.approx(1 / 20)
    more, wait = taken(limit, "a", 100)
    assert more in (4, 5)
    assert wait <= LONGEST_WAIT_SECONDS
    with pytest.raises(TooMany, match="too many drawings from one annotator: 20 a second are answered; this request"):
        limit.take("a")
    assert limit.take("b") == 0


def test_after_a_rest_there_is_a_burst_again(clock):
    limit = Limit("drawings", "annotator", Rate(20, 100), clock)
    taken(limit, "a", 200)
    clock.now += 100 / 20 + LONGEST_WAIT_SECONDS + 0.06
    assert taken(limit, "a", 101) == (101, 0)


@given(steps=st.lists(st.floats(0, 0.2), min_size=1, max_size=300))
def test_never_more_than_the_burst_and_the_steady_rate(steps):
    clock, rate = Clock(), Rate(10, 5)
    limit, answered = Limit("drawings", "annotator", rate, clock), []
    for step in steps:
        clock.now += step
        with suppress(TooMany):
            answered.append(clock.now + limit.take("a"))
    for first in range(0, len(answered), 7):
        for last in range(first, len(answered), 5):
            assert last - first <= rate.burst + 1 + rate.per_second * (answered[last] - answered[first]) + 1e-6


def test_what_is_refused_is_not_counted(clock):
    limit = Limit("drawings", "annotator", Rate(10, 5), clock)
    taken(limit, "a", 1000)
    clock.now += 0.11
    limit.take("a")


def test_those_who_rested_are_forgotten_first(clock, monkeypatch):
    monkeypatch.setattr(limits, "MOST_KEYS", 50)
    limit = Limit("drawings", "address", Rate(1, 2), clock)
    taken(limit, "busy", 10)
    for number in range(49):
        limit.take(f"passer-by {number}")
    clock.now += 1.5
    for number in range(1000):
        limit.take(f"new {number}") if number < 49 else None
    assert len(limit._done) <= 51
    with pytest.raises(TooMany):
        taken(limit, "busy", 1) and limit.take("busy") and limit.take("busy")


def test_keys_without_a_rest_do_not_fill_the_memory(clock, monkeypatch):
    monkeypatch.setattr(limits, "MOST_KEYS", 50)
    limit = Limit("drawings", "address", Rate(1, 2), clock)
    for number in range(1000):
        limit.take(f"new {number}")
    assert len(limit._done) <= 51


def test_an_address_is_limited_whoever_asks_from_it(clock):
    game = Limits(1, clock)

    async def ask():
        for number in range(Limits.SUBMISSIONS[1].burst + 1):
            await game.submitting(Visitor(f"browser:{number:08d}", None, "1.2.3.4"))
        await game.submitting(Visitor("browser:elsewhere", None, "1.2.3.5"))
        for number in range(100):
            await game.submitting(Visitor(f"browser:another-{number:08d}", None, "1.2.3.4"))

    with pytest.raises(TooMany, match="from one address"):
        run(ask)


def test_a_refusal_by_the_address_uses_up_nothing_of_the_annotator_s(clock):
    game = Limits(1, clock)
    burst = Limits.SUBMISSIONS[1].burst

    async def ask():
        for number in range(burst + 51):
            await game.submitting(Visitor(f"browser:{number:08d}", None, "1.2.3.4"))
        for _ in range(8):
            with pytest.raises(TooMany, match="from one address"):
                await game.submitting(Visitor("browser:a-child", None, "1.2.3.4"))
        for _ in range(100):
            await game.submitting(Visitor("browser:a-child", None, "1.2.3.5"))

    run(ask)


def test_the_largest_drawings_count_as_many(clock):
    game, who = Limits(1, clock), Visitor("browser:one-of-them", None, "1.2.3.4", 400_000)
    taken = 0

    async def ask():
        nonlocal taken
        while True:
            await game.predicting(who)
            taken += 1

    with pytest.raises(TooMany):
        run(ask)
    assert 4 <= taken <= 6


def test_an_account_is_one_annotator_in_all_its_browsers(clock):
    game, account = Limits(1, clock), Account("1", "alice")

    async def ask():
        for number in range(200):
            await game.submitting(Visitor(f"browser:{number:08d}", account, str(number)))

    with pytest.raises(TooMany, match="from one annotator"):
        run(ask)


def test_who_is_refused_waits_for_the_refusal(clock):
    game = Limits(1, clock)

    async def ask():
        while True:
            await game.judging(Visitor("browser:one-of-them"))

    began = time.monotonic()
    with pytest.raises(TooMany):
        run(ask)
    assert time.monotonic() - began >= LONGEST_WAIT_SECONDS


def test_0_is_no_limit_and_2_is_twice_as_much(clock):
    who = Visitor("browser:one-of-them")

    async def ask(game, count):
        for _ in range(count):
            await game.submitting(who)

    run(ask, Limits(0, clock), 5000)
    run(ask, Limits(2, clock), 200)
    with pytest.raises(ValueError, match="HOODWINK_LIMITS is -1; use 1"):
        Limits(-1)
