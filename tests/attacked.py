"""A model whose answer is known, and attacks on it."""

import torch
from torch import Tensor

from evaluation.black_box import Attacked, EvoBA, attack_images


def brightness(images: Tensor) -> Tensor:
    """Two classes: 0 up to a mean pixel of 0.5, 1 above."""
    mean = images.flatten(1).mean(1)
    return torch.stack([0.5 - mean, mean - 0.5], dim=1) * 20


def attacked_images(count: int = 5, channels: int = 1, steps: int = 100) -> Attacked:
    images = torch.rand(count, channels, 6, 6, generator=torch.Generator().manual_seed(1)) * 0.8
    return attack_images(brightness, images, [0] * count, EvoBA(steps=steps), seed=1)
