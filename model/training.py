"""Training of the round-0 weights on clean digits."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from model.augment import Augmentation, augment
from model.clean_digits import Digits
from model.network import Network, as_pixels


@dataclass(frozen=True)
class TrainingRecipe:
    """How round-0 weights are made; chosen on clean validation, see docs/log.md."""

    epochs: int = 30
    batch: int = 256
    peak_rate: float = 6e-3
    weight_decay: float = 1e-2
    dropout: float = 0.0
    label_smoothing: float = 0.0  # of the target's weight, spread evenly over the ten digits
    augmentation: Augmentation = Augmentation(rotation_degrees=10, shift_px=2, scale_share=0.10)

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 1:
            raise ValueError(f"epochs is {self.epochs} and batch is {self.batch}; both must be 1 or more")
        if not 0.0 <= self.label_smoothing < 1.0:
            raise ValueError(f"label_smoothing is {self.label_smoothing}; choose a share from 0 up to, but not, 1")


def train(
    digits: Digits,
    recipe: TrainingRecipe,
    seed: int,
    report: Callable[[int, int], None],
    report_epoch: Callable[[int, float, Network], None] | None = None,
) -> Network:
    """A network trained from scratch; `report(step, of)` is called after every step.

    report_epoch(epoch, mean training loss, network ready to predict): after every epoch, counted from 1.
    The whole data set lies in one tensor and each batch is augmented at once: on two cores this takes
    a third of the time of a DataLoader over PIL images.
    """
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network = Network(recipe.dropout).train()
    per_epoch = max(len(digits) // recipe.batch, 1)
    steps = recipe.epochs * per_epoch
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.peak_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.peak_rate, total_steps=steps)
    step = 0
    for epoch in range(1, recipe.epochs + 1):
        losses = []
        order = torch.randperm(len(digits), generator=generator)
        for chosen in order.split(recipe.batch)[:per_epoch]:
            images = augment(as_pixels(digits.images[chosen]), recipe.augmentation, generator)
            loss = F.cross_entropy(network(images), digits.labels[chosen], label_smoothing=recipe.label_smoothing)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.detach())
            step += 1
            report(step, steps)
        if report_epoch is not None:
            report_epoch(epoch, float(torch.stack(losses).mean()), network.eval())
            network.train()
    return network.eval()


@torch.inference_mode()
def predict_digits(network: Network, images: Tensor, batch: int = 1000) -> Tensor:
    """The digit the network sees in each image. images: (N, 28, 28) uint8; result: (N,) int64."""
    return torch.cat([network(as_pixels(part)).argmax(1) for part in images.split(batch)])
