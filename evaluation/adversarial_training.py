"""Does training on attacked digits help? The plain and the adversarially trained network, compared over several seeds.

For each seed: a plain network is trained on clean digits; `attacked` of its training digits, drawn at random, are attacked
with the gradient of this plain network; a second network is trained from scratch on all clean digits plus those, with the same recipe
and seed. Nothing is chosen on the way (no early stopping, no recipe), so the test set only reports; clean validation, split
from the training set, is reported beside it.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from evaluation.conditions import conditions
from evaluation.corruptions import CORRUPTIONS, corrupt
from evaluation.differences import paired
from evaluation.gradient_attacks import ATTACKS, GradientAttack, attack_along_gradient
from evaluation.measures import read
from evaluation.metrics import accuracy
from model.clean_digits import CleanDigits, Digits
from model.network import Network, as_pixels
from model.training import TrainingRecipe, predict_digits, train

Side = Literal["plain", "adversarial"]
SIDES: tuple[Side, Side] = ("plain", "adversarial")
Report = Callable[[str, float], None]  # a stage in words and how much is done, 0 to 1


@dataclass(frozen=True)
class AdversarialSettings:
    """What is compared. attacked: digits added; attack: how they are made; tested: the first n test digits are attacked."""

    attack: GradientAttack
    recipe: TrainingRecipe
    attacked: int = 1000
    tested: int = 1000
    tested_with: tuple[GradientAttack, ...] = ATTACKS
    shifted: int = 10_000

    def __post_init__(self) -> None:
        if self.attacked < 1:
            raise ValueError(f"attacked is {self.attacked}; add at least one attacked digit, or nothing is compared")


def compare(
    digits: CleanDigits, seeds: Sequence[int], settings: AdversarialSettings, report: Report
) -> Iterator[dict[str, Any]]:
    """Train and test both sides once for each seed: plain JSON after each seed, with a row for every seed so far.

    Raises ValueError without a seed, with the same seed twice, or where there are fewer training digits than are to be
    attacked.
    """
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"the seeds are {list(seeds)}; give at least one, each once")
    if settings.attacked > len(digits.train):
        raise ValueError(f"{settings.attacked} digits cannot be attacked: there are {len(digits.train)} to train on")
    began = time.monotonic()
    runs: list[dict[str, Any]] = []
    report("corrupting digits", 0.0)
    shifted = _shifted(digits.test, settings.shifted)
    for number, seed in enumerate(seeds):

        def inner(stage: str, share: float, number: int = number, seed: int = seed) -> None:
            report(f"seed {seed}: {stage}", (number + share) / len(seeds))

        runs.append(_one_seed(digits, shifted, seed, settings, inner))
        yield {
            "recipe": "adversarial",
            "settings": {**asdict(settings), "attack": str(settings.attack)},
            "conditions": conditions(),
            "data": {
                "source": digits.source,
                "train": len(digits.train),
                "validation": len(digits.validation),
                "test": len(digits.test),
            },
            "seconds": round(time.monotonic() - began, 1),
            "runs": list(runs),
        }


def _one_seed(
    digits: CleanDigits, shifted: dict[str, Tensor], seed: int, settings: AdversarialSettings, report: Report
) -> dict[str, Any]:
    plain = train(digits.train, settings.recipe, seed, lambda step, of: report("training plain", 0.4 * step / of))
    added = attacked_digits(plain, digits.train, settings.attacked, settings.attack, seed)
    more = Digits(torch.cat([digits.train.images, added.images]), torch.cat([digits.train.labels, added.labels]))
    adversarial = train(
        more, settings.recipe, seed, lambda step, of: report("training adversarially", 0.4 + 0.4 * step / of)
    )
    networks: dict[Side, Network] = {"plain": plain, "adversarial": adversarial}
    right = {
        side: predict_digits(network, digits.test.images) == digits.test.labels for side, network in networks.items()
    }
    attacks = _attack_each(networks, digits.test, settings, seed, lambda share: report("attacking", 0.8 + 0.2 * share))
    return {
        "seed": seed,
        "fooled_when_added": 1 - (accuracy(plain, added).value or 0.0),
        "clean_difference": asdict(paired(right["adversarial"], right["plain"])),
        **{
            side: {
                "clean_validation": accuracy(network, digits.validation).value,
                "clean": float(right[side].double().mean()),
                "shifts": {
                    name: accuracy(network, Digits(images, digits.test.labels[: len(images)])).value
                    for name, images in shifted.items()
                },
                "attacks": attacks[side],
            }
            for side, network in networks.items()
        },
    }


def attacked_digits(network: Network, digits: Digits, count: int, attack: GradientAttack, seed: int) -> Digits:
    """`count` digits drawn at random, attacked against the network, as images again.

    Pixels are rounded to whole grey values towards the digit as it was, so that they stay within epsilon.
    """
    chosen = torch.randperm(len(digits), generator=torch.Generator().manual_seed(seed))[:count]
    images, labels = digits.images[chosen], digits.labels[chosen]
    attacked = attack_along_gradient(network, as_pixels(images), labels, attack, seed).squeeze(1)
    moved = ((attacked - images.float() / 255) * 255 * (1 + 1e-6)).trunc()
    return Digits((images.float() + moved).clamp(0, 255).to(torch.uint8), labels)


def _attack_each(
    networks: dict[Side, Network],
    test: Digits,
    settings: AdversarialSettings,
    seed: int,
    report: Callable[[float], None],
) -> dict[Side, dict[str, dict[Side, float]]]:
    """Accuracy of each network on attacks made against each: result[network][attack][against]."""
    pixels, labels = as_pixels(test.images[: settings.tested]), test.labels[: settings.tested]
    result: dict[Side, dict[str, dict[Side, float]]] = {
        side: {attack.name: {} for attack in settings.tested_with} for side in SIDES
    }
    for number, attack in enumerate(settings.tested_with):
        for against in SIDES:
            attacked = attack_along_gradient(networks[against], pixels, labels, attack, seed)
            for side in SIDES:
                result[side][attack.name][against] = float(read(networks[side], attacked, labels).right.double().mean())
        report((number + 1) / len(settings.tested_with))
    return result


def _shifted(test: Digits, count: int) -> dict[str, Tensor]:
    return {name: corrupt(name, test.images[:count], seed=1) for name in CORRUPTIONS if name != "identity"}


def settings_for(attacked: int, epochs: int, augmented: bool) -> AdversarialSettings:
    """The settings of a command line. augmented: with the recipe's small rotations, shifts and scalings, or without."""
    recipe = replace(TrainingRecipe(), epochs=epochs)
    if not augmented:
        still = replace(recipe.augmentation, rotation_degrees=0, shift_px=0, scale_share=0)
        recipe = replace(recipe, augmentation=still)
    return AdversarialSettings(GradientAttack("FGSM", 0.1), recipe, attacked=attacked)
