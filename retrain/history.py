"""What the rounds brought: each as plain JSON, and every round's weights against every round's test set."""

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

from evaluation.metrics import Share, share
from evaluation.test_sets import as_digits
from flagging.attempts import Attempt
from flagging.decisions import ClosedRound, OpenRound, RoundCounts
from flagging.ledger import Ledger
from model.network import Network
from model.training import predict_digits
from model.weights import WeightsDamaged, build_network, load_weights

AT_ONCE = 200  # images through a network; with a whole test set, as `accuracy` has it, the app holds 25 MB more


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


class History:
    """The matrix of a ledger. A cell is worked out once and kept: it changes only with the drawings in its test set."""

    def __init__(self, ledger: Ledger, weights_folder: Path) -> None:
        self._ledger = ledger
        self._folder = weights_folder
        self._known: dict[int, tuple[int, dict[str, Share]]] = {}  # by round: of which drawings, by weights

    def matrix(self) -> Matrix:
        """Every weights that were promoted against the test set of every round that has one."""
        rounds = self._ledger.closed_rounds()
        first = [{"round": 0, "weights_id": self._ledger.promotions()[0].weights_id}]
        made = [{"round": r.number, "weights_id": r.weights_id} for r in rounds if r.decision == "promoted"]
        ids = [str(weights["weights_id"]) for weights in first + made]
        load = cache(self._load)
        columns = {}
        for number in sorted(r.number for r in rounds if r.test_set):
            # Round by round: the networks are in memory all at once (88 kB each), strokes and images are not.
            if attempts := self._ledger.frozen_drawings(number):
                columns[number] = self._column(number, attempts, ids, load)
        rows = [list(cells) for cells in zip(*columns.values(), strict=True)] or [[] for _ in ids]
        return Matrix(first + made, list(columns), rows)

    def _column(
        self, number: int, attempts: Sequence[Attempt], ids: list[str], load: Callable[[str], Network | None]
    ) -> list[dict[str, Any]]:
        drawings = hash(tuple((a.attempt_id, a.digit) for a in attempts))
        of, shares = self._known.get(number, (drawings, {}))
        shares = shares if of == drawings else {}
        if missing := [weights_id for weights_id in ids if weights_id not in shares]:
            digits = as_digits(attempts)
            for weights_id in missing:
                if network := load(weights_id):
                    read = predict_digits(network, digits.images, batch=AT_ONCE)
                    shares[weights_id] = share(int((read == digits.labels).sum()), len(read))
        self._known[number] = drawings, shares
        fooled, unknown = {a.weights_id for a in attempts}, share(0, 0)
        return [{"by_construction": fooled == {w}, **asdict(shares.get(w, unknown))} for w in ids]

    def _load(self, weights_id: str) -> Network | None:
        try:
            network = build_network(load_weights(self._folder, weights_id))
        except WeightsDamaged:
            return None  # shown as unknown: the page tells of damaged weights elsewhere
        # Max-pooling takes a third of the time.
        return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
