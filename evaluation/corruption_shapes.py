"""The changes among the corruptions that torchvision does not have: smears, clouds, lines, edges.

All take (N, 28, 28) float in [0, 1] and give the same shape; parameters are those of MNIST-C's code (see corruptions.py).
"""

from math import pi

import torch
from torch import Tensor
from torch.nn import functional as F

LINE = 2.3  # a line's ink falls to 0 so many pixels above and below it
CLOUDS = 64  # different skies at most, from which every image gets its own window
SKY = 256  # pixels along the side of one


def glass_blur(images: Tensor, generator: torch.Generator) -> Tensor:
    """Swap about half of all pixels with a neighbour, from the lower right to the upper left, twice."""
    n = len(images)
    shuffled = images.reshape(n, -1).clone()
    every = torch.arange(n)
    for _ in range(2):
        for row in range(27, 1, -1):
            for column in range(27, 1, -1):
                chosen = every[torch.rand(n, generator=generator) < 0.5]
                step = torch.randint(-1, 1, (2, len(chosen)), generator=generator)  # -1 or 0
                here, there = row * 28 + column, (row + step[0]) * 28 + column + step[1]
                kept = shuffled[chosen, here]
                shuffled[chosen, here] = shuffled[chosen, there]
                shuffled[chosen, there] = kept
    return shuffled.reshape(images.shape)


def motion_blur(images: Tensor, generator: torch.Generator, sigma: float = 3.0, taps: int = 21) -> Tensor:
    """Each image smeared along a line of its own: half a Gaussian, as ImageMagick's motion blur has it."""
    n = len(images)
    angle = (torch.rand(n, generator=generator) - 0.5) * pi / 2  # -45 to 45 degrees
    weights = torch.exp(-(torch.arange(taps) ** 2) / (2 * sigma**2))
    weights /= weights.sum()
    rows, columns = torch.arange(28).view(1, 28, 1), torch.arange(28).view(1, 1, 28)
    which, result = torch.arange(n).view(n, 1, 1), torch.zeros_like(images)
    for tap, weight in enumerate(weights.tolist()):
        down, right = torch.round(tap * torch.sin(angle)).long(), torch.round(tap * torch.cos(angle)).long()
        row, column = (rows + down.view(n, 1, 1)).clamp(0, 27), (columns + right.view(n, 1, 1)).clamp(0, 27)
        result += weight * images[which, row, column]
    return result


def fog(images: Tensor, generator: torch.Generator, strength: float = 3.0, roughness: float = 1.4) -> Tensor:
    """Plasma clouds, a random window of a random sky for each image."""
    n = len(images)
    count = min(CLOUDS, n)
    skies = _skies(count, roughness, generator)
    corner = torch.randint(0, SKY, (3, n), generator=generator)
    side = torch.arange(28)
    rows, columns = (corner[1].view(n, 1, 1) + side.view(1, 28, 1)) % SKY, (corner[2].view(n, 1, 1) + side) % SKY
    clouds = skies[(corner[0] % count).view(n, 1, 1), rows, columns]  # (N, 28, 28)
    most = images.amax((1, 2), keepdim=True)
    return (images + strength * clouds) * most / (most + strength)


def _skies(count: int, roughness: float, generator: torch.Generator) -> Tensor:
    """Height maps by the diamond-square algorithm, which join at their edges: (count, SKY, SKY) in [0, 1]."""
    sky, step, wibble = torch.zeros(count, SKY, SKY), SKY, 100.0

    def mean_and_wibble(four: Tensor) -> Tensor:
        noise = torch.rand(four.shape, generator=generator) * 2 - 1
        return four / 4 + wibble * wibble * noise

    while step >= 2:
        half = step // 2
        corners = sky[:, ::step, ::step]
        around = corners + corners.roll(-1, 1)
        sky[:, half::step, half::step] = mean_and_wibble(around + around.roll(-1, 2))
        middles = sky[:, half::step, half::step]
        beside = middles + middles.roll(1, 1) + corners + corners.roll(-1, 2)
        sky[:, ::step, half::step] = mean_and_wibble(beside)
        above = middles + middles.roll(1, 2) + corners + corners.roll(-1, 1)
        sky[:, half::step, ::step] = mean_and_wibble(above)
        step, wibble = half, wibble / roughness
    sky -= sky.amin((1, 2), keepdim=True)
    return sky / sky.amax((1, 2), keepdim=True)


def dotted_line(images: Tensor, generator: torch.Generator) -> Tensor:
    """A straight line from side to side, two columns of it left out, two drawn, and so on."""
    ends = torch.randint(0, 27, (2, len(images), 1), generator=generator)
    columns = torch.arange(28)
    ink = _ink_along(ends[0] + (ends[1] - ends[0]) * columns / 27)
    return images + ink * (columns % 4 >= 2)


def zigzag(images: Tensor, generator: torch.Generator) -> Tensor:
    """A zigzag about a nearly level line, from column 2 to 25."""
    n, columns = len(images), torch.arange(28)
    begin = torch.randint(0, 27, (n, 1), generator=generator)
    rise = torch.randint(-5, 5, (n, 1), generator=generator) / 23
    phase = ((columns - 2) / 8) % 1
    wave = 2 * torch.where(phase < 0.25, 4 * phase, torch.where(phase < 0.75, 2 - 4 * phase, 4 * phase - 4))
    ink = _ink_along(begin + rise * (columns - 2) + wave)
    return images + ink * ((columns >= 2) & (columns < 25))


def _ink_along(heights: Tensor) -> Tensor:
    """The ink of a line that passes column c at height (n, c): (N, 28, 28)."""
    away = (torch.arange(28).view(1, 28, 1) - heights.unsqueeze(1)).abs()
    return (torch.log1p(-away.clamp(max=LINE * 0.999) / LINE) + 1).clamp(0, 1)


def edges(smooth: Tensor, low: float = 0.1, high: float = 0.2) -> Tensor:
    """Canny's edges of blurred images: ridges of the gradient, above `high` or joined to one that is, by way of `low`.

    The gradient's direction is rounded to one of four; magnitudes are those of Sobel's filter, not normalised.
    """
    sobel = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    padded = F.pad(smooth.unsqueeze(1), (1, 1, 1, 1), mode="replicate")
    across, down = F.conv2d(padded, torch.stack([sobel, sobel.T]).unsqueeze(1)).unbind(1)  # each (N, 28, 28)
    size = torch.hypot(across, down)
    around = F.pad(size, (1, 1, 1, 1))
    direction = torch.round(torch.atan2(down, across) / (pi / 4)).long() % 4  # 0: across, 1: to the lower right, ...
    ridge = torch.zeros_like(size, dtype=torch.bool)
    for way, (row, column) in enumerate([(0, 1), (1, 1), (1, 0), (1, -1)]):
        ahead = around[:, 1 + row : 29 + row, 1 + column : 29 + column]
        behind = around[:, 1 - row : 29 - row, 1 - column : 29 - column]
        ridge |= (direction == way) & (size >= ahead) & (size > behind)
    weak, edge = ridge & (size >= low), ridge & (size >= high)
    while True:
        grown = weak & (F.max_pool2d(edge.float().unsqueeze(1), 3, 1, 1).squeeze(1) > 0)
        if torch.equal(grown, edge):
            return edge.float()
        edge = grown
