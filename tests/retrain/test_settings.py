import pytest

from retrain.settings import FineTuningRecipe, RoundSettings


def test_the_environment_is_read():
    settings = RoundSettings.from_environment(
        {"HOODWINK_THRESHOLD": "60", "HOODWINK_QUORUM": "2", "HOODWINK_AUTO_RETRAIN": "0"}
    )
    assert (settings.fooling_threshold, settings.quorum, settings.auto_retrain) == (60, 2, False)


def test_without_an_environment_the_defaults_hold():
    assert RoundSettings.from_environment({}) == RoundSettings(fooling_threshold=10, auto_retrain=True)


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("HOODWINK_THRESHOLD", "0", "the threshold is 0; set HOODWINK_THRESHOLD to 1 or more"),
        ("HOODWINK_THRESHOLD", "ten", "HOODWINK_THRESHOLD is 'ten'; give a whole number"),
        ("HOODWINK_AUTO_RETRAIN", "yes", "HOODWINK_AUTO_RETRAIN is 'yes'; give 1 or 0"),
        ("HOODWINK_WORKER_SECONDS", "0", "a retraining is to end after 0 s; set HOODWINK_WORKER_SECONDS to 1 or more"),
        ("HOODWINK_QUORUM", "-1", "the quorum is -1; set HOODWINK_QUORUM to 0"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(variable, value, says):
    with pytest.raises(ValueError, match=says):
        RoundSettings.from_environment({variable: value})


def test_a_recipe_without_steps_is_refused():
    with pytest.raises(ValueError, match="has a count below 1"):
        FineTuningRecipe(steps=0)
