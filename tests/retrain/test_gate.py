import pytest

from evaluation.metrics import share
from retrain.gate import decide
from retrain.settings import RoundSettings

SETTINGS = RoundSettings(max_clean_drop=0.005)


def test_a_candidate_that_forgets_clean_digits_is_refused():
    verdict = decide(share(4970, 5000), share(4770, 5000), SETTINGS)
    assert not verdict.promoted
    assert verdict.reason == "accuracy on clean validation fell from 0.9940 to 0.9540, more than the 0.005 allowed"


def test_a_fall_of_exactly_what_is_allowed_passes_and_one_digit_more_does_not():
    assert decide(share(4970, 5000), share(4945, 5000), SETTINGS).promoted
    assert not decide(share(4970, 5000), share(4944, 5000), SETTINGS).promoted


def test_a_better_candidate_passes():
    verdict = decide(share(4900, 5000), share(4970, 5000), SETTINGS)
    assert verdict.promoted
    assert verdict.reason == "accuracy on clean validation went from 0.9800 to 0.9940, within what is allowed"


@pytest.mark.parametrize(("served", "candidate"), [(share(1, 2), share(1, 3)), (share(0, 0), share(0, 0))])
def test_scores_on_different_digits_or_none_are_no_decision(served, candidate):
    with pytest.raises(ValueError, match="use the same ones"):
        decide(served, candidate, SETTINGS)
