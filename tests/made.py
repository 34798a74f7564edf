"""Small data the tests make: digits from ten simple strokes, answers, attempts."""

import inspect
import random
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import anyio
import numpy as np
import torch
from numpy.typing import NDArray

from flagging.attempts import Attempt
from flagging.decisions import ClosedRound, DecisionKind
from flagging.ledger import Ledger
from model.clean_digits import CleanDigits, Digits
from model.strokes import Strokes, check_strokes, rasterise

# One plain way to write each digit, corner points on a 280 x 280 canvas.
PLAIN: dict[int, Strokes] = {
    0: [[[140, 60], [95, 90], [90, 190], [140, 220], [185, 190], [185, 90], [140, 60]]],
    1: [[[140, 60], [140, 220]]],
    2: [[[95, 90], [140, 60], [185, 95], [95, 220], [190, 220]]],
    3: [[[95, 70], [185, 70], [135, 130], [185, 180], [140, 220], [95, 205]]],
    4: [[[165, 220], [165, 60], [90, 165], [195, 165]]],
    5: [[[185, 60], [100, 60], [98, 130], [160, 125], [185, 170], [150, 220], [95, 205]]],
    6: [[[170, 60], [110, 120], [95, 185], [140, 220], [180, 185], [150, 145], [100, 165]]],
    7: [[[90, 65], [190, 65], [125, 220]]],
    8: [[[140, 135], [100, 95], [140, 60], [180, 95], [140, 135], [95, 180], [140, 220], [185, 180], [140, 135]]],
    9: [[[180, 95], [135, 60], [100, 95], [130, 135], [180, 95], [180, 220]]],
}


def bent(strokes: Strokes, rng: random.Random, by: float = 8) -> Strokes:
    """The same digit written a little differently, somewhere else."""
    right, down = rng.uniform(-2 * by, 2 * by), rng.uniform(-2 * by, 2 * by)
    return [[[x + right + rng.uniform(-by, by), y + down + rng.uniform(-by, by)] for x, y in s] for s in strokes]


def made_digits(seed: int = 0) -> CleanDigits:
    """Plain digits, bent; 600 to train on, 100 to decide, 100 to report."""
    rng = random.Random(seed)

    def some(count: int) -> Digits:
        labels = [i % 10 for i in range(count)]
        images = np.stack([rasterise(check_strokes(bent(PLAIN[label], rng))) for label in labels])
        return Digits(torch.from_numpy(images), torch.tensor(labels))

    return CleanDigits(some(600), some(100), some(100))


@dataclass(frozen=True)
class FakeAnswer:
    """What a model says that always says the same."""

    prediction: int = 3
    promotion: int = 0
    weights_id: str = "0123456789abcdef"
    strokes: Strokes = field(default_factory=lambda: [[[140, 60], [140, 220]]])
    raster_version: int = 1

    @property
    def image(self) -> NDArray[np.uint8]:
        return rasterise(check_strokes(self.strokes))

    @property
    def probabilities(self) -> tuple[float, ...]:
        return tuple(0.91 if digit == self.prediction else 0.01 for digit in range(10))


def add_attempts(
    ledger: Ledger, count: int, *, label: int = 1, prediction: int = 3, annotator: str = "ann"
) -> list[Attempt]:
    """Attempts under the promotion that is served, no two alike."""
    served, name = ledger.served(), ledger.annotator(annotator)
    first = ledger.totals().attempts
    made = []
    for number in range(first, first + count):
        strokes = bent(PLAIN[label], random.Random(f"{annotator} {number}"), by=20)
        answer = FakeAnswer(prediction, served.number, served.weights_id, strokes)
        made.append(ledger.record_attempt(answer, label, name, f"try-{uuid.uuid4()}"))
    return made


def add_fooling(ledger: Ledger, count: int, annotator: str = "ann") -> list[Attempt]:
    return add_attempts(ledger, count, annotator=annotator)


def close(ledger: Ledger, decision: DecisionKind = "promoted", weights_id: str = "feedfeedfeedfeed") -> ClosedRound:
    """A decision that rests on all that is usable."""
    usable = list(ledger.attempts(usable_only=True))
    now = ledger.open_round()
    held_out = [a.attempt_id for a in usable if a.split == "test" and a.round == now.number]
    used = [] if decision == "rolled back" else [a.attempt_id for a in usable]
    return ledger.close_round(decision, "for the test", weights_id, {}, began=now, used=used, test_set=held_out)


def functions(component: Any) -> dict[str, Any]:
    """The server functions, to be called as plain ones, also those that wait their turn."""

    def plain(function: Any) -> Any:
        if not inspect.iscoroutinefunction(function):
            return function
        return lambda *arguments: run(function, *arguments)

    return {function.__name__: plain(function) for function in component.server_fns}


def run(function: Any, *arguments: Any) -> Any:
    """anyio.run, in a thread of its own: a browser that tests have open keeps an event loop in the main one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(anyio.run, function, *arguments).result()
