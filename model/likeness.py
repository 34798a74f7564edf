"""Which drawings are near-duplicates: by distance in a network's penultimate layer."""

import torch
from torch import Tensor

from model.network import Network, as_pixels

# Our choice: 99 % of pen digits whose joints are moved by up to 2 units (a fifth of a pixel) lie this near to themselves
# in the round-0 network, and 0.5 % of pen digits to another of their digit and writer: benchmarks/near_duplicates.py.
NEAR = 5.0


@torch.inference_mode()
def features_of(network: Network, images: Tensor, batch: int = 1000) -> Tensor:
    """images: (N, 28, 28) uint8; result: (N, 50) float."""
    if not len(images):
        return torch.zeros(0, network.fc1.out_features)
    return torch.cat([network.features(as_pixels(part)) for part in images.split(batch)])


def near(features: Tensor, others: Tensor) -> Tensor:
    """(N, M): is each of (N, 50) a near-duplicate of each of (M, 50)?"""
    return torch.cdist(features, others) < NEAR
