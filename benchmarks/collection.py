"""Rounds played in memory, for comparing ways to collect: the product's fine-tuning and gate, without its server.

24 writers' pen digits in natural framing are the pool. The arms differ only in what a round learns from.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch

from benchmarks.adversary import TRIES, as_images, attack
from benchmarks.pen_digits import HELD_OUT_WRITERS, PenDigit, load_pen_digits
from flagging.ledger import TEST_SHARE
from model.augment import Augmentation
from model.clean_digits import CleanDigits, Digits
from model.network import Network
from model.strokes import Drawing, check_strokes
from model.training import predict_digits
from model.weights import SHIPPED_FOLDER, Card, build_network, load_weights, shipped_weights_id
from retrain.fine_tuning import fine_tune
from retrain.gate import Readings, decide
from retrain.mixing import MOST_HARMLESS, bent_digits
from retrain.rounds import read
from retrain.settings import FineTuningRecipe, RoundSettings

Arm = Literal["product", "fooling", "adaptive", "random", "all", "none"]
ARMS: dict[Arm, str] = {
    "product": "fooling drawings, and the others made on the way (what Hoodwink does)",
    "fooling": "fooling drawings alone",
    "adaptive": "fooling drawings of an adversary that adapts",
    "random": "as many attempts taken at random",
    "all": "all attempts made until enough fooled it",
    "none": "no drawings, augmentation only",
}
EVERYTHING: tuple[Arm, ...] = ("product", "random", "all")  # learn from what did not fool as well
# The part of each batch that drawings fill: without drawings clean digits fill it, moved as far as drawings are bent.
AS_FAR = Augmentation(rotation_degrees=12, shift_px=4, scale_share=0.30)


@dataclass(frozen=True)
class Kept:
    """A drawing a round kept."""

    drawing: Drawing
    label: int
    fooled: bool
    held_out: bool


@dataclass
class Game:
    """One game of rounds: what was kept, and the weights after each round."""

    networks: list[Network]
    kept: list[Kept] = field(default_factory=list)
    rounds: list[dict[str, Any]] = field(default_factory=list)


def round0_network() -> Network:
    return build_network(load_weights(SHIPPED_FOLDER, shipped_weights_id()))


def pool_and_unseen(framing: str = "natural") -> tuple[list[PenDigit], list[PenDigit]]:
    """The digits of the 24 writers who play, and of the six who only judge the result."""
    digits = load_pen_digits(framing)
    return (
        [d for d in digits if d.writer not in HELD_OUT_WRITERS],
        [d for d in digits if d.writer in HELD_OUT_WRITERS],
    )


def digits_of(digits: Sequence[PenDigit]) -> Digits:
    return Digits(as_images([check_strokes(d.strokes) for d in digits]), torch.tensor([d.label for d in digits]))


def supply(pool: Sequence[PenDigit], rng: random.Random) -> Iterator[PenDigit]:
    """Every digit once in random order, then again and again shifted by up to 20 units and scaled by up to 15 %."""
    first = True
    while True:
        for digit in rng.sample(pool, len(pool)):
            yield digit if first else _drawn_again(digit, rng)
        first = False


def _drawn_again(digit: PenDigit, rng: random.Random) -> PenDigit:
    scale, right, down = rng.uniform(0.85, 1.15), rng.uniform(-20, 20), rng.uniform(-20, 20)
    bent = [[[140 + (x - 140) * scale + right, 140 + (y - 140) * scale + down] for x, y in s] for s in digit.strokes]
    return PenDigit(digit.label, digit.writer, bent)


def play(
    arm: Arm,
    clean: CleanDigits,
    pool: Sequence[PenDigit],
    *,
    rounds: int,
    threshold: int,
    seed: int,
    recipe: FineTuningRecipe,
    settings: RoundSettings,
) -> Game:
    """Play rounds in one arm; every arm of a seed gets the same drawings in the same order, as long as it needs them."""
    round0 = round0_network()
    game = Game([round0])
    drawings = supply(pool, random.Random(seed))
    split, rng = random.Random(f"split {seed}"), np.random.default_rng(seed)
    sides: dict[tuple[int, int, int], bool] = {}
    for number in range(1, rounds + 1):
        served = game.networks[-1]
        made = fooled = 0
        enough = threshold if arm != "none" else 0
        while (made if arm == "random" else fooled) < enough:
            digit = next(drawings)
            drawing, tries = check_strokes(digit.strokes), 1
            if arm == "adaptive":
                drawing, tries = _bent_until_fooled(served, drawing, digit.label, rng)
            wrong = int(predict_digits(served, as_images([drawing]))) != digit.label
            made, fooled = made + tries, fooled + wrong
            side = sides.setdefault((digit.writer, digit.label, number), split.random() < TEST_SHARE)
            game.kept.append(Kept(drawing, digit.label, wrong, side))
        learnt = [k for k in game.kept if not k.held_out and (k.fooled or arm in EVERYTHING)]
        candidate = _candidate(arm, served, round0, clean, learnt, recipe, number * 1000 + seed)
        verdict = _decide(served, candidate, round0, clean, game.kept, recipe, settings)
        game.networks.append(candidate if verdict else served)
        kept = sum(k.fooled or arm in EVERYTHING for k in game.kept)
        game.rounds.append({"made": made, "fooled": fooled, "kept": kept, "learnt": len(learnt), "promoted": verdict})
    return game


def _bent_until_fooled(served: Network, drawing: Drawing, label: int, rng: np.random.Generator) -> tuple[Drawing, int]:
    """What an adversary makes of a drawing, and in how many tries; the drawing itself if it gave up."""
    result = attack(served, [drawing], [label], int(rng.integers(2**31)))
    return result.fooled_with[0] or drawing, min(int(result.tries[0]), TRIES)


def _candidate(
    arm: Arm,
    served: Network,
    round0: Network,
    clean: CleanDigits,
    learnt: Sequence[Kept],
    recipe: FineTuningRecipe,
    seed: int,
) -> Network:
    rng = np.random.default_rng(seed)
    if arm == "none":
        some = torch.from_numpy(rng.integers(0, len(clean.train), recipe.bent_drawings))
        digits = Digits(clean.train.images[some], clean.train.labels[some])
        recipe = replace(recipe, drawings_augmentation=AS_FAR)
    else:
        digits = _bent([k for k in learnt if k.fooled or arm != "product"], recipe.bent_drawings, recipe, rng)
    harmless = [k for k in learnt if not k.fooled and arm == "product"][-MOST_HARMLESS:]
    others = _bent(harmless, recipe.bent_drawings // 2, recipe, rng)
    return fine_tune(served, round0, clean.train, digits, others, recipe, seed, lambda *_: None)


def _bent(kept: Sequence[Kept], count: int, recipe: FineTuningRecipe, rng: np.random.Generator) -> Digits:
    return bent_digits([k.drawing for k in kept], [k.label for k in kept], count, recipe.bending, rng)


def _decide(
    served: Network,
    candidate: Network,
    round0: Network,
    clean: CleanDigits,
    kept: Sequence[Kept],
    recipe: FineTuningRecipe,
    settings: RoundSettings,
) -> bool:
    """The product's gate, on the arm's own held-out attempts."""
    held_out = [k for k in kept if k.held_out][-settings.gate.newest_attempts :]
    attempts = (
        Digits(as_images([k.drawing for k in held_out]), torch.tensor([k.label for k in held_out]))
        if held_out
        else Digits(clean.test.images[:0], clean.test.labels[:0])
    )
    none = Readings(clean.test.labels[:0], clean.test.labels[:0], clean.test.labels[:0])
    scores = {"clean_validation_after": 1.0, "clean_accuracy_after": 1.0}
    card = Card("benchmark", 1, 1, {"steps": recipe.steps}, {"clean": clean.source}, scores, "now")
    readings = read(clean.validation, served, candidate, round0)
    return decide(readings, read(attempts, served, candidate), none, card, settings.gate).promoted
