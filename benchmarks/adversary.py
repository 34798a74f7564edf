"""A simulated annotator who adapts: bends a real pen digit, looking at the prediction, until the model is fooled."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.bending import AMOUNTS, Bending, bend
from model.network import Network, as_pixels
from model.strokes import Drawing, rasterise

# Bounds within which a person still reads the digit: two thirds of what the recipe bends fooling drawings by.
READABLE = Bending(shift=25, rotation_degrees=10, slant=0.15, scale=0.2, stretch=0.12, jitter=5, lift=10)
TRIES = 20


@dataclass(frozen=True)
class Tries:
    """tries: (N,) the try that fooled the model, TRIES + 1 where none did; fooled_with: the drawings that did."""

    tries: NDArray[np.int64]
    fooled_with: list[Drawing | None]

    def survival(self) -> NDArray[np.float64]:
        """(TRIES + 1,): the share not fooled after 0, 1, ... tries."""
        return np.array([(self.tries > number).mean() for number in range(TRIES + 1)])


def attack(network: Network, drawings: Sequence[Drawing], labels: Sequence[int], seed: int) -> Tries:
    """Bend each drawing until the network misreads it or TRIES are spent.

    The first try is the digit as it was written. Each further one starts from the try that came nearest (the lowest
    probability of its digit), and changes it by half of what is allowed; every fourth starts afresh. All stay within READABLE of the
    digit as it was written.
    """
    rng = np.random.default_rng(seed)
    n = len(drawings)
    best, lowest = np.zeros((n, AMOUNTS)), np.full(n, np.inf)
    tries = np.full(n, TRIES + 1)
    fooled_with: list[Drawing | None] = [None] * n
    for number in range(1, TRIES + 1):
        playing: list[int] = np.flatnonzero(tries > TRIES).tolist()
        if not playing:
            break
        tried = _next_amounts(best[playing], number, rng)
        bent = [bend(drawings[i], READABLE, amounts) for i, amounts in zip(playing, tried, strict=True)]
        probabilities = _probabilities(network, bent)
        for row, i in enumerate(playing):
            if int(probabilities[row].argmax()) != labels[i]:
                tries[i], fooled_with[i] = number, bent[row]
            elif probabilities[row, labels[i]] < lowest[i]:
                lowest[i], best[i] = float(probabilities[row, labels[i]]), tried[row]
    return Tries(tries, fooled_with)


def as_images(drawings: Sequence[Drawing]) -> Tensor:
    """(N, 28, 28) uint8."""
    return torch.from_numpy(np.stack([rasterise(drawing) for drawing in drawings]))


def _next_amounts(best: NDArray[np.float64], number: int, rng: np.random.Generator) -> NDArray[np.float64]:
    if number == 1:
        return np.zeros_like(best)
    if number % 4 == 2:
        return rng.uniform(-1, 1, best.shape)
    return np.clip(best + rng.uniform(-0.5, 0.5, best.shape), -1, 1)


@torch.inference_mode()
def _probabilities(network: Network, drawings: Sequence[Drawing]) -> Tensor:
    probabilities: Tensor = network(as_pixels(as_images(drawings))).softmax(1)
    return probabilities
