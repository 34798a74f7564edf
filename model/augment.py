"""Random small affine changes of a batch of digits, made for the whole batch at once."""

from dataclasses import dataclass
from math import radians

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Augmentation:
    """Uniform ranges: rotation in degrees, shift in pixels, scale as a share around 1."""

    rotation_degrees: float
    shift_px: float
    scale_share: float

    def __post_init__(self) -> None:
        if min(self.rotation_degrees, self.shift_px, self.scale_share) < 0:
            raise ValueError(f"{self} has a negative range; use 0 to switch a change off")
        if self.scale_share >= 1:
            raise ValueError(f"scale_share is {self.scale_share}; a digit cannot shrink to nothing, stay below 1")


def augment(images: Tensor, how: Augmentation, generator: torch.Generator) -> Tensor:
    """Rotate, scale and shift each image by its own random amount.

    images: (N, 1, H, W) float; the result has the same shape, with 0 (no ink) where nothing was.
    """
    count, _, height, width = images.shape

    def uniform(reach: float) -> Tensor:
        return (torch.rand(count, generator=generator) * 2 - 1) * reach

    angle = uniform(radians(how.rotation_degrees))
    zoom = 1 / (1 + uniform(how.scale_share))  # the grid looks backwards: output -> input
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    theta = torch.stack(
        [
            torch.stack([cos, -sin, uniform(how.shift_px) * 2 / width], dim=1),
            torch.stack([sin, cos, uniform(how.shift_px) * 2 / height], dim=1),
        ],
        dim=1,
    )  # (N, 2, 3)
    grid = F.affine_grid(theta, [count, 1, height, width], align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
