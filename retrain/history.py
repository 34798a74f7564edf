"""What the rounds brought: each as plain JSON, and every round's weights against every round's test set."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from evaluation.metrics import Share, share
from flagging.attempts import Attempt
from flagging.decisions import ClosedRound, OpenRound, RoundCounts
from flagging.ledger import Ledger
from model.training import predict_digits
from model.weights import WeightsDamaged, build_network, load_weights
from retrain.mixing import as_digits


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
        **(played(attempts) if attempts else {}),
    }


def _rates(counts: RoundCounts, quorum: int) -> dict[str, Any]:
    return {
        **asdict(counts),
        "mer": asdict(share(counts.fooling, counts.attempts)),
        "vmer": asdict(share(counts.verified, counts.attempts)) if quorum else None,
        "fooling_per_try": asdict(share(counts.fooling, counts.tries)),
    }


def played(attempts: Sequence[Attempt]) -> dict[str, Any]:
    """Who drew in a round, how long until the model was fooled, and what it took for what.

    seconds_until_fooled: median time from pen down to the last point, over fooling attempts whose browser sent times.
    """
    took = [seconds for a in attempts if a.model_wrong and (seconds := _seconds(a.strokes)) is not None]
    confusion = [[0] * 10 for _ in range(10)]  # meant, seen
    for attempt in attempts:
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


class History:
    """The matrix of a ledger, kept between looks: a cell never changes but by a withdrawal."""

    def __init__(self, ledger: Ledger, weights_folder: Path) -> None:
        self._ledger = ledger
        self._folder = weights_folder
        self._known: dict[tuple[str, int, int], Share] = {}

    def matrix(self) -> Matrix:
        """Every weights that were promoted against the test set of every round that has one."""
        rounds = self._ledger.closed_rounds()
        frozen = {attempt_id: r.number for r in rounds for attempt_id in r.test_set}
        sets: dict[int, list[Attempt]] = {}
        for attempt in self._ledger.attempts(split="test", usable_only=True):
            if attempt.attempt_id in frozen:
                sets.setdefault(frozen[attempt.attempt_id], []).append(attempt)
        first = [{"round": 0, "weights_id": self._ledger.promotions()[0].weights_id}]
        made = [{"round": r.number, "weights_id": r.weights_id} for r in rounds if r.decision == "promoted"]
        rows = [self._row(weights["weights_id"], sets) for weights in first + made]
        return Matrix(first + made, sorted(sets), rows)

    def _row(self, weights_id: Any, sets: dict[int, list[Attempt]]) -> list[dict[str, Any]]:
        missing = [number for number in sets if (weights_id, number, len(sets[number])) not in self._known]
        if missing:
            self._score(weights_id, {number: sets[number] for number in missing})
        cells = []
        for number in sorted(sets):
            known = self._known.get((weights_id, number, len(sets[number])))
            fooled = all(a.weights_id == weights_id for a in sets[number])
            cells.append({"by_construction": fooled, **asdict(known or share(0, 0))})
        return cells

    def _score(self, weights_id: str, sets: dict[int, list[Attempt]]) -> None:
        try:
            network = build_network(load_weights(self._folder, weights_id))
        except WeightsDamaged:
            return  # shown as unknown: the page tells of damaged weights elsewhere
        for number, attempts in sets.items():
            digits = as_digits(attempts)
            with torch.inference_mode():
                hits = int((predict_digits(network, digits.images) == digits.labels).sum())
            self._known[weights_id, number, len(attempts)] = share(hits, len(attempts))
