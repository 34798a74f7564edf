"""Fine-tuning: the served weights learn from fooling drawings without forgetting clean digits."""

import copy
from collections.abc import Callable

import torch
from torch.nn import functional as F

from model.augment import augment
from model.clean_digits import Digits
from model.network import Network, as_pixels
from retrain.settings import FineTuningRecipe


def fine_tune(
    parent: Network,
    round0: Network,
    clean: Digits,
    fooling: Digits,
    harmless: Digits,
    recipe: FineTuningRecipe,
    seed: int,
    report: Callable[[int, int], None],
) -> Network:
    """A candidate: a copy of the parent trained on clean digits and on drawings, each batch holding both.

    fooling, harmless: the drawings that fooled the model and those that did not, bent in many ways
    (retrain.mixing.bent_digits), so that ten of them fill their part of the batch as well as a thousand. Without
    harmless ones the fooling ones fill both parts; without any drawing it trains on clean digits alone. On the clean part the candidate is also held to what the round-0 network says (KL divergence,
    Hinton 2015, temperature 1), and at the end it is averaged with its parent (WiSE-FT, Wortsman et al. 2022):
    both keep clean accuracy that fine-tuning costs without them, see docs/log.md.
    `report(step, of)` is called after every step.
    """
    generator = torch.Generator().manual_seed(seed)
    # Channels last: a step takes two thirds of the time, most of it saved in max-pooling.
    candidate, teacher = _channels_last(parent).train(), _channels_last(round0).eval()
    optimizer = torch.optim.AdamW(candidate.parameters(), lr=recipe.peak_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.peak_rate, total_steps=recipe.steps)
    parts = _parts(fooling, harmless, recipe)
    for step in range(1, recipe.steps + 1):
        chosen = torch.randint(len(clean), (recipe.clean_batch,), generator=generator)
        images = augment(as_pixels(clean.images[chosen]), recipe.clean_augmentation, generator)
        labels = clean.labels[chosen]
        with torch.no_grad():
            taught = F.log_softmax(teacher(images), 1)  # (clean_batch, 10)
        for drawings, count in parts:
            drawn = torch.randint(len(drawings), (count,), generator=generator)
            bent = augment(as_pixels(drawings.images[drawn]), recipe.drawings_augmentation, generator)
            images, labels = torch.cat([images, bent]), torch.cat([labels, drawings.labels[drawn]])
        logits = candidate(images)
        loss = F.cross_entropy(logits, labels)
        if recipe.distillation:
            said = F.log_softmax(logits[: recipe.clean_batch], 1)
            loss = loss + recipe.distillation * F.kl_div(said, taught, log_target=True, reduction="batchmean")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        report(step, recipe.steps)
    with torch.no_grad():
        for weight, before in zip(candidate.parameters(), parent.parameters(), strict=True):
            weight.lerp_(before, recipe.parent_share)
    return candidate.eval()


def _parts(fooling: Digits, harmless: Digits, recipe: FineTuningRecipe) -> list[tuple[Digits, int]]:
    """What fills the drawings' part of each batch, and how much of it."""
    few = round(recipe.drawings_batch * recipe.harmless_share) if len(fooling) and len(harmless) else 0
    parts = [(fooling, recipe.drawings_batch - few), (harmless, few if len(fooling) else recipe.drawings_batch)]
    return [(digits, count) for digits, count in parts if len(digits) and count]


def _channels_last(network: Network) -> Network:
    copied: Network = copy.deepcopy(network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return copied
