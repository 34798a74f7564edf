"""Shifts in the manner of MNIST-C: shapes, ranges, seeds, and what single changes must do."""

import pytest
import torch

from evaluation.corruption_shapes import edges
from evaluation.corruptions import CHUNK, CORRUPTIONS, corrupt

CHANGES = [name for name in CORRUPTIONS if name != "identity"]


@pytest.fixture(scope="module")
def images():
    """Ten upright bars of ink, each a little wider."""
    made = torch.zeros(10, 28, 28, dtype=torch.uint8)
    for number, image in enumerate(made):
        image[6:22, 12 : 14 + number // 2] = 255
    return made


def test_there_are_identity_and_fifteen_changes():
    assert len(CHANGES) == 15
    assert all(each.what and each.name == name for name, each in CORRUPTIONS.items())


def test_identity_changes_nothing_and_gives_a_copy(images):
    same = corrupt("identity", images, seed=1)
    assert torch.equal(same, images)
    assert same.data_ptr() != images.data_ptr()


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_keeps_shape_and_range_and_leaves_its_input_alone(name, images):
    before = images.clone()
    changed = corrupt(name, images, seed=1)
    assert changed.shape == images.shape
    assert changed.dtype == torch.uint8
    assert torch.equal(images, before)
    assert not torch.equal(changed, images)


@pytest.mark.parametrize("name", CHANGES)
def test_the_same_seed_gives_the_same_images_whatever_else_is_drawn(name, images):
    first = corrupt(name, images, seed=7)
    torch.rand(5)
    corrupt("fog", images, seed=3)
    assert torch.equal(corrupt(name, images, seed=7), first)


@pytest.mark.parametrize("name", ["shot noise", "impulse noise", "motion blur", "fog", "spatter", "zigzag"])
def test_another_seed_gives_other_images(name, images):
    assert not torch.equal(corrupt(name, images, seed=1), corrupt(name, images, seed=2))


def test_global_random_numbers_are_left_alone(images):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    for name in CORRUPTIONS:
        corrupt(name, images, seed=1)
    assert torch.equal(torch.rand(3), expected)


def test_more_images_than_a_chunk_and_none_at_all_work():
    many = torch.zeros(CHUNK + 3, 28, 28, dtype=torch.uint8)
    assert corrupt("impulse noise", many, seed=1).shape == many.shape
    assert corrupt("fog", many[:0], seed=1).shape == (0, 28, 28)


def test_brightness_adds_half_of_the_range(images):
    assert corrupt("brightness", images, seed=1).unique().tolist() == [128, 255]


def test_stripe_inverts_the_outer_columns_only(images):
    changed = corrupt("stripe", images, seed=1)
    assert torch.equal(changed[:, :, 7:21], images[:, :, 7:21])
    assert torch.equal(changed[:, :, :7], 255 - images[:, :, :7])


def test_translate_moves_three_pixels_both_ways(images):
    moved = corrupt("translate", images, seed=1)
    for before, after in zip(images, moved, strict=True):
        ways = [torch.roll(before, (3 * down, 3 * right), (0, 1)) for down in (-1, 1) for right in (-1, 1)]
        assert any(torch.equal(after, way) for way in ways)


def test_scale_shrinks_to_seven_tenths(images):
    ink = images.float().sum((1, 2))
    assert corrupt("scale", images, seed=1).float().sum((1, 2)) / ink == pytest.approx(
        torch.full((10,), 0.49), abs=0.06
    )


def test_impulse_noise_strikes_about_17_percent_half_of_it_white():
    grey = torch.full((200, 28, 28), 100, dtype=torch.uint8)
    struck = corrupt("impulse noise", grey, seed=1)
    assert float((struck != 100).float().mean()) == pytest.approx(0.17, abs=0.01)
    assert float((struck == 255).float().mean()) == pytest.approx(0.085, abs=0.01)


def test_shot_noise_leaves_paper_and_the_mean_alone():
    grey = torch.full((200, 28, 28), 51, dtype=torch.uint8)
    assert not corrupt("shot noise", torch.zeros_like(grey), seed=1).any()
    assert float(corrupt("shot noise", grey, seed=1).float().mean()) == pytest.approx(51, abs=2)


def test_dotted_line_draws_two_columns_of_four(images):
    paper = torch.zeros_like(images)
    inked = (corrupt("dotted line", paper, seed=1) > 0).any(1)  # (N, 28) columns
    assert inked.tolist() == [[column % 4 >= 2 for column in range(28)]] * 10


def test_the_edges_of_a_square_are_its_outline():
    square = torch.zeros(1, 28, 28)
    square[:, 8:20, 8:20] = 1
    found = edges(square)[0]
    assert found.sum() > 30
    assert not found[11:17, 11:17].any()
    assert not found[:6].any()


def test_an_unknown_name_and_a_wrong_type_are_refused(images):
    with pytest.raises(ValueError, match="there is no corruption 'rain'; choose among identity, shot noise"):
        corrupt("rain", images, seed=1)
    with pytest.raises(ValueError, match=r"give \(N, 28, 28\) of uint8"):
        corrupt("fog", images.float(), seed=1)
