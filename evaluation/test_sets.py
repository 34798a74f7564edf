"""People's drawings as images to test on, and the frozen test sets of closed rounds."""

import json
from collections.abc import Sequence, Set
from dataclasses import dataclass

import numpy as np
import torch

from flagging.attempts import Attempt
from flagging.ledger import Ledger
from model.clean_digits import Digits
from model.strokes import Drawing, check_strokes, rasterise


@dataclass(frozen=True)
class FrozenSet:
    """The held-out fooling drawings of a round that are still usable. fooled: weights ids, one of each drawing."""

    round: int
    digits: Digits
    fooled: tuple[str, ...]

    def without(self, weights_ids: Set[str]) -> "FrozenSet":
        """The drawings that fooled none of these weights."""
        kept = [index for index, fooled in enumerate(self.fooled) if fooled not in weights_ids]
        digits = Digits(self.digits.images[kept], self.digits.labels[kept])
        return FrozenSet(self.round, digits, tuple(self.fooled[index] for index in kept))


def as_digits(attempts: Sequence[Attempt]) -> Digits:
    """Attempts as images, drawn anew from their strokes, and the digits they show."""
    images = [rasterise(drawing) for drawing in as_drawings(attempts)]
    stacked = np.stack(images) if images else np.zeros((0, 28, 28), np.uint8)
    return Digits(torch.from_numpy(stacked), torch.tensor([a.digit for a in attempts], dtype=torch.int64))


def as_drawings(attempts: Sequence[Attempt]) -> list[Drawing]:
    return [check_strokes(json.loads(attempt.strokes)) for attempt in attempts]


def frozen_sets(ledger: Ledger) -> list[FrozenSet]:
    """The frozen test set of every round that has a drawing left in it, by round."""
    attempts = ledger.frozen_drawings()  # first: a round that closes meanwhile may be missed, its drawings may not
    rounds = {attempt_id: closed.number for closed in ledger.closed_rounds() for attempt_id in closed.test_set}
    drawn: dict[int, list[Attempt]] = {}
    for attempt in attempts:
        drawn.setdefault(rounds[attempt.attempt_id], []).append(attempt)
    return [
        FrozenSet(number, as_digits(attempts), tuple(a.weights_id for a in attempts))
        for number, attempts in sorted(drawn.items())
    ]
