"""Shifts in the manner of MNIST-C: shapes, ranges, seeds, and what single changes must do."""

import math

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


def middles(images):
    """(N, 28): where in each row the ink lies, on average."""
    ink = images.double()
    return (ink * torch.arange(28.0)).sum(2) / ink.sum(2)


def test_shear_slants_by_its_angle_to_either_side(images):
    rows = torch.arange(8.0, 20)
    away = rows - rows.mean()
    lines = middles(corrupt("shear", images, seed=1))[:, 8:20]
    slopes = [float(((line - line.mean()) * away).sum() / (away**2).sum()) for line in lines]
    assert [abs(slope) for slope in slopes] == pytest.approx([math.tan(0.4)] * 10, abs=0.02)
    assert min(slopes) < 0 < max(slopes)


def test_rotation_turns_a_bar_by_its_angle_either_way(images):
    turned, angles = corrupt("rotate", images, seed=1).double(), []
    place = torch.arange(28.0, dtype=torch.float64)
    for image in turned:
        ink = image.sum()
        row, column = (image.sum(1) * place).sum() / ink, (image.sum(0) * place).sum() / ink
        down, right = place[:, None] - row, place[None, :] - column
        both, upright = (image * down * right).sum() / ink, (image * (down**2 - right**2)).sum() / ink
        angles.append(0.5 * math.atan2(2 * float(both), float(upright)))
    assert [abs(angle) for angle in angles] == pytest.approx([0.4] * 10, abs=0.03)
    assert min(angles) < 0 < max(angles)


@pytest.mark.parametrize("name", ["glass blur", "motion blur"])
def test_blurs_keep_the_ink_and_spread_it(name, images):
    blurred = corrupt(name, images, seed=1).double()
    assert blurred.sum((1, 2)) / images.double().sum((1, 2)) == pytest.approx(torch.ones(10), abs=0.05)
    assert ((blurred > 20).sum((1, 2)) > 1.2 * (images > 20).sum((1, 2))).all()


def test_motion_blur_spreads_to_one_side_only(images):
    """Half a Gaussian of sigma 3: the ink moves by its mean, 3 * sqrt(2 / pi) = 2.4 px, along the line; -45 to 45 degrees."""
    many = images[:1].expand(300, 28, 28)
    moved = corrupt("motion blur", many, seed=1).double()
    place = torch.arange(28.0)
    columns = (moved.sum(1) * place).sum(1) / moved.sum((1, 2)) - 12.5
    rows = (moved.sum(2) * place).sum(1) / moved.sum((1, 2)) - 13.5
    far = torch.hypot(columns, rows)
    assert float(far.mean()) == pytest.approx(2.2, abs=0.25)  # the taps are whole pixels, and begin on the pixel itself
    assert (columns < 0).all()
    assert float((rows / columns).abs().max()) < 1.2


def test_fog_lifts_paper_and_keeps_the_brightest_ink(images):
    foggy = corrupt("fog", images, seed=1)
    assert (foggy[:, 6:22, 12:14].amax((1, 2)) >= foggy.flatten(1).amax(1) - 60).all()
    paper = foggy[:, :, :6].double()
    assert 60 < float(paper.mean()) < 160
    assert float(paper.std((1, 2)).mean()) > 3  # clouds, not an even grey


def test_spatter_paints_drops_of_one_grey():
    paper = torch.zeros(200, 28, 28, dtype=torch.uint8)
    drops = corrupt("spatter", paper, seed=1)
    assert 0.01 < float((drops > 0).double().mean()) < 0.4
    assert int(drops.max()) <= 63


def test_zigzag_goes_up_and_down_by_two_pixels():
    paper = torch.zeros(100, 28, 28, dtype=torch.uint8)
    drawn = corrupt("zigzag", paper, seed=1)
    assert not drawn[:, :, :2].any()
    assert not drawn[:, :, 25:].any()
    inside = ~(drawn[:, :4] > 0).flatten(1).any(1) & ~(drawn[:, 24:] > 0).flatten(1).any(1)  # nothing of it cut off
    line = drawn[inside].double()[:, :, 2:25]
    heights = (line * torch.arange(28.0)[:, None]).sum(1) / line.sum(1)  # (N, 23) at columns 2 to 24
    corners = heights[:, 2::4]  # crests and troughs, 4 px across and 4 px up or down from one to the next
    assert len(line) > 20
    assert float((corners[:, 1:] - corners[:, :-1]).abs().mean()) == pytest.approx(4, abs=0.6)


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
