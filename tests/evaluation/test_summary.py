"""Sentences from made-up figures: nothing is claimed that its interval does not carry."""

import re
from dataclasses import asdict

import pytest

from evaluation.metrics import share
from evaluation.summary import percent, points, summarise


def difference(value, low, high):
    return {"value": value, "low": low, "high": high, "paired": True, "only_first": None, "only_second": None}


def row(name, kind, right, per_digit, *, drop=None, wrong=None, fooled_these=0, against=None):
    """A set with `right` of `per_digit` read rightly of each digit. wrong: {(meant, seen): count}; else taken for the next."""
    confusion = [[right if meant == seen else 0 for seen in range(10)] for meant in range(10)]
    errors = wrong or {(digit, (digit + 1) % 10): per_digit - right for digit in range(10)}
    for (meant, seen), count in errors.items():
        confusion[meant][meant] = per_digit - count
        confusion[meant][seen] = count
    hits = sum(confusion[digit][digit] for digit in range(10))
    digits = [
        {"digit": d, "support": sum(confusion[d]), "accuracy": asdict(share(confusion[d][d], sum(confusion[d])))}
        for d in range(10)
    ]
    return {
        "name": name,
        "kind": kind,
        "n": sum(map(sum, confusion)),
        "accuracy": asdict(share(hits, sum(map(sum, confusion)))),
        "confusion": confusion,
        "digits": digits,
        "drop": drop,
        "fooled_these": fooled_these,
        "against": against,
    }


CLEAN = row("clean", "clean", 990, 1000)


def told(*rows, against=None):
    figures = {
        "weights_id": "0123456789abcdef",
        "round": 2,
        "data": {"source": "MNIST"},
        "sets": [CLEAN, *rows],
        "shifts": {"value": 0.9, "low": 0.89, "high": 0.91, "n": 10_000},
        "against": against,
    }
    return summarise(figures)


def one(sentences, beginning):
    (found,) = [sentence for sentence in sentences if sentence.startswith(beginning)]
    return found


def test_it_opens_with_clean_digits():
    assert told()[0] == (
        "Weights 0123456789abcdef (round 2) read 99.00 % (98.79 to 99.18) of 10,000 clean MNIST test digits rightly; 100 wrong. "
        "In brackets, here and below: the 95 % interval."
    )


def test_without_fooling_drawings_it_says_so():
    assert one(told(), "There is no frozen fooling drawing")


def test_drawings_that_fooled_these_weights_say_nothing():
    mine = row("fooling, round 3", "fooling", 0, 2, drop=difference(0.99, 0.8, 1), fooled_these=20)
    sentences = told(mine)
    assert "is by construction and says nothing" in one(sentences, "The 20 drawings of fooling, round 3")
    assert not any(sentence.startswith("On 20 held-out") for sentence in sentences)
    assert not any("collapse" in sentence and "fooling, round 3" in sentence for sentence in sentences)


def test_a_set_that_holds_some_that_fooled_these_weights_counts_nowhere():
    """They had to misread them, so neither a collapse nor a confusion nor an accuracy is theirs."""
    mixed = row(
        "fooling, all rounds", "fooling", 100, 100, wrong={(3, 7): 60}, drop=difference(0.1, 0, 0.2), fooled_these=60
    )
    sentences = told(mixed)
    assert one(sentences, "No held-out drawing fooled other weights")
    assert one(sentences, "No digit collapses")
    assert not any(
        "fooling drawings 3 as 7" in sentence or "that fooled other weights (" in sentence for sentence in sentences
    )


def test_unchanged_digits_are_no_shift():
    rows = [row("identity", "shift", 990, 1000), row("fog", "shift", 995, 1000, drop=difference(0, 0, 0))]
    assert "on shifted digits 0 as 1 (5), 1 as 2 (5), 2 as 3 (5), of 50 errors" in one(
        told(*rows), "Misread most often"
    )
    assert one(told(*rows), "Over 1 shifts it reads 90.00 % (89.00 to 91.00) on average")


def test_the_largest_fair_fooling_set_is_told_with_its_drop():
    rows = [
        row("fooling, round 1", "fooling", 1, 2, drop=difference(0.49, 0.3, 0.7)),
        row("fooling, all rounds", "fooling", 30, 40, drop=difference(0.24, 0.2, 0.29)),
    ]
    assert one(told(*rows), "On 400 held-out drawings") == (
        "On 400 held-out drawings that fooled other weights (fooling, all rounds) it is right on 75.0 % (70.5 to 79.0), "
        "24.0 points (20.0 to 29.0) below clean digits."
    )


def test_a_drop_whose_interval_holds_zero_is_not_claimed():
    fog = row("fog", "shift", 980, 1000, drop=difference(0.01, -0.001, 0.02))
    sentence = one(told(fog), "Over 1 shifts")
    assert "No drop is shown for any." in sentence
    assert "lost" not in sentence


def test_the_worst_shifts_are_named_worst_first():
    rows = [
        row(name, "shift", 500, 1000, drop=difference(value, value - 0.01, value + 0.01))
        for name, value in (("fog", 0.1), ("zigzag", 0.4), ("scale", 0.2), ("shear", 0.3))
    ]
    sentence = one(told(*rows), "Over 4 shifts")
    assert re.findall(r"(\w+), \d", sentence) == ["zigzag", "shear", "scale"]


def test_a_digit_collapses_only_if_its_interval_lies_below_one_half():
    surely = row("fog", "shift", 990, 1000, wrong={(7, 1): 900}, drop=difference(0.1, 0.09, 0.11))
    assert "fog: 7 (10 %)" in one(told(surely), "Digits that collapse")
    perhaps = row("fog", "shift", 10, 10, wrong={(7, 1): 6}, drop=difference(0.1, 0.01, 0.2))
    assert one(told(perhaps), "No digit collapses")
    few = row("fooling, round 1", "fooling", 20, 20, wrong={(7, 1): 20}, drop=difference(0.1, 0.01, 0.2))
    assert one(told(few), "No digit collapses")


def test_confusions_are_ranked_only_among_enough_errors():
    enough = row("fog", "shift", 1000, 1000, wrong={(4, 9): 12, (7, 1): 9}, drop=difference(0, 0, 0))
    sentence = one(told(enough), "Misread most often")
    assert "on shifted digits 4 as 9 (12), 7 as 1 (9), of 21 errors" in sentence
    few = row("fog", "shift", 1000, 1000, wrong={(4, 9): 12}, drop=difference(0, 0, 0))
    assert one(told(few), "Too few errors to say what is taken for what") == (
        "Too few errors to say what is taken for what: 12 on shifted digits."
    )


def test_what_a_sample_is_too_small_to_say_is_said():
    small = row("fooling, round 1", "fooling", 1, 2, drop=difference(0.49, 0.3, 0.7))
    sentences = told(small)
    assert one(sentences, "Too small to say more") == (
        "Too small to say more than this: fooling, round 1, 20 images: 30 to 70 %."
    )
    assert "the fooling drawings" in one(sentences, "Fewer than 30 of a digit")


def test_gains_need_an_interval_that_leaves_zero_out():
    def compared(value, low, high):
        return {"accuracy": asdict(share(1, 2)), "difference": difference(value, low, high), "fair": True}

    rows = [
        row("fog", "shift", 900, 1000, drop=difference(0.1, 0.09, 0.11), against=compared(0.05, 0.04, 0.06)),
        row("scale", "shift", 900, 1000, drop=difference(0.1, 0.09, 0.11), against=compared(-0.02, -0.03, -0.01)),
        row("shear", "shift", 900, 1000, drop=difference(0.1, 0.09, 0.11), against=compared(0.01, -0.001, 0.02)),
    ]
    sentences = told(*rows, against={"weights_id": "fedcba9876543210", "round": 0})
    assert one(sentences, "Shown to be better") == (
        "Shown to be better than weights fedcba9876543210 (round 0): fog, 5.0 points (4.0 to 6.0)."
    )
    assert one(sentences, "Shown to be worse").endswith("scale, 2.0 points (1.0 to 3.0).")
    assert one(sentences, "No difference is shown") == "No difference is shown: shear, 1.0 points (-0.1 to 2.0)."
    assert one(sentences, "With 3 comparisons")


def test_no_sentence_claims_a_gain_without_other_weights():
    assert not any(word in sentence for sentence in told() for word in ("better", "improve", "gain"))


@pytest.mark.parametrize(
    ("hits", "n", "said"), [(1, 2, "50.0 % (9.5 to 90.5)"), (9945, 10_000, "99.45 % (99.28 to 99.58)")]
)
def test_shares_are_told_as_finely_as_they_are_known(hits, n, said):
    assert percent(asdict(share(hits, n))) == said


def test_no_minus_zero_is_told():
    assert points(difference(-0.0001, -0.004, -0.0002)) == "0.0 points (-0.4 to 0.0)"
