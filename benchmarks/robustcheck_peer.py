"""robustcheck's own run, for `benchmarks.robustness`: started by it with a Python that has robustcheck 1.1.0.

Prints one line of JSON, after whatever robustcheck prints. Attacks float images: in [0, 1], and in 0 to 255 for
epsilon-greedy, which knows no other range.
"""

import json
import os
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.server import MNIST
from model.clean_digits import Digits, load_clean_digits
from model.network import Network
from model.weights import SHIPPED_FOLDER, build_network, load_weights, shipped_weights_id


def mnist_test() -> Digits:
    folder = Path(os.environ.get("HOODWINK_MNIST_DIR") or MNIST)
    return load_clean_digits(folder, folder).test


class Predictor:
    """The network as robustcheck calls a model: (N, H, W, C) numpy to probabilities."""

    def __init__(self, network: Network, scale: float) -> None:
        self.network, self.scale = network, scale

    @torch.inference_mode()
    def predict(self, images: NDArray[np.float32], verbose: bool = False) -> NDArray[np.float32]:  # noqa: ARG002
        batch = torch.from_numpy(images).permute(0, 3, 1, 2) / self.scale
        return np.asarray(torch.softmax(self.network(batch), 1).numpy())


def main(attack: str, count: int, settings: dict[str, Any]) -> None:
    # By name: robustcheck is not installed where types are checked.
    kinds = import_module("robustcheck.types.AttackType").AttackType
    patches = import_module("robustcheck.EpsilonGreedyUntargeted.utils").get_grid_pixel_groups

    scale = 255.0 if attack == "epsilon-greedy" else 1.0
    test = mnist_test()
    images = test.images[:count].unsqueeze(-1).numpy().astype(np.float32) / np.float32(255 / scale)
    kind = {"evoba": kinds.EVOBA, "epsilon-greedy": kinds.EPSGREEDY, "simba": kinds.SIMBA}[attack]
    if "patch" in settings:
        settings["pixel_groups"] = patches((settings["patch"], settings.pop("patch")), (28, 28))
    network = build_network(load_weights(SHIPPED_FOLDER, shipped_weights_id()))
    check = import_module("robustcheck.RobustnessCheck").RobustnessCheck(
        Predictor(network, scale), images, test.labels[:count].numpy(), kind, settings
    )
    began = time.perf_counter()
    stats = check.run_robustness_check()
    seconds = time.perf_counter() - began
    spent = sum(each.queries for each in check._index_to_adversarial_strategy.values())
    lists = {
        name: np.asarray(stats[name]).tolist()
        for name in ("indices_succ", "queries_succ", "l0_dists_succ", "l2_dists_succ", "indices_fail")
    }
    lists["l2_dists_succ"] = [each / scale for each in lists["l2_dists_succ"]]
    print(json.dumps({"seconds": seconds, "queries_total": int(spent), **lists}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3]))
