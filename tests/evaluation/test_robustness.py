import json
import math

import numpy as np
import pytest
import torch

from evaluation.black_box import Attacked, EpsilonGreedy, EvoBA, SimBA, attack_images
from evaluation.queries import Pixels
from evaluation.robustness import check_robustness, distances, robustness_statistics
from tests.attacked import brightness


def always(digit):
    return lambda images: torch.nn.functional.one_hot(torch.full((len(images),), digit), 10).float()


def made(images, best, before, after, labels, queries, pixels=Pixels(0, 255, whole=True)):  # noqa: B008
    return Attacked(EvoBA(), 0, None, pixels, images, best, *map(torch.tensor, (labels, before, after, queries)))


def test_the_worked_example():
    """28 x 28 x 1, two pixels changed by 255 and 200: raw 324.08, / 255 = 1.2709, per pixel 0.001621."""
    images = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
    best = images.clone()
    best[0, 0, 3, 4], best[0, 0, 20, 9] = 255, 200
    figures = robustness_statistics(made(images, best, [7], [2], [7], [31]))
    assert figures["l0_dists_succ"] == [2]
    assert figures["l2_dists_succ"] == [pytest.approx(324.08, abs=0.005)]
    assert figures["l2_dists_succ_mean"] == pytest.approx(1.2709, abs=5e-5)
    assert figures["l2_dists_succ_mean_pp"] == pytest.approx(0.001621, abs=5e-7)


def test_distances_of_integer_images_do_not_wrap_around():
    images = torch.tensor([[[[10, 200]]]], dtype=torch.uint8)
    best = torch.tensor([[[[20, 100]]]], dtype=torch.uint8)
    l0, l2 = distances(images, best)
    assert l0 == [2]
    assert l2 == [pytest.approx(math.hypot(10, 100))]


def test_counts_indices_and_shares():
    images = torch.zeros(5, 1, 2, 2)
    best = images.clone()
    best[1, 0, 0, 0], best[3, 0, 0, :] = 1.0, 0.5
    attacked = made(
        images,
        best,
        before=[1, 2, 3, 4, 5],
        after=[1, 9, 3, 0, 5],
        labels=[1, 2, 0, 4, 5],  # the third was misread to begin with
        queries=[3001, 61, 0, 121, 3001],
        pixels=Pixels(0, 1, whole=False),
    )
    figures = robustness_statistics(attacked)
    assert (figures["count_attacked"], figures["count_succ"], figures["count_fail"]) == (4, 2, 2)
    assert (figures["indices_succ"], figures["indices_fail"]) == ([1, 3], [0, 4])
    assert (figures["queries_succ"], figures["queries_succ_mean"], figures["queries_succ_median"]) == (
        [61, 121],
        91,
        91,
    )
    assert figures["queries_total"] == 3001 + 61 + 121 + 3001
    assert figures["adversarial_accuracy"] == 2 / 5
    assert figures["clean_accuracy"] == 4 / 5
    assert (figures["success_rate"], figures["success_rate_low"]) == (0.5, pytest.approx(0.150039, abs=1e-6))
    assert figures["accuracy_by_queries"] == [[0, 0.8], [61, 0.6], [121, 0.4]]


@pytest.mark.parametrize("attack", [EvoBA(steps=2), EpsilonGreedy(steps=5), SimBA(steps=5)])
def test_nothing_succeeding_gives_no_nan(attack):
    figures = check_robustness(always(3), torch.zeros(4, 28, 28, dtype=torch.uint8), [3, 3, 1, 3], attack)
    assert (figures["count_succ"], figures["count_fail"], figures["adversarial_accuracy"]) == (0, 3, 0.75)
    assert (figures["queries_succ"], figures["queries_succ_mean"], figures["l2_dists_succ_mean_pp"]) == ([], None, None)
    assert "NaN" not in json.dumps(figures)


@pytest.mark.parametrize("attack", [EvoBA(), EpsilonGreedy(), SimBA()])
def test_nothing_classified_correctly_gives_no_nan(attack):
    figures = check_robustness(always(3), torch.zeros(2, 1, 28, 28), [1, 2], attack)
    assert (figures["count_succ"], figures["count_fail"], figures["queries_total"]) == (0, 0, 0)
    assert (figures["adversarial_accuracy"], figures["success_rate"]) == (0, None)
    assert "NaN" not in json.dumps(figures)


@pytest.mark.parametrize("shape", [(0,), (0, 28, 28), (0, 1, 28, 28)])
def test_no_images_have_no_accuracy(shape):
    figures = check_robustness(always(3), np.zeros(shape, dtype=np.uint8), np.zeros(0, dtype=np.int64))
    assert (figures["count_given"], figures["adversarial_accuracy"], figures["accuracy_by_queries"]) == (0, None, [])


def test_one_integer_image():
    figures = check_robustness(brightness, torch.full((1, 4, 4), 120, dtype=torch.uint8), [0], seed=3)
    assert figures["count_succ"] == 1
    assert figures["adversarial_accuracy"] == 0
    (l2,) = figures["l2_dists_succ"]
    assert l2**2 == pytest.approx(round(l2**2))  # whole numbers apart
    assert figures["l2_dists_succ_mean"] == pytest.approx(l2 / 255)


def test_figures_are_those_of_the_images_kept():
    images = torch.rand(6, 3, 5, 5, generator=torch.Generator().manual_seed(1)) * 0.9
    labels = brightness(images).argmax(1)
    attacked = attack_images(brightness, images, labels, EvoBA(), seed=4)
    figures = robustness_statistics(attacked)
    fooled = figures["indices_succ"]
    assert fooled
    changed = attacked.best[fooled].numpy() - images[fooled].numpy()
    assert figures["l0_dists_succ"] == np.count_nonzero(changed.reshape(len(fooled), -1), axis=1).tolist()
    assert figures["l2_dists_succ"] == pytest.approx(np.sqrt((changed.astype(float) ** 2).sum((1, 2, 3))))
    assert (brightness(attacked.best[fooled]).argmax(1) != labels[fooled]).all()
