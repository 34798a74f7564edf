import pytest
import torch

from model.augment import Augmentation, augment


def generator():
    return torch.Generator().manual_seed(5)


def test_no_change_asked_for_is_no_change():
    images = torch.rand(3, 1, 28, 28)
    assert torch.allclose(augment(images, Augmentation(0, 0, 0), generator()), images, atol=1e-5)


def middle(images):
    """Centre of the ink of each image, (N, 2) as row, column."""
    weights = images.squeeze(1)
    rows = torch.arange(28.0)
    total = weights.sum((1, 2))
    return torch.stack([(weights.sum(2) * rows).sum(1) / total, (weights.sum(1) * rows).sum(1) / total], 1)


def test_shifts_reach_as_far_as_said_in_every_direction():
    images = torch.zeros(2000, 1, 28, 28)
    images[:, :, 12:16, 12:16] = 1
    moved = middle(augment(images, Augmentation(0, 3, 0), generator())) - 13.5
    assert 2.9 < moved.max() <= 3.01
    assert -3.01 <= moved.min() < -2.9
    assert moved.mean(0).abs().max() < 0.15


def test_scale_changes_the_amount_of_ink_as_its_square():
    images = torch.zeros(2000, 1, 28, 28)
    images[:, :, 9:19, 9:19] = 1
    ink = augment(images, Augmentation(0, 0, 0.2), generator()).sum((1, 2, 3)) / 100
    assert ink.max() == pytest.approx(1.2**2, abs=0.05)
    assert ink.min() == pytest.approx(0.8**2, abs=0.05)


def test_the_same_seed_gives_the_same_digits():
    images, how = torch.rand(3, 1, 28, 28), Augmentation(10, 2, 0.1)
    assert torch.equal(augment(images, how, generator()), augment(images, how, generator()))


def test_a_negative_range_is_refused():
    with pytest.raises(ValueError, match="negative range"):
        Augmentation(-1, 0, 0)
