"""Closing rounds: make a candidate, decide, promote; or roll back."""

import contextlib
import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from evaluation.metrics import accuracy
from evaluation.test_sets import as_digits, as_drawings
from flagging.attempts import Attempt, Refused
from flagging.decisions import ClosedRound, DecisionKind, OpenRound
from flagging.ledger import Ledger
from model.clean_digits import CleanDigits, Digits
from model.likeness import features_of, near
from model.network import Network
from model.training import predict_digits
from model.weights import (
    Card,
    Weights,
    WeightsDamaged,
    WeightsUnreadable,
    build_network,
    install_shipped,
    load_weights,
    save_weights,
)
from retrain.fine_tuning import fine_tune
from retrain.gate import Readings, decide
from retrain.history import played
from retrain.mixing import Mix, bent_digits, capped, held_out_of, mix
from retrain.settings import FineTuningRecipe, RoundSettings

LOOK_EVERY_STEPS = 25
log = logging.getLogger("hoodwink")

# Says how far a round's work has come: a stage in words and a share from 0 to 1.
Report = Callable[[str, float], None]


def close_round(
    ledger: Ledger,
    weights_folder: Path,
    load_digits: Callable[[], CleanDigits],
    settings: RoundSettings,
    recipe: FineTuningRecipe,
    report: Report,
) -> ClosedRound:
    """Fine-tune the served weights on everything collected so far, decide, and record the round.

    Raises Refused if there is no usable fooling drawing at all or another process closed the round meanwhile,
    CleanDigitsMissing without clean digits, WeightsDamaged if the served weights cannot be read. Until the last
    step, one transaction, the ledger does not change.
    """
    started = time.monotonic()
    report("gathering drawings", 0.0)
    began = ledger.open_round()
    check_usable(began)
    parent = load_weights(weights_folder, began.weights_id)
    served = build_network(parent)
    round0 = build_network(load_weights(weights_folder, ledger.promotions()[0].weights_id))
    # What comes in from here on is for the next round: no decision rests on it yet.
    drawings = mix(ledger, round0, began.number, settings.max_annotator_share)
    clean = load_digits()

    candidate = fine_tune(
        served,
        round0,
        clean.train,
        _bent(drawings.train, recipe.bent_drawings, recipe, began.number),
        _bent(drawings.harmless, recipe.bent_drawings // 2, recipe, began.number),
        recipe,
        seed=began.number,
        report=lambda step, of: _fine_tuning(ledger, began, report, step, of),
    )

    report("scoring", 0.92)
    validation = read(clean.validation, served, candidate, round0)
    test = accuracy(served, clean.test), accuracy(candidate, clean.test)
    on_held_out = accuracy(candidate, as_digits(drawings.held_out))
    scores = {
        "clean_validation_before": _right(validation.served, validation.labels),
        "clean_validation_after": _right(validation.candidate, validation.labels),
        "clean_validation_n": len(validation.labels),
        "clean_accuracy_before": test[0].value,
        "clean_accuracy_after": test[1].value,
        "clean_n": test[0].n,
        "clean_source": clean.source,
        "fooling_accuracy_after": on_held_out.value,
        "fooling_n": on_held_out.n,
    }
    card = Card(
        parent=parent.id,
        round=began.number,
        seed=began.number,
        recipe=asdict(recipe),
        data={"clean": clean.source, "clean_digits": len(clean.train), **_drawings_revision(drawings)},
        scores=scores,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    weights = save_weights(candidate, card, weights_folder)
    report("deciding", 0.98)
    attempts, earlier = _held_out(ledger, drawings, parent.id, round0, settings)
    verdict = decide(
        validation, read(attempts, served, candidate), read(earlier, served, candidate), weights.card, settings.gate
    )
    figures = {
        **scores,
        **played(ledger.drawn_in_round(began.number), blind=began.quorum > 0),
        "quorum": began.quorum,
        "training_drawings": len(drawings.train),
        "harmless_drawings": len(drawings.harmless),
        "near_duplicates_left_out": drawings.near_duplicates,
        "over_share_left_out": drawings.over_share,
        "largest_annotator_share": drawings.largest_share,
        "gate": verdict.as_json(),
        "parent": parent.id,
        "seconds": round(time.monotonic() - started, 1),
    }
    decision: DecisionKind = "promoted" if verdict.promoted else "refused"
    test_set = [attempt.attempt_id for attempt in drawings.held_out]
    # Generated digits are learnt along with their generator, and then show no forgetting: say what was measured.
    reason = (
        verdict.reason if clean.source == "MNIST" else f"{verdict.reason}; measured on {clean.source}, not on MNIST"
    )
    return ledger.close_round(decision, reason, weights.id, figures, began=began, used=drawings.used, test_set=test_set)


def _fine_tuning(ledger: Ledger, began: OpenRound, report: Report, step: int, of: int) -> None:
    """Tell how far it is; and give up soon if the round was closed meanwhile, by going back to earlier weights."""
    report("fine-tuning", 0.05 + 0.85 * step / of)
    if step % LOOK_EVERY_STEPS == 0 and ledger.served().number != began.promotion:
        raise Refused(
            f"round {began.number} was closed meanwhile, by going back to earlier weights; this retraining was given up, "
            "and its drawings count towards the next one"
        )


def check_usable(now: OpenRound) -> None:
    """Raises Refused unless there is a drawing to learn from."""
    if now.usable == 0 and now.quorum:
        raise Refused(
            f"there is no verified fooling drawing yet; {now.quorum} other annotators must read a drawing as it was meant"
        )
    if now.usable == 0:
        raise Refused("there is no fooling drawing yet; fool the model at least once before a retraining")


def _bent(attempts: list[Attempt], count: int, recipe: FineTuningRecipe, seed: int) -> Digits:
    digits = [attempt.digit for attempt in attempts]
    return bent_digits(as_drawings(attempts), digits, count, recipe.bending, np.random.default_rng(seed))


def _held_out(
    ledger: Ledger, drawings: Mix, parent: str, round0: Network, settings: RoundSettings
) -> tuple[Digits, Digits]:
    """What the gate looks at besides clean digits: the newest held-out attempts, fooling or not; and the test sets
    of earlier rounds, but for drawings that fooled just the served weights, which are wrong there by construction."""
    learnt = features_of(round0, as_digits(drawings.train + drawings.harmless).images)

    def unlike_learnt(attempts: list[Attempt]) -> Digits:
        digits = as_digits(attempts)
        keep = ~near(features_of(round0, digits.images), learnt)
        return Digits(digits.images[keep], digits.labels[keep])

    earlier = [a for a in ledger.frozen_drawings() if a.weights_id != parent]
    # Nobody judges what did not fool: one annotator's drawings must not decide here either.
    newest_attempts = capped(
        ledger.newest_attempts(settings.gate.newest_attempts, split="test"), settings.max_annotator_share
    )
    return unlike_learnt(newest_attempts), unlike_learnt(earlier)


def read(digits: Digits, served: Network, candidate: Network, round0: Network | None = None) -> Readings:
    """What each network sees in the same digits."""

    def seen(network: Network) -> Tensor:
        return predict_digits(network, digits.images) if len(digits) else digits.labels

    return Readings(digits.labels, seen(served), seen(candidate), None if round0 is None else seen(round0))


def _right(seen: Tensor, labels: Tensor) -> float:
    return float((seen == labels).double().mean())


def roll_back(ledger: Ledger, weights_folder: Path, weights_id: str) -> ClosedRound:
    """Serve earlier weights again; this closes the open round and is a promotion of its own.

    Raises Refused if these weights were never served or are served now, WeightsDamaged if they cannot be read.
    """
    began = ledger.open_round()
    earlier = [promotion.weights_id for promotion in ledger.promotions()]
    if weights_id not in earlier:
        raise Refused(
            f"weights {str(weights_id)[:60]!r} were never served; choose one of {', '.join(dict.fromkeys(earlier))}"
        )
    if weights_id == began.weights_id:
        raise Refused(f"weights {weights_id} are served already; choose other ones to go back to")
    return _go_back(ledger, weights_folder, weights_id, began, "a maintainer went back")


def served_weights(ledger: Ledger, weights_folder: Path) -> tuple[OpenRound, Weights]:
    """The open round and the weights it is played with, read and checked.

    If they are damaged, the newest earlier ones that are whole are served again: a decision like a maintainer's, which
    closes the round and says why. The round-0 weights are mended from the repository. Raises WeightsDamaged if none that
    were ever served are whole, WeightsUnreadable if that cannot be told now; then nothing was recorded.
    """
    install_shipped(weights_folder)
    while True:
        now = ledger.open_round()
        try:
            return now, load_weights(weights_folder, now.weights_id)
        except WeightsUnreadable:
            raise
        except WeightsDamaged as error:
            log.error("promotion %d cannot be served: %s", now.promotion, error)
            whole = _newest_whole(ledger, weights_folder)
            if whole is None:
                raise
            why = f"the weights {now.weights_id} were damaged, so the game went back"
        with contextlib.suppress(Refused):  # another process closed the round: look at what is served now
            closed = _go_back(ledger, weights_folder, whole, now, why)
            log.warning("round %d was rolled back: %s", closed.number, closed.reason)


def _newest_whole(ledger: Ledger, weights_folder: Path) -> str | None:
    for promotion in reversed(ledger.promotions()):
        with contextlib.suppress(WeightsDamaged):
            return load_weights(weights_folder, promotion.weights_id).id
    return None


def _go_back(ledger: Ledger, weights_folder: Path, weights_id: str, began: OpenRound, why: str) -> ClosedRound:
    card = load_weights(weights_folder, weights_id).card
    try:
        before = load_weights(weights_folder, began.weights_id).card
    except WeightsDamaged:
        before = None  # a good reason to go back
    figures = {
        "clean_accuracy_before": before and _clean_accuracy(before, card.data.get("clean")),
        "clean_accuracy_after": card.scores.get("clean_accuracy_after"),
        "clean_source": card.data.get("clean"),
        "parent": began.weights_id,
        "quorum": began.quorum,
        **played(ledger.drawn_in_round(began.number), blind=began.quorum > 0),
    }
    try:
        round0 = build_network(load_weights(weights_folder, ledger.promotions()[0].weights_id))
        test_set = [a.attempt_id for a in held_out_of(ledger, round0, began.number)]
    except WeightsDamaged:
        test_set = []  # going back comes first
    reason = f"{why} to the weights of round {card.round}"
    return ledger.close_round("rolled back", reason, weights_id, figures, began=began, test_set=test_set)


def _clean_accuracy(card: Card, source: str | None) -> float | None:
    """Of a card, if it was measured on this source: figures on generated digits and on MNIST are not compared."""
    return card.scores.get("clean_accuracy_after") if card.data.get("clean") == source else None


def _drawings_revision(drawings: Mix) -> dict[str, Any]:
    """Which drawings were learnt from: how many, and a hash of their ids in order."""
    ids = "\n".join(attempt.attempt_id for attempt in drawings.train + drawings.harmless)
    return {
        "fooling_drawings": len(drawings.train),
        "harmless_drawings": len(drawings.harmless),
        "attempt_ids_sha256": hashlib.sha256(ids.encode()).hexdigest(),
    }
