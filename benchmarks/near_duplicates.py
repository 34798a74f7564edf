"""How near drawings lie to their own near-copies and to other drawings: `python -m benchmarks.near_duplicates`.

The reason for model.likeness.NEAR. Distances are in the round-0 network's penultimate layer, over pen digits in natural framing.
"""

from typing import Annotated

import numpy as np
import torch
import typer
from torch import Tensor

from benchmarks.pen_digits import load_pen_digits
from model.bending import Bending, bend, random_amounts
from model.likeness import NEAR, features_of
from model.strokes import Drawing, check_strokes, rasterise
from model.weights import SHIPPED_FOLDER, build_network, load_weights, shipped_weights_id

COPIES = {
    "shifted by up to 2 units": Bending(shift=2),
    "joints moved by up to 2 units": Bending(jitter=2),
    "shifted by up to 5 units": Bending(shift=5),
    "shifted by up to 5, joints by up to 4, turned by up to 2 degrees": Bending(shift=5, jitter=4, rotation_degrees=2),
}


def main(count: Annotated[int, typer.Option(help="Pen digits to look at.")] = 2500) -> None:
    """Share of pairs nearer than NEAR."""
    digits = load_pen_digits("natural")[:count]
    drawings = [check_strokes(digit.strokes) for digit in digits]
    network = build_network(load_weights(SHIPPED_FOLDER, shipped_weights_id()))

    def features(shown: list[Drawing]) -> Tensor:
        return features_of(network, torch.from_numpy(np.stack([rasterise(drawing) for drawing in shown])))

    own = features(drawings)
    print(f"{len(digits)} pen digits, NEAR = {NEAR}")
    for name, how in COPIES.items():
        rng = np.random.default_rng(0)
        apart = (features([bend(drawing, how, random_amounts(rng)) for drawing in drawings]) - own).norm(dim=1)
        print(f"{name}: median {apart.median():.1f}, {(apart < NEAR).float().mean():.1%} near")
    label, writer = torch.tensor([d.label for d in digits]), torch.tensor([d.writer for d in digits])
    apart = torch.cdist(own, own).fill_diagonal_(torch.inf)
    same_digit, same_writer = label[:, None] == label, writer[:, None] == writer
    for name, chosen in {
        "by the same writer": same_digit & same_writer,
        "by others": same_digit & ~same_writer,
    }.items():
        nearest = apart.masked_fill(~chosen, torch.inf).min(1).values
        print(
            f"nearest of the same digit {name}: median {nearest.median():.1f}, {(nearest < NEAR).float().mean():.1%} near"
        )


if __name__ == "__main__":
    typer.run(main)
