"""The gate: refused for harm, with the numbers in words; never refused for want of gain."""

from dataclasses import replace

import pytest
import torch

from model.weights import Card
from retrain.gate import GateSettings, Readings, decide, mcnemar

SETTINGS = GateSettings()
CARD = Card(
    "parent",
    1,
    1,
    {"steps": 1},
    {"clean": "MNIST"},
    {"clean_validation_after": 0.99, "clean_accuracy_after": 0.99},
    "2026",
)
EVERY_DIGIT = torch.arange(5000) % 10  # 500 of each


def seen(wrong: int, labels: torch.Tensor = EVERY_DIGIT, first: int = 0) -> torch.Tensor:
    """Readings with so many wrong, from the first one named on."""
    readings = labels.clone()
    readings[first : first + wrong] = (readings[first : first + wrong] + 1) % 10
    return readings


def clean(served: int = 50, candidate: int = 50, round0: int = 50) -> Readings:
    return Readings(EVERY_DIGIT, seen(served), seen(candidate), seen(round0))


def pairs(gained: int, lost: int, both: int = 0) -> Readings:
    """Digits that only the candidate, only the served weights, or both read rightly."""
    labels = torch.ones(gained + lost + both, dtype=torch.int64)
    served, candidate = labels.clone(), labels.clone()
    served[:gained] = 0
    candidate[gained : gained + lost] = 0
    return Readings(labels, served, candidate)


def verdict(clean_readings=None, attempts=None, earlier=None, card=CARD):
    return decide(clean_readings or clean(), attempts or pairs(0, 0), earlier or pairs(0, 0), card, SETTINGS)


def test_a_candidate_that_forgets_clean_digits_is_refused():
    refused = verdict(clean(served=50, candidate=250, round0=50))
    assert not refused.promoted
    assert "accuracy on clean validation fell from 0.9900 to 0.9500 against the served weights" in refused.reason
    assert "more than the 0.3 points allowed" in refused.reason


def test_a_fall_of_exactly_what_is_allowed_passes_and_one_digit_more_does_not():
    assert verdict(clean(candidate=65)).promoted
    assert not verdict(clean(candidate=66)).promoted


def test_small_losses_that_add_up_are_refused_against_round_0():
    refused = verdict(clean(served=66, candidate=76, round0=50))
    assert not refused.promoted
    assert "from 0.9900 to 0.9848 against round 0, more than the 0.5 points allowed" in refused.reason
    assert verdict(clean(served=66, candidate=75, round0=50)).promoted


def test_one_digit_that_collapses_is_refused_though_the_average_holds():
    candidate = seen(0)
    sevens = (EVERY_DIGIT == 7).nonzero()[:11, 0]
    candidate[sevens] = 1
    refused = verdict(Readings(EVERY_DIGIT, seen(0), candidate, seen(0)))
    assert not refused.promoted
    assert refused.reason == (
        "the recall of digit 7 on clean validation fell from 1.0000 to 0.9780, more than the 2.0 points allowed"
    )
    candidate[sevens[0]] = 7
    assert verdict(Readings(EVERY_DIGIT, seen(0), candidate, seen(0))).promoted


def test_a_candidate_significantly_worse_on_held_out_attempts_is_refused():
    assert verdict(attempts=pairs(gained=0, lost=4, both=50)).promoted  # p = 0.0625
    refused = verdict(attempts=pairs(gained=0, lost=5, both=50))  # p = 0.03125
    assert not refused.promoted
    assert refused.reason == (
        "it reads held-out attempts worse than the served weights: +0 -5 of 55 held-out attempts, fooling or not (p = 0.031)"
    )


@pytest.mark.parametrize("missing", ["parent", "recipe", "data", "scores", "created_at"])
def test_an_incomplete_card_is_refused(missing):
    refused = verdict(card=replace(CARD, **{missing: None if missing == "parent" else type(getattr(CARD, missing))()}))
    assert not refused.promoted
    assert "its card is incomplete" in refused.reason
    assert "clean_accuracy_after" in refused.reason if missing == "scores" else missing in refused.reason


def test_gain_is_reported_and_never_required():
    assert verdict(earlier=pairs(gained=0, lost=9)).promoted
    unshown = verdict(earlier=pairs(gained=4, lost=0, both=6))
    assert "not shown yet (n = 10)" in unshown.reason
    shown = verdict(earlier=pairs(gained=5, lost=0, both=5))
    assert "shown (+5 -0 of n = 10, p = 0.031)" in shown.reason
    assert shown.as_json()["gain"]["shown"]


def test_every_reason_for_a_refusal_is_named():
    refused = verdict(clean(candidate=300), attempts=pairs(0, 9))
    assert refused.reason.count(";") >= 2
    assert [check.name for check in refused.checks if not check.passed] == [
        "clean",
        "clean against round 0",
        "recall",
        "held-out attempts",
    ]


def test_mcnemar_is_the_exact_binomial_tail():
    # By hand: of five pairs that differ all five one way, 1/32; of 3 + 7, P(X >= 7) = (120 + 45 + 10 + 1) / 1024.
    assert mcnemar(0, 5) == 1 / 32
    assert mcnemar(3, 7) == 176 / 1024
    assert mcnemar(0, 0) == 1


def test_readings_of_different_digits_are_no_decision():
    with pytest.raises(ValueError, match="score both on the same digits"):
        Readings(torch.zeros(3), torch.zeros(3), torch.zeros(2))


def test_no_clean_digit_is_no_decision():
    with pytest.raises(ValueError, match="cannot decide without"):
        decide(pairs(0, 0), pairs(0, 0), pairs(0, 0), CARD, SETTINGS)
