"""Plain against adversarial training: what is added, what is compared, what is said of it."""

from dataclasses import replace

import pytest
import torch

from evaluation.adversarial_files import answer, describe, write_adversarial
from evaluation.adversarial_training import AdversarialSettings, attacked_digits, compare, settings_for
from evaluation.gradient_attacks import GradientAttack
from model.network import Network
from model.training import TrainingRecipe

QUICK = AdversarialSettings(
    GradientAttack("FGSM", 0.1),
    replace(TrainingRecipe(), epochs=1, batch=100),
    attacked=20,
    tested=10,
    tested_with=(GradientAttack("FGSM", 0.1),),
    shifted=10,
)


@pytest.fixture(scope="module")
def result():
    from tests.made import made_digits

    *_, last = compare(made_digits(), [1, 2], QUICK, lambda *_: None)
    return last


def test_both_sides_are_tested_on_attacks_made_against_each(result):
    assert [run["seed"] for run in result["runs"]] == [1, 2]
    for run in result["runs"]:
        for side in ("plain", "adversarial"):
            assert set(run[side]["attacks"]["fgsm-0.1"]) == {"plain", "adversarial"}
            assert len(run[side]["shifts"]) == 15


def test_the_conditions_are_kept(result):
    assert result["settings"]["attack"] == "FGSM, L-infinity, epsilon 0.1"
    assert result["data"] == {"source": "MNIST", "train": 600, "validation": 100, "test": 100}


def test_attacked_digits_stay_within_epsilon_as_images(small_digits):
    torch.manual_seed(1)
    added = attacked_digits(Network(), small_digits.train, 30, GradientAttack("FGSM", 0.1), seed=4)
    chosen = torch.randperm(600, generator=torch.Generator().manual_seed(4))[:30]
    assert added.images.dtype == torch.uint8
    assert torch.equal(added.labels, small_digits.train.labels[chosen])
    moved = (added.images.int() - small_digits.train.images[chosen].int()).abs()
    assert int(moved.max()) == 25  # of 25.5 allowed


def run(seed, plain, adversarial):
    def side(clean):
        return {
            "clean_validation": clean,
            "clean": clean,
            "shifts": {"fog": clean / 2},
            "attacks": {"fgsm-0.1": {"plain": clean / 3, "adversarial": clean / 4}},
        }

    return {"seed": seed, "fooled_when_added": 0.5, "plain": side(plain), "adversarial": side(adversarial)}


def compared(result, *pairs):
    return {**result, "runs": [run(seed, *pair) for seed, pair in enumerate(pairs, 1)]}


def test_a_gain_over_seeds_is_claimed_only_where_its_interval_leaves_zero_out(result):
    gained = answer(compared(result, (0.990, 0.9941), (0.991, 0.9952), (0.990, 0.9942)))
    assert gained[0].startswith(
        "Adding 20 attacked digits takes clean accuracy from 99.03 to 99.45 % (mean of 3 seeds)"
    )
    assert "a gain" in gained[0]
    assert "some gain is shown" in gained[1]
    smaller = answer(compared(result, (0.990, 0.9912), (0.990, 0.9925), (0.990, 0.9938)))
    assert "neither shown" in smaller[1] or "would explain these runs as well" in smaller[1]
    worse = answer(compared(result, (0.990, 0.985), (0.990, 0.984), (0.990, 0.986)))
    assert "does not hold here: clean accuracy falls" in worse[1]
    same = answer(compared(result, (0.990, 0.991), (0.990, 0.991)))
    assert "no difference is shown" in same[0]
    unclear = answer(compared(result, (0.990, 0.991), (0.991, 0.990), (0.990, 0.990)))
    assert "no difference is shown" in unclear[0]
    assert "does not hold here" in unclear[1]


def test_one_seed_shows_nothing(result):
    sentences = answer(compared(result, (0.98, 0.99)))
    assert "one seed shows nothing" in sentences[0]
    assert sentences[1].endswith("is not tested by one seed.")


def test_what_the_runs_cannot_decide_is_said(result):
    assert "neither shown nor ruled out" in answer(compared(result, (0.980, 0.990), (0.990, 0.985)))[1]


def test_files_hold_the_tables_and_the_figures(result, tmp_path):
    write_adversarial(result, tmp_path)
    assert (tmp_path / "adversarial.json").exists()
    text = (tmp_path / "adversarial.md").read_text()
    assert text == describe(result)
    assert "| FGSM, epsilon 0.1 | plain |" in text
    assert "| FGSM, epsilon 0.1 | adversarial |" in text
    assert "validation" in text


def test_without_augmentation_nothing_is_moved():
    assert settings_for(10, 2, augmented=False).recipe.augmentation.rotation_degrees == 0
    assert settings_for(10, 2, augmented=True).recipe.augmentation == TrainingRecipe().augmentation


def test_impossible_comparisons_are_refused(small_digits):
    with pytest.raises(ValueError, match="attacked is 0"):
        replace(QUICK, attacked=0)
    with pytest.raises(ValueError, match="700 digits cannot be attacked: there are 600"):
        next(compare(small_digits, [1], replace(QUICK, attacked=700), lambda *_: None))
    with pytest.raises(ValueError, match="give at least one, each once"):
        next(compare(small_digits, [1, 1], QUICK, lambda *_: None))
