"""What the rounds brought: each as plain JSON, and every round's weights against every round's test set."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from evaluation.metrics import Share, share
from evaluation.test_sets import as_digits
from flagging.attempts import Attempt
from flagging.decisions import ClosedRound, OpenRound, RoundCounts
from flagging.ledger import Ledger
from model.clean_digits import Digits
from model.training import predict_digits
from model.weights import WeightsDamaged, build_network, load_weights

AT_ONCE = 200  # images through a network


def describe_round(closed: ClosedRound) -> dict[str, Any]:
    """A closed round as plain JSON, its rates with Wilson 95 % intervals.

    vmer is None where nobody judges: with a quorum of 0.
    """
    return {
        "round": closed.number,
        "weights_id": closed.weights_id,
        "decision": closed.decision,
        "reason": closed.reason,
        "promotion": closed.promotion,
        "closed_at": closed.closed_at,
        **_rates(closed.counts, closed.figures.get("quorum", 0)),
        "held_out": len(closed.test_set),
        "clean_accuracy_before": None,
        "clean_accuracy_after": None,
        **closed.figures,
    }


def describe_open(now: OpenRound, attempts: Sequence[Attempt] = ()) -> dict[str, Any]:
    """The open round as it is now, in the words of describe_round. attempts: its own, for what `played` tells."""
    return {
        "round": now.number,
        "weights_id": now.weights_id,
        "decision": "open",
        **_rates(now.counts, now.quorum),
        "ready": now.ready,
        "quorum": now.quorum,
        **(played(attempts, blind=now.quorum > 0) if attempts else {}),
    }


def _rates(counts: RoundCounts, quorum: int) -> dict[str, Any]:
    return {
        **asdict(counts),
        "mer": asdict(share(counts.fooling, counts.attempts)),
        "vmer": asdict(share(counts.verified, counts.attempts)) if quorum else None,
        "fooling_per_try": asdict(share(counts.fooling, counts.tries)),
    }


def played(attempts: Sequence[Attempt], *, blind: bool) -> dict[str, Any]:
    """Who drew in a round, how long until the model was fooled, and what it took for what.

    blind: others are to judge; what a drawing was meant and seen as is not counted before they have.
    seconds_until_fooled: median time from pen down to the last point, over fooling attempts whose browser sent times.
    """
    took = [seconds for a in attempts if a.model_wrong and (seconds := _seconds(a.strokes)) is not None]
    confusion = [[0] * 10 for _ in range(10)]  # meant, seen
    for attempt in (a for a in attempts if not (blind and a.state == "pending")):
        confusion[attempt.label][attempt.prediction] += 1
    return {
        "annotators": len({a.annotator for a in attempts}),
        "seconds_until_fooled": round(statistics.median(took), 1) if took else None,
        "seconds_until_fooled_n": len(took),
        "confusion": confusion,
    }


def _seconds(strokes: str) -> float | None:
    times = [point[2] for stroke in json.loads(strokes) for point in stroke if len(point) > 2]
    return (max(times) - min(times)) / 1000 if len(times) > 1 else None


@dataclass(frozen=True)
class Matrix:
    """How weights read frozen test sets: `cells[row][column]` for `weights[row]` and `test_sets[column]`.

    A cell whose drawings fooled just these weights is `by_construction`: 0 says nothing there.
    """

    weights: list[dict[str, Any]]  # round they were made in (0: shipped), weights_id
    test_sets: list[int]  # rounds
    cells: list[list[dict[str, Any]]]


@dataclass(frozen=True)
class _TestSet:
    """A frozen test set as far as it is still there. key: changes with the drawings in it."""

    digits: Digits
    fooled: frozenset[str]  # the weights its drawings fooled
    key: int


class History:
    """The matrix of a ledger. A cell is worked out once and kept: it changes only with the drawings in its test set."""

    def __init__(self, ledger: Ledger, weights_folder: Path) -> None:
        self._ledger = ledger
        self._folder = weights_folder
        self._known: dict[tuple[str, int, int], Share] = {}
        self._sets: dict[int, _TestSet] = {}

    def matrix(self) -> Matrix:
        """Every weights that were promoted against the test set of every round that has one."""
        rounds = self._ledger.closed_rounds()
        sets = self._test_sets(rounds)
        first = [{"round": 0, "weights_id": self._ledger.promotions()[0].weights_id}]
        made = [{"round": r.number, "weights_id": r.weights_id} for r in rounds if r.decision == "promoted"]
        rows = [self._row(str(weights["weights_id"]), sets) for weights in first + made]
        return Matrix(first + made, sorted(sets), rows)

    def _test_sets(self, rounds: Sequence[ClosedRound]) -> dict[int, _TestSet]:
        sets = {}
        for number in (r.number for r in rounds if r.test_set):
            attempts = self._ledger.frozen_drawings(number)  # round by round: not all strokes are in memory at once
            key, kept = hash(tuple((a.attempt_id, a.digit) for a in attempts)), self._sets.get(number)
            if kept is None or kept.key != key:
                kept = _TestSet(as_digits(attempts), frozenset(a.weights_id for a in attempts), key)
            if attempts:
                sets[number] = kept
        self._sets = sets
        return sets

    def _row(self, weights_id: str, sets: dict[int, _TestSet]) -> list[dict[str, Any]]:
        missing = {n: s for n, s in sets.items() if (weights_id, n, s.key) not in self._known}
        if missing:
            self._score(weights_id, missing)
        cells = []
        for number in sorted(sets):
            known = self._known.get((weights_id, number, sets[number].key), share(0, 0))
            cells.append({"by_construction": sets[number].fooled == {weights_id}, **asdict(known)})
        return cells

    def _score(self, weights_id: str, sets: dict[int, _TestSet]) -> None:
        try:
            network = build_network(load_weights(self._folder, weights_id))
        except WeightsDamaged:
            return  # shown as unknown: the page tells of damaged weights elsewhere
        # All in one go and the same number at a time: every new batch size is another kernel that oneDNN keeps in memory.
        # Channels last: max-pooling takes a third of the time.
        images = torch.cat([test_set.digits.images for test_set in sets.values()])
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        seen = predict_digits(network, images, batch=AT_ONCE)
        sizes = [len(test_set.digits) for test_set in sets.values()]
        for (number, test_set), read in zip(sets.items(), seen.split(sizes), strict=True):
            right = int((read == test_set.digits.labels).sum())
            self._known[weights_id, number, test_set.key] = share(right, len(read))
