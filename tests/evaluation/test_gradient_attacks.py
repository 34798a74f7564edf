"""Gradient attacks: within epsilon and the pixel range, on a network whose answer is known."""

import sys

import numpy as np
import pytest
import torch
from torch import nn

from evaluation.extras import ExtraMissing
from evaluation.gradient_attacks import ATTACKS, GradientAttack, attack_along_gradient, check_within
from model.network import Network


class Ink(nn.Module):
    """Two classes: says 1 where the mean pixel is above 0.5. Its gradient points the same way at every pixel."""

    def forward(self, images):
        more = 10 * (images.flatten(1).mean(1) - 0.5)
        return torch.stack([-more, more], 1)


GREY = torch.full((4, 1, 28, 28), 0.45)
ZERO = torch.zeros(4, dtype=torch.int64)


def test_fgsm_moves_every_pixel_by_epsilon_against_the_label():
    attacked = attack_along_gradient(Ink(), GREY, ZERO, GradientAttack("FGSM", 0.1), seed=1)
    assert torch.allclose(attacked, torch.full_like(GREY, 0.55))
    assert (Ink()(attacked).argmax(1) == 1).all()


def test_a_short_epsilon_does_not_reach():
    attacked = attack_along_gradient(Ink(), GREY, ZERO, GradientAttack("PGD", 0.04, steps=10, restarts=1), seed=1)
    assert (Ink()(attacked).argmax(1) == 0).all()
    assert torch.allclose(attacked, torch.full_like(GREY, 0.49), atol=1e-5)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_attacks_stay_within_epsilon_and_the_pixel_range(attack):
    torch.manual_seed(1)
    images, labels = torch.rand(6, 1, 28, 28).round(), torch.arange(6)
    attacked = attack_along_gradient(Network(), images, labels, attack, seed=1)
    assert attacked.shape == images.shape
    assert attacked.dtype == torch.float32
    assert float((attacked - images).abs().max()) <= attack.epsilon + 1e-6
    assert float(attacked.min()) >= 0
    assert float(attacked.max()) <= 1


def test_seeds_decide_and_global_random_state_and_network_are_left_alone():
    torch.manual_seed(1)
    np.random.seed(1)
    network, images, labels = Network(), torch.rand(3, 1, 28, 28), torch.arange(3)
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    attack = GradientAttack("PGD", 0.3, steps=2, restarts=1)
    first, again, other = (attack_along_gradient(network, images, labels, attack, seed) for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()
    assert all(p.grad is None and p.requires_grad for p in network.parameters())


def test_it_tells_how_far_it_is():
    told = []
    attack_along_gradient(Ink(), GREY, ZERO, GradientAttack("FGSM", 0.1), 1, lambda done, of: told.append((done, of)))
    assert told == [(4, 4)]


def test_no_image_is_no_work():
    assert attack_along_gradient(Ink(), GREY[:0], ZERO[:0], ATTACKS[0], seed=1).shape == (0, 1, 28, 28)


def test_an_attack_that_leaves_its_bounds_is_refused():
    with pytest.raises(ValueError, match=r"moved a pixel by 0\.200000, more than its epsilon of 0\.1"):
        check_within(GREY, GREY + 0.2, 0.1)
    with pytest.raises(ValueError, match="left the pixel range of 0 to 1"):
        check_within(torch.ones(1, 1, 2, 2), torch.full((1, 1, 2, 2), 1.05), 0.1)
    with pytest.raises(ValueError, match="not numbers"):
        check_within(GREY, GREY * float("nan"), 0.1)


def test_wrong_settings_and_images_are_refused():
    for wrong in (0, 1.5):
        with pytest.raises(ValueError, match=f"epsilon is {wrong}"):
            GradientAttack("FGSM", wrong)
    with pytest.raises(ValueError, match="FGSM is a single step"):
        GradientAttack("FGSM", 0.1, steps=3)
    with pytest.raises(ValueError, match="divide 8-bit images by 255"):
        attack_along_gradient(Ink(), GREY * 255, ZERO, ATTACKS[0], seed=1)
    with pytest.raises(ValueError, match="4 images and 3 labels"):
        attack_along_gradient(Ink(), GREY, ZERO[:3], ATTACKS[0], seed=1)


def test_without_the_extra_the_message_says_how_to_get_it(monkeypatch):
    for name in [name for name in sys.modules if name == "art" or name.startswith("art.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(ExtraMissing, match=r"adversarial-robustness-toolbox is not installed; run `pip install -r "):
        attack_along_gradient(Ink(), GREY, ZERO, ATTACKS[0], seed=1)


def test_attacks_say_what_they_do():
    assert str(ATTACKS[2]) == "PGD, L-infinity, epsilon 0.1, 40 steps of 0.01, 1 random start"
    assert str(ATTACKS[1]) == "FGSM, L-infinity, epsilon 0.3"
