"""Closing rounds: make a candidate, decide, promote; or roll back."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evaluation.metrics import accuracy, share
from flagging.attempts import Attempt, Refused
from flagging.decisions import ClosedRound
from flagging.ledger import Ledger
from model.clean_digits import CleanDigits
from model.weights import Card, WeightsDamaged, build_network, load_weights, save_weights
from retrain.fine_tuning import as_digits, fine_tune
from retrain.gate import decide
from retrain.settings import FineTuningRecipe, RoundSettings

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

    Raises Refused if there is no fooling drawing at all or another process closed the round meanwhile,
    CleanDigitsMissing without MNIST, WeightsDamaged if the served weights cannot be read. Until the last
    step, one transaction, the ledger does not change.
    """
    started = time.monotonic()
    report("gathering drawings", 0.0)
    began = ledger.open_round()
    if began.fooling_total == 0:
        raise Refused("there is no fooling drawing yet; fool the model at least once before a retraining")
    # What comes in from here on is for the next round: it counts as unused there.
    fooling = list(ledger.attempts(fooling_only=True, up_to=began.last_seq))
    attempts = [a for a in fooling if a.split == "train"]
    held_out = as_digits([a for a in fooling if a.split == "test" and a.round == began.number])
    clean = load_digits()
    parent = load_weights(weights_folder, began.weights_id)
    served = build_network(parent)
    round0 = build_network(load_weights(weights_folder, ledger.promotions()[0].weights_id))

    candidate = fine_tune(
        served,
        round0,
        clean.train,
        as_digits(attempts),
        recipe,
        seed=began.number,
        report=lambda step, of: report("fine-tuning", 0.05 + 0.85 * step / of),
    )

    report("scoring", 0.92)
    validation = accuracy(served, clean.validation), accuracy(candidate, clean.validation)
    verdict = decide(*validation, settings)
    test = accuracy(served, clean.test), accuracy(candidate, clean.test)
    on_held_out = accuracy(candidate, held_out)
    figures = {
        "clean_validation_before": validation[0].value,
        "clean_validation_after": validation[1].value,
        "clean_validation_n": validation[0].n,
        "clean_accuracy_before": test[0].value,
        "clean_accuracy_after": test[1].value,
        "clean_n": test[0].n,
        "fooling_accuracy_after": on_held_out.value,
        "fooling_n": on_held_out.n,
        "training_drawings": len(attempts),
        "parent": parent.id,
        "seconds": round(time.monotonic() - started, 1),
    }
    card = Card(
        parent=parent.id,
        round=began.number,
        seed=began.number,
        recipe=asdict(recipe),
        data={"clean": "MNIST", "clean_digits": len(clean.train), **_drawings_revision(attempts)},
        scores={name: figures[name] for name in figures if name.startswith(("clean", "fooling"))},
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    weights = save_weights(candidate, card, weights_folder)
    report("deciding", 0.98)
    decision = "promoted" if verdict.promoted else "refused"
    return ledger.close_round(decision, verdict.reason, weights.id, figures, began=began)  # type: ignore[arg-type]


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
    card = load_weights(weights_folder, weights_id).card
    try:
        before = load_weights(weights_folder, began.weights_id).card.scores.get("clean_accuracy_after")
    except WeightsDamaged:
        before = None  # a good reason to go back
    figures = {
        "clean_accuracy_before": before,
        "clean_accuracy_after": card.scores.get("clean_accuracy_after"),
        "parent": began.weights_id,
    }
    reason = f"a maintainer went back to the weights of round {card.round}"
    return ledger.close_round("rolled back", reason, weights_id, figures, began=began)


def describe_round(closed: ClosedRound) -> dict[str, Any]:
    """A closed round as plain JSON, its rates with Wilson 95 % intervals."""
    counts = closed.counts
    return {
        "round": closed.number,
        "weights_id": closed.weights_id,
        "decision": closed.decision,
        "reason": closed.reason,
        "promotion": closed.promotion,
        "closed_at": closed.closed_at,
        "tries": counts.tries,
        "attempts": counts.attempts,
        "fooling": counts.fooling,
        "mer": asdict(share(counts.fooling, counts.attempts)),
        "vmer": None,  # drawings are not judged yet
        "pending": counts.fooling,
        "fooling_per_try": asdict(share(counts.fooling, counts.tries)),
        "held_out": len(closed.test_set),
        "clean_accuracy_before": None,
        "clean_accuracy_after": None,
        **closed.figures,
    }


def _drawings_revision(attempts: list[Attempt]) -> dict[str, Any]:
    """Which drawings were learnt from: how many, and a hash of their ids in order."""
    ids = "\n".join(attempt.attempt_id for attempt in attempts)
    return {"fooling_drawings": len(attempts), "attempt_ids_sha256": hashlib.sha256(ids.encode()).hexdigest()}
