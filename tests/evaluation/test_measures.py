"""Figures of a reading against scikit-learn and hand counts; differences against worked examples."""

import numpy as np
import pytest
import torch
from sklearn import metrics

from evaluation.differences import paired, unpaired
from evaluation.measures import Reading, mean_loss, mean_share, measured, read, together
from evaluation.metrics import share


def reading(labels, seen):
    return Reading(torch.tensor(labels), torch.tensor(seen), torch.ones(len(labels), dtype=torch.float64))


def test_a_small_case_counted_by_hand():
    figures = measured(reading([0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 2, 2]))
    assert figures["accuracy"]["hits"] == 4
    assert figures["confusion"][0][:3] == [2, 1, 0]
    assert figures["confusion"][1][:3] == [0, 1, 1]
    zero, one, two = figures["digits"][:3]
    assert (zero["precision"], zero["recall"], zero["support"]) == (1, pytest.approx(2 / 3), 3)
    assert (one["precision"], one["recall"], one["f1"]) == (0.5, 0.5, 0.5)
    assert (two["precision"], two["recall"], two["f1"]) == (0.5, 1, pytest.approx(2 / 3))


def test_figures_equal_scikit_learns():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 10, 2000)
    seen = np.where(rng.random(2000) < 0.7, labels, rng.integers(0, 10, 2000))
    figures = measured(reading(labels.tolist(), seen.tolist()))
    assert figures["confusion"] == metrics.confusion_matrix(labels, seen).tolist()
    assert figures["accuracy"]["value"] == pytest.approx(metrics.accuracy_score(labels, seen))
    told = metrics.classification_report(labels, seen, output_dict=True)
    for digit, row in enumerate(figures["digits"]):
        expected = told[str(digit)]
        assert row["precision"] == pytest.approx(expected["precision"])
        assert row["recall"] == pytest.approx(expected["recall"])
        assert row["f1"] == pytest.approx(expected["f1-score"])
        assert row["support"] == expected["support"]
        counted = int(((labels == digit) & (seen == digit)).sum())
        assert row["accuracy"]["hits"] == counted
        assert row["accuracy"] == vars(share(counted, row["support"]))


def test_a_digit_that_is_missing_has_no_figures_instead_of_wrong_ones():
    figures = measured(reading([1, 1], [1, 7]))
    assert figures["digits"][7] == {
        "digit": 7,
        "precision": 0.0,
        "recall": None,
        "f1": 0.0,
        "support": 0,
        "accuracy": vars(share(0, 0)),
    }
    assert figures["digits"][3]["precision"] is None


def test_nothing_to_read_gives_nothing():
    figures = measured(reading([], []))
    assert figures["n"] == 0
    assert figures["accuracy"]["value"] is None
    assert figures["loss"] == {"value": None, "low": None, "high": None}


def test_loss_is_the_mean_cross_entropy_with_a_normal_interval():
    class Fixed(torch.nn.Module):
        def forward(self, images):
            return images.flatten(1)[:, :10]

    torch.manual_seed(1)
    images, labels = torch.rand(50, 1, 28, 28), torch.arange(50) % 10
    made = read(Fixed(), images, labels, batch=7)
    expected = metrics.log_loss(labels, torch.softmax(images.flatten(1)[:, :10].double(), 1).numpy())
    loss = measured(made)["loss"]
    assert loss["value"] == pytest.approx(expected)
    reach = 1.959964 * made.losses.numpy().std(ddof=1) / 50**0.5
    assert (loss["low"], loss["high"]) == (pytest.approx(expected - reach), pytest.approx(expected + reach))


def test_readings_of_8_bit_and_float_images_agree():
    class Ink(torch.nn.Module):
        def forward(self, images):
            return torch.nn.functional.one_hot((images.flatten(1).sum(1) > 100).long(), 10).float()

    images = torch.randint(0, 256, (9, 28, 28), dtype=torch.uint8)
    labels = torch.zeros(9, dtype=torch.int64)
    first, second = read(Ink(), images, labels), read(Ink(), images.unsqueeze(1).float() / 255, labels)
    assert torch.equal(first.seen, second.seen)
    assert len(together([first, second])) == 18


def test_a_paired_difference_by_hand():
    # 100 images, 10 only the first reads, 2 only the second: Bonett and Price add 1 to both and 2 to the images.
    first = torch.tensor([True] * 88 + [True] * 10 + [False] * 2)
    second = torch.tensor([True] * 88 + [False] * 10 + [True] * 2)
    difference = paired(first, second)
    p, q = 11 / 102, 3 / 102
    reach = 1.959964 * ((p + q - (p - q) ** 2) / 102) ** 0.5
    assert difference.value == pytest.approx(0.08)
    assert (difference.low, difference.high) == (pytest.approx(p - q - reach), pytest.approx(p - q + reach))
    assert (difference.only_first, difference.only_second) == (10, 2)
    assert difference.is_shown


def test_two_networks_that_read_alike_differ_by_nothing_shown():
    same = torch.tensor([True] * 9 + [False])
    difference = paired(same, same)
    assert difference.value == 0
    assert not difference.is_shown


def test_an_unpaired_difference_as_newcombe_has_it():
    # Newcombe 1998, table II, method 10: 56/70 against 48/80 gives 0.0524 to 0.3339.
    difference = unpaired(share(56, 70), share(48, 80))
    assert difference.value == pytest.approx(0.2)
    assert (difference.low, difference.high) == (pytest.approx(0.0524, abs=1e-4), pytest.approx(0.3339, abs=1e-4))


def test_an_empty_side_is_no_difference_and_unlike_ones_are_refused():
    none = torch.zeros(0, dtype=torch.bool)
    assert paired(none, none).value is None
    assert unpaired(share(0, 0), share(1, 2)).value is None
    assert not unpaired(share(0, 0), share(1, 2)).is_shown
    with pytest.raises(ValueError, match="read the same images twice"):
        paired(torch.ones(2).bool(), torch.ones(3).bool())


def test_a_mean_over_sets_of_the_same_images_counts_an_image_once():
    always, never = torch.tensor([True] * 30 + [False] * 10), torch.tensor([True] * 20 + [False] * 20)
    once, thrice = mean_share([always, never]), mean_share([always, never] * 3)
    assert once == thrice
    each = torch.tensor([1.0] * 20 + [0.5] * 10 + [0.0] * 10)
    reach = 1.959964 * float(each.std()) / 40**0.5
    assert (once.value, once.low, once.n) == (pytest.approx(0.625), pytest.approx(0.625 - reach), 40)
    assert mean_share([]).value is None


def test_no_loss_lies_below_zero():
    losses = torch.tensor([0.0, 0.0, 6.0], dtype=torch.float64)
    assert mean_loss(Reading(torch.zeros(3, dtype=torch.int64), torch.zeros(3, dtype=torch.int64), losses))["low"] == 0
