"""What a round learns from: which drawings are trained on, which are held out, and why some are neither."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from evaluation.test_sets import as_digits
from flagging.attempts import Attempt
from flagging.ledger import Ledger
from model.bending import Bending, bend, random_amounts
from model.clean_digits import Digits
from model.likeness import features_of, near_pairs
from model.network import Network
from model.strokes import Drawing, rasterise

ACTIVE_ANNOTATORS = 3  # from so many on, no annotator may fill a round's training drawings
ACTIVE_FROM = 5  # drawings that make an annotator active: our choice, so that a passer-by caps nobody
MOST_HARMLESS = 3000  # the newest: enough of what the model reads already


@dataclass(frozen=True)
class Mix:
    """The drawings, sorted.

    train: fooling ones to learn from. harmless: attempts that did not fool, to learn from as well. held_out: test
    drawings of the open round. used: ids of all these and of what was left out, train and test. near_duplicates: left
    out because the other side of the split has one like it. over_share: left out because their annotator has too
    many. largest_share: of one annotator in `train`.
    """

    train: list[Attempt]
    harmless: list[Attempt]
    held_out: list[Attempt]
    used: list[str]
    near_duplicates: int
    over_share: int
    largest_share: float


def mix(ledger: Ledger, round0: Network, round_number: int, max_share: float) -> Mix:
    """Sort what the ledger holds for the round that is being closed."""
    usable = list(ledger.attempts(usable_only=True))
    train, test = [[a for a in usable if a.split == split] for split in ("train", "test")]
    harmless = ledger.harmless_attempts(MOST_HARMLESS)
    clear = _clear(ledger, round0, [*train, *harmless])
    kept = [a for a in train if a.attempt_id in clear]
    fair = capped(kept, max_share)
    by_annotator = Counter(a.annotator for a in fair)
    return Mix(
        train=fair,
        harmless=capped([a for a in harmless if a.attempt_id in clear], max_share),
        held_out=[a for a in test if a.round == round_number and a.attempt_id in clear],
        used=[a.attempt_id for a in [*usable, *harmless]],
        near_duplicates=sum(a.attempt_id not in clear for a in [*usable, *harmless]),
        over_share=len(kept) - len(fair),
        largest_share=max(by_annotator.values(), default=0) / max(len(fair), 1),
    )


def held_out_of(ledger: Ledger, round0: Network, round_number: int) -> list[Attempt]:
    """The held-out fooling drawings of a round, without what is like a drawing that may be trained on."""
    usable = list(ledger.attempts(usable_only=True))
    clear = _clear(ledger, round0, [a for a in usable if a.split == "train"])
    return [a for a in usable if a.split == "test" and a.round == round_number and a.attempt_id in clear]


def _clear(ledger: Ledger, round0: Network, to_learn: Sequence[Attempt]) -> set[str]:
    """Ids of what has no near-duplicate on the other side of the split, train and test.

    Test drawings that did not fool or wait for judges guard their copies too; and what was ever learnt keeps its copies out
    of the test sets, though it may have been retracted or hidden since.
    """
    train = {a.attempt_id: a for a in [*ledger.learnt_drawings(), *to_learn]}
    sides = without_near_duplicates(
        list(train.values()), ledger.test_drawings(), committed(ledger), Features(ledger, round0)
    )
    return {a.attempt_id for side in sides for a in side}


class Features:
    """What the round-0 network makes of drawings: as the ledger keeps it, else looked at now."""

    def __init__(self, ledger: Ledger, round0: Network) -> None:
        self._kept = ledger.features()
        self._round0 = round0

    def of(self, attempts: Sequence[Attempt]) -> Tensor:
        """(N, 50)"""
        missing = [a for a in attempts if a.attempt_id not in self._kept]
        for attempt, features in zip(missing, features_of(self._round0, as_digits(missing).images), strict=True):
            self._kept[attempt.attempt_id] = features.numpy().tobytes()
        rows = [np.frombuffer(self._kept[a.attempt_id], np.float32) for a in attempts]
        return torch.from_numpy(np.stack(rows)) if rows else torch.zeros(0, self._round0.fc2.in_features)


def bent_digits(
    drawings: Sequence[Drawing], digits: Sequence[int], count: int, how: Bending, rng: np.random.Generator
) -> Digits:
    """About `count` images: every drawing as it is, then bent again and again, each as often as every other."""
    if not drawings:
        return Digits(torch.zeros(0, 28, 28, dtype=torch.uint8), torch.zeros(0, dtype=torch.int64))
    each = max(1, count // len(drawings))
    images = [rasterise(bend(d, how, random_amounts(rng)) if nth else d) for d in drawings for nth in range(each)]
    return Digits(torch.from_numpy(np.stack(images)), torch.tensor(digits).repeat_interleave(each))


def committed(ledger: Ledger) -> dict[str, int]:
    """The round in which each drawing was first trained on, or frozen into a test set."""
    rounds = ledger.used()
    for closed in ledger.closed_rounds():
        for attempt_id in closed.test_set:
            rounds[attempt_id] = min(closed.number, rounds.get(attempt_id, closed.number))
    return rounds


def without_near_duplicates(
    train: Sequence[Attempt], test: Sequence[Attempt], first_used: Mapping[str, int], features: Features
) -> tuple[list[Attempt], list[Attempt]]:
    """Both sides without what has a near-duplicate on the other side: nothing like a test drawing is trained on.

    Of two that are alike the one stays that was used first, and if neither was, the one drawn first; the other is
    neither trained on nor tested with. So a test set that was frozen stays free of what later rounds learn.
    """
    never = max(first_used.values(), default=0) + 1

    def age(attempt: Attempt) -> tuple[int, str]:
        return first_used.get(attempt.attempt_id, never), attempt.created_at

    drop_train, drop_test = set(), set()
    for i, j in near_pairs(features.of(train), features.of(test)):
        if age(train[i]) < age(test[j]):
            drop_test.add(j)
        else:
            drop_train.add(i)
    return (
        [a for i, a in enumerate(train) if i not in drop_train],
        [a for j, a in enumerate(test) if j not in drop_test],
    )


def capped(attempts: Sequence[Attempt], max_share: float) -> list[Attempt]:
    """At most `max_share` of the drawings from one annotator, their newest; once three annotators are active.

    Three or four annotators cannot all stay below a fifth: there an equal part each is the most.
    """
    counts = Counter(a.annotator for a in attempts)
    active = sum(count >= ACTIVE_FROM for count in counts.values())
    if active < ACTIVE_ANNOTATORS:
        return list(attempts)
    share = max(max_share, 1 / active)
    limit = max(counts.values())
    while limit > 1 and limit > share * sum(min(n, limit) for n in counts.values()) + 1e-9:
        limit -= 1
    kept: Counter[str] = Counter()
    newest = []
    for attempt in reversed(attempts):
        kept[attempt.annotator] += 1
        if kept[attempt.annotator] <= limit:
            newest.append(attempt)
    return newest[::-1]
