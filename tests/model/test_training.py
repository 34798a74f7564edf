import pytest
import torch

from model.network import as_pixels
from model.training import TrainingRecipe, predict_digits, train
from model.weights import SHIPPED_FOLDER, build_network, load_weights, shipped_weights_id


def test_a_network_learns_small_digits_and_tells_how_far_it_is(small_digits):
    told = []
    network = train(
        small_digits.train, TrainingRecipe(epochs=12, batch=50), seed=1, report=lambda step, of: told.append((step, of))
    )
    right = predict_digits(network, small_digits.test.images) == small_digits.test.labels
    assert right.float().mean() > 0.9
    assert told == [(step, 144) for step in range(1, 145)]


def test_the_same_seed_gives_the_same_weights(small_digits):
    recipe = TrainingRecipe(epochs=1, batch=50)
    first, second = (train(small_digits.train, recipe, 4, lambda *_: None).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_looking_on_after_each_epoch_changes_nothing(small_digits):
    recipe, told = TrainingRecipe(epochs=2, batch=50, dropout=0.3, label_smoothing=0.1), []

    def look(epoch, loss, network):
        told.append((epoch, loss > 0, network.training))
        predict_digits(network, small_digits.validation.images)

    watched = train(small_digits.train, recipe, 4, lambda *_: None, look).state_dict()
    alone = train(small_digits.train, recipe, 4, lambda *_: None).state_dict()
    assert told == [(1, True, False), (2, True, False)]
    assert all(torch.equal(watched[name], alone[name]) for name in alone)


def test_label_smoothing_makes_it_less_sure(small_digits):
    sure, unsure = (
        train(small_digits.train, TrainingRecipe(epochs=8, batch=50, label_smoothing=by), 1, lambda *_: None)
        for by in (0.0, 0.3)
    )
    images = as_pixels(small_digits.test.images)
    with torch.inference_mode():
        confidence = [torch.softmax(network(images), 1).amax(1).mean() for network in (sure, unsure)]
    assert confidence[0] > confidence[1] + 0.1


def test_smoothing_everything_away_is_refused():
    with pytest.raises(ValueError, match=r"label_smoothing is 1\.0; choose a share"):
        TrainingRecipe(label_smoothing=1.0)


def test_no_epoch_is_refused():
    with pytest.raises(ValueError, match="epochs is 0"):
        TrainingRecipe(epochs=0)


@pytest.mark.slow
def test_four_of_round0s_thirty_epochs_reach_99_percent(mnist):
    network = train(mnist.train, TrainingRecipe(epochs=4), seed=5, report=lambda *_: None)
    right = predict_digits(network, mnist.test.images) == mnist.test.labels
    assert right.float().mean() >= 0.99  # three seeds had 99.2 %; what thirty epochs reach stands in the README


def test_the_shipped_weights_read_what_the_readme_says(mnist):
    network = build_network(load_weights(SHIPPED_FOLDER, shipped_weights_id()))
    right = predict_digits(network, mnist.test.images) == mnist.test.labels
    assert int(right.sum()) == pytest.approx(
        9945, abs=1
    )  # sums differ in their last digits from one processor to another
