import pytest
import torch

from model.training import TrainingRecipe, predict_digits, train


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


def test_no_epoch_is_refused():
    with pytest.raises(ValueError, match="epochs is 0"):
        TrainingRecipe(epochs=0)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_round0_training_reaches_its_accuracy(mnist):
    network = train(mnist.train, TrainingRecipe(), seed=5, report=lambda *_: None)
    right = predict_digits(network, mnist.test.images) == mnist.test.labels
    assert right.float().mean() >= 0.993  # one seed; mean and spread of three stand in the README
