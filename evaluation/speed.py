"""How long the network takes for an image, one at a time and by the thousand."""

import statistics
import time
from typing import Any

import torch
from torch import Tensor, nn

from model.network import as_pixels

REPETITIONS = {1: 500, 1000: 20}  # by batch size


@torch.inference_mode()
def speed(network: nn.Module, images: Tensor) -> list[dict[str, Any]]:
    """Milliseconds per image, from 8-bit image to logits, at each batch size: median and 10th to 90th percentile.

    images: (N, 28, 28) uint8, repeated where there are too few.
    """
    rows = []
    for batch, repetitions in REPETITIONS.items():
        given = images[torch.arange(batch) % len(images)]
        for _ in range(max(repetitions // 10, 2)):
            network(as_pixels(given))
        took = []
        for _ in range(repetitions):
            began = time.perf_counter()
            network(as_pixels(given))
            took.append(1000 * (time.perf_counter() - began) / batch)
        tenths = statistics.quantiles(took, n=10)
        row = {"batch": batch, "repetitions": repetitions, "milliseconds_per_image": statistics.median(took)}
        rows.append({**row, "low": tenths[0], "high": tenths[-1], "threads": torch.get_num_threads()})
    return rows
