"""Does the heat lie where the network looked? Grad-CAM of the digit network against covering patches, and its speed.

On clean validation digits: the way that is used was chosen by this.
"""

import statistics
import time

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.server import MNIST
from evaluation.grad_cam import DIGITS, LastConvolution, heat_map, heat_maps
from model.clean_digits import load_clean_digits
from model.network import Network, as_pixels
from model.weights import SHIPPED_FOLDER, build_network, load_weights, shipped_weights_id

DIGITS_LOOKED_AT, PATCH, CALLS = 200, 5, 200
WAYS = {
    "rectified, over the pixels its cells see": DIGITS,
    "rectified, stretched over the image": LastConvolution("conv2", rectified=True),
    "signs kept, over the pixels its cells see": LastConvolution("conv2", margin=6),
    "signs kept, stretched over the image": LastConvolution("conv2"),
}


@torch.inference_mode()
def covering(network: Network, images: Tensor, classes: Tensor) -> Tensor:
    """(N, 28, 28): how much a patch of paper, and one of ink, centred on each pixel moves the class's logit."""
    before = network(images).gather(1, classes[:, None])
    moved = torch.zeros(len(images), 28, 28)
    for row in range(28):
        for column in range(28):
            rows, columns = (slice(max(middle - PATCH // 2, 0), middle + PATCH // 2 + 1) for middle in (row, column))
            for shade in (0.0, 1.0):
                covered = images.clone()
                covered[:, :, rows, columns] = shade
                moved[:, row, column] += (network(covered).gather(1, classes[:, None]) - before).abs()[:, 0] / 2
    return moved


def _with_interval(values: Tensor) -> str:
    drawn = torch.randint(len(values), (10_000, len(values)), generator=torch.Generator().manual_seed(0))
    low, high = values[drawn].mean(1).quantile(torch.tensor([0.025, 0.975])).tolist()
    return f"{float(values.mean()):.2f} ({low:.2f} to {high:.2f})"


def main() -> None:
    torch.set_num_threads(1)
    network = build_network(load_weights(SHIPPED_FOLDER, shipped_weights_id()))
    digits = load_clean_digits(MNIST, MNIST).validation.images[:DIGITS_LOOKED_AT]
    images = as_pixels(digits)
    classes = network(images).argmax(1)
    moved = covering(network, images, classes).clone()
    ink = F.max_pool2d(images, 3, 1, 1)[:, 0] > 0.2  # within a pixel of ink
    print(
        f"weights {shipped_weights_id()}, the first {len(digits)} MNIST validation digits, for the class predicted; 95 % bootstrap intervals over digits:"
    )
    for words, layer in WAYS.items():
        heat = heat_maps(network, images, classes, layer)
        each = [
            float(torch.corrcoef(torch.stack([h.flatten(), m.flatten()]))[0, 1])
            for h, m in zip(heat, moved, strict=True)
        ]
        alike = torch.tensor(each).nan_to_num(0.0)  # an empty map tells nothing
        empty = int((heat.amax((1, 2)) == 0).sum())
        print(
            f"  {words}: correlation with covering {_with_interval(alike)}, "
            f"heat on ink {float((heat * ink).sum() / heat.sum()):.0%}, empty maps {empty}"
        )
    took = []
    for i in range(CALLS):
        began = time.perf_counter()
        heat_map(network, digits[i % len(digits)], int(classes[i % len(digits)]))
        took.append((time.perf_counter() - began) * 1000)
    deciles = statistics.quantiles(took, n=10)
    print(
        f"one map: median {statistics.median(took):.1f} ms, 90 % within {deciles[-1]:.1f} ms ({CALLS} calls, one thread)"
    )


if __name__ == "__main__":
    main()
