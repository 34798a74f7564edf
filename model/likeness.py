"""Which drawings are near-duplicates: by distance in a network's penultimate layer."""

from collections.abc import Iterator

import torch
from torch import Tensor

from model.network import Network, as_pixels

# Our choice: 99 % of pen digits whose joints are moved by up to 2 units (a fifth of a pixel) lie this near to themselves
# in the round-0 network, and 0.5 % of pen digits to another of their digit and writer. Narrow on purpose: of copies shifted by
# up to half a pixel it finds half (53 %). benchmarks/near_duplicates.py.
NEAR = 5.0


@torch.inference_mode()
def features_of(network: Network, images: Tensor, batch: int = 1000) -> Tensor:
    """images: (N, 28, 28) uint8; result: (N, 50) float."""
    if not len(images):
        return torch.zeros(0, network.fc1.out_features)
    return torch.cat([network.features(as_pixels(part)) for part in images.split(batch)])


def near(features: Tensor, others: Tensor) -> Tensor:
    """(N,): has each of (N, 50) a near-duplicate among (M, 50)?"""
    found = torch.zeros(len(features), dtype=torch.bool)
    for i, _ in near_pairs(features, others):
        found[i] = True
    return found


def near_pairs(features: Tensor, others: Tensor, rows: int = 2000) -> Iterator[tuple[int, int]]:
    """Which of (N, 50) is a near-duplicate of which of (M, 50); `rows` at a time, so that memory stays small."""
    if not len(others):
        return
    for begin in range(0, len(features), rows):
        for i, j in (torch.cdist(features[begin : begin + rows], others) < NEAR).nonzero().tolist():
            yield begin + i, j
