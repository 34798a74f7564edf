"""How much one annotator and one address may ask for: floods are slowed down first, then refused with a sentence."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from flagging.attempts import Refused
from ui.people import Visitor

MOST_KEYS = 20_000  # of one limit; beyond, those that have had a rest are forgotten
ORDINARY_BYTES = (
    8000  # of a request; a drawing of thousands of points counts as several, as it takes the time of several
)
LONGEST_WAIT_SECONDS = 0.25  # a little too fast is only slowed down; whoever would wait longer is refused


class TooMany(Refused):
    """Refused for the number of requests alone; the same request is taken again in a moment."""


@dataclass(frozen=True)
class Rate:
    """So many a second for good, and `burst` more at once after a rest; whoever would wait longer than `patience` seconds is refused."""

    per_second: float
    burst: int
    patience: float = LONGEST_WAIT_SECONDS


class Limit:
    """Requests of one kind, each key (annotator or address) for itself.

    The generic cell rate algorithm (ITU-T I.371): one number a key, the time at which all it asked for would be done at
    the steady rate.
    """

    def __init__(self, what: str, of: str, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._what, self._of, self._rate, self._clock = what, of, rate, clock
        self._done: dict[str, float] = {}

    def take(self, key: str, cost: float = 1.0) -> float:
        """Count a request, as `cost` ordinary ones; seconds to wait before it is answered. Raises TooMany, then it is not counted."""
        wait = self.wait(key)
        self.count(key, cost)
        return wait

    def wait(self, key: str) -> float:
        """Seconds until the next request of this key is answered. Raises TooMany."""
        now = self._clock()
        wait = max(0.0, self._done.get(key, now) - now - self._rate.burst / self._rate.per_second)
        if wait > self._rate.patience:
            raise TooMany(
                f"too many {self._what} from one {self._of}: {self._rate.per_second:g} a second are answered; "
                "this request recorded nothing, wait a second and go on"
            )
        return wait

    def count(self, key: str, cost: float) -> None:
        now = self._clock()
        if key not in self._done and len(self._done) >= MOST_KEYS:
            self._forget(now)
        self._done[key] = max(self._done.get(key, now), now) + cost / self._rate.per_second

    def _forget(self, now: float) -> None:
        rested = [key for key, done in self._done.items() if done <= now]
        for key in rested or list(self._done)[: MOST_KEYS // 2]:
            del self._done[key]


class Limits:
    """All limits of a running game.

    scale: HOODWINK_LIMITS; 2 allows twice as much, 0 anything. Raises ValueError for less.
    """

    # A pen moves 60 to 120 times a second and asks once at a time; a class of 64 draws behind one address.
    PREDICTIONS = Rate(100, 200), Rate(4000, 40_000)
    # The next two are of an address. A class opens its pages at once.
    KILOBYTES = Rate(6000, 12_000)  # two seconds' worth at once: many large bodies hold others up
    PAGES = Rate(40, 100, 2.0)
    EXPLANATIONS = Rate(30, 60), Rate(300, 2000)
    SUBMISSIONS = Rate(20, 100), Rate(200, 2000)
    READINGS = Rate(10, 60), Rate(100, 1000)

    def __init__(self, scale: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        if not 0 <= scale <= 1_000_000:
            raise ValueError(f"HOODWINK_LIMITS is {scale}; use 1, more for more at once, or 0 for no limits")

        def pair(what: str, rates: tuple[Rate, Rate]) -> list[Limit]:
            scaled = [replace(r, per_second=r.per_second * scale, burst=r.burst * scale) for r in rates if scale]
            return [Limit(what, of, rate, clock) for of, rate in zip(("annotator", "address"), scaled, strict=False)]

        self._kilobytes = pair("kilobytes", (self.KILOBYTES, self.KILOBYTES))[1:]
        self._pages = pair("pages", (self.PAGES, self.PAGES))[1:]
        self._predictions = pair("predictions", self.PREDICTIONS)
        self._explanations = pair("explanations", self.EXPLANATIONS)
        self._submissions = pair("drawings", self.SUBMISSIONS)
        self._readings = pair("readings", self.READINGS)

    async def sending(self, address: str, size: int) -> None:
        """Before so many bytes are read. Raises TooMany."""
        await _wait(self._kilobytes, (address,), size / 1000)

    async def opening(self, address: str) -> None:
        """Before a page, or what describes it, is made. Raises TooMany."""
        await _wait(self._pages, (address,))

    async def predicting(self, who: Visitor) -> None:
        """Returns when it is this visitor's turn. Raises TooMany, after a while that a loop of requests feels."""
        await _wait(self._predictions, _keys(who), max(1.0, who.size / ORDINARY_BYTES))

    async def explaining(self, who: Visitor) -> None:
        await _wait(self._explanations, _keys(who), max(1.0, who.size / ORDINARY_BYTES))

    async def submitting(self, who: Visitor) -> None:
        """Withdrawing and taking back too."""
        await _wait(self._submissions, _keys(who))

    async def judging(self, who: Visitor) -> None:
        await _wait(self._readings, _keys(who))


def _keys(who: Visitor) -> tuple[str, str]:
    return who.token, who.address


async def _wait(limits: list[Limit], keys: tuple[str, ...], cost: float = 1.0) -> None:
    try:
        # First both are asked, then both count: a refusal by one uses up nothing of the other.
        wait = max((limit.wait(key) for limit, key in zip(limits, keys, strict=False)), default=0.0)
        for limit, key in zip(limits, keys, strict=False):
            limit.count(key, cost)
    except TooMany:
        # Not all after the same while: those who were refused at once would be back at once.
        await asyncio.sleep(random.uniform(1, 2) * LONGEST_WAIT_SECONDS)
        raise
    if wait:
        await asyncio.sleep(wait)
