"""Shifted digits in the manner of MNIST-C: 15 changes a person reads through, and identity.

After Mu and Gilmer 2019 (arXiv 1906.02337), the same 15 with the severities their code picks, written anew for whole
batches and on torchvision.transforms.v2 where it has them; not their files, so figures are near theirs and not equal. Pixels are
0 (paper) to 1 (ink) inside; each change gets its own random numbers, so that it does not depend on the others.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from math import degrees

import torch
from torch import Tensor
from torch.nn import functional as F

from evaluation.corruption_shapes import dotted_line, edges, fog, glass_blur, motion_blur, zigzag
from model.vision import torchvision

CHUNK = 1000  # images changed at once: bounds the memory
SHEAR = 0.4  # radians, and of rotation too
Change = Callable[[Tensor, torch.Generator], Tensor]  # (N, 28, 28) float in [0, 1] to the same; clamped afterwards


@dataclass(frozen=True)
class Corruption:
    name: str
    what: str  # the change with its parameters, for people
    change: Change


def corrupt(name: str, images: Tensor, seed: int) -> Tensor:
    """The images after one change, the same for the same images and seed.

    images: (N, 28, 28) uint8; so is the result. Raises ValueError for a name that is not in CORRUPTIONS.
    """
    if name not in CORRUPTIONS:
        raise ValueError(f"there is no corruption {name!r}; choose among {', '.join(CORRUPTIONS)}")
    if images.dtype != torch.uint8 or images.shape[1:] != (28, 28):
        raise ValueError(f"the images are {images.dtype} of shape {tuple(images.shape)}; give (N, 28, 28) of uint8")
    if name == "identity" or not len(images):
        return images.clone()
    # Hashed together: of a larger number the generator would take the last 32 bits only.
    generator = torch.Generator().manual_seed(zlib.crc32(f"{seed} {name}".encode()))
    change = CORRUPTIONS[name].change
    parts = [change(part.float() / 255, generator).clamp(0, 1) for part in images.split(CHUNK)]
    return (torch.cat(parts) * 255).round().to(torch.uint8)


def _shot_noise(images: Tensor, generator: torch.Generator) -> Tensor:
    return torch.poisson(images * 3, generator=generator) / 3


def _impulse_noise(images: Tensor, generator: torch.Generator) -> Tensor:
    struck = torch.rand(images.shape, generator=generator) < 0.17
    value = (torch.rand(images.shape, generator=generator) < 0.5).float()
    return torch.where(struck, value, images)


def _affine(
    images: Tensor,
    *,
    angle: float = 0.0,
    shift: tuple[float, float] = (0, 0),
    scale: float = 1.0,
    shear: float = 0.0,
) -> Tensor:
    """torchvision's affine, the same for all images. angle and shear in degrees, shift in pixels."""
    v2 = torchvision("transforms.v2")
    bilinear = v2.InterpolationMode.BILINEAR
    moved: Tensor = v2.functional.affine(
        images.unsqueeze(1), angle, list(shift), scale, [shear, 0.0], interpolation=bilinear, fill=[0.0]
    )
    return moved.squeeze(1)


def _either_way(change: Callable[[Tensor, int], Tensor]) -> Change:
    """A change one way or the other, by the toss of a coin for each image."""

    def changed(images: Tensor, generator: torch.Generator) -> Tensor:
        forth = torch.rand(len(images), generator=generator) < 0.5
        result = torch.empty_like(images)
        for way, chosen in ((1, forth), (-1, ~forth)):
            if chosen.any():
                result[chosen] = change(images[chosen], way)
        return result

    return changed


def _translate(images: Tensor, generator: torch.Generator) -> Tensor:
    def sideways(part: Tensor, way: int) -> Tensor:
        return _affine(part, shift=(3 * way, 0))

    def up_or_down(part: Tensor, way: int) -> Tensor:
        return _affine(part, shift=(0, 3 * way))

    return _either_way(up_or_down)(_either_way(sideways)(images, generator), generator)


def _stripe(images: Tensor, _: torch.Generator) -> Tensor:
    striped = 1 - images
    striped[:, :, 7:21] = images[:, :, 7:21]
    return striped


def _blur(images: Tensor, sigma: float) -> Tensor:
    v2 = torchvision("transforms.v2")
    side = 2 * round(4 * sigma) + 1
    blurred: Tensor = v2.functional.gaussian_blur(images.unsqueeze(1), [side, side], [sigma, sigma])
    return blurred.squeeze(1)


def _spatter(images: Tensor, generator: torch.Generator) -> Tensor:
    liquid = _blur(0.65 + 0.3 * torch.randn(images.shape, generator=generator), 1.0)
    mud = _blur((liquid > 0.65).float(), 1.5)
    mud = F.threshold(mud, 0.8, 0.0)
    return images * (1 - mud) + 63 / 255 * mud


def _glass_blur(images: Tensor, generator: torch.Generator) -> Tensor:
    return _blur(glass_blur(_blur(images, 0.7), generator), 0.7)


CORRUPTIONS: dict[str, Corruption] = {
    each.name: each
    for each in (
        Corruption("identity", "nothing changed", lambda images, _: images),
        Corruption("shot noise", "each pixel a Poisson count of mean 3 x ink, over 3", _shot_noise),
        Corruption("impulse noise", "17 % of the pixels all black or all white", _impulse_noise),
        Corruption("glass blur", "blur of sigma 0.7, neighbouring pixels swapped twice, the blur again", _glass_blur),
        Corruption("motion blur", "smeared one way, sigma 3 px, -45 to 45 degrees", motion_blur),
        Corruption(
            "shear",
            "0.4 radians, to the left or right (v2 affine)",
            _either_way(lambda images, way: _affine(images, shear=degrees(SHEAR) * way)),
        ),
        Corruption("scale", "shrunk to 0.7 (v2 affine)", lambda images, _: _affine(images, scale=0.7)),
        Corruption(
            "rotate",
            "0.4 radians, one way or the other (v2 affine)",
            _either_way(lambda images, way: _affine(images, angle=degrees(SHEAR) * way)),
        ),
        Corruption("brightness", "0.5 added to every pixel", lambda images, _: images + 0.5),
        Corruption("translate", "3 px left or right and 3 px up or down (v2 affine)", _translate),
        Corruption("stripe", "paper and ink exchanged in the outer seven columns on both sides", _stripe),
        Corruption("fog", "plasma clouds of strength 3 and roughness 1.4 added, then scaled back", fog),
        Corruption("spatter", "opaque grey drops (v2 blurs of sigma 1 and 1.5)", _spatter),
        Corruption("dotted line", "a straight line across, two columns on, two off", dotted_line),
        Corruption("zigzag", "a zigzag line across, 2 px high, with a corner every 4 px", zigzag),
        Corruption(
            "canny edges",
            "only the edges (Canny 1986: sigma 1, thresholds 0.1 and 0.2)",
            lambda images, _: edges(_blur(images, 1.0)),
        ),
    )
}
