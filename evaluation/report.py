"""The stress test: one network on everything it may meet, with the conditions and the uncertainty of every figure.

`python -m evaluation report` writes into HOODWINK_HOME/reports/<weights_id>/ unless told otherwise; the page's tab reads from there:

    report.json   everything measured, the keys below; format 1
    report.md     the same for reading in a repository, with the figures
    report.html   one page that needs nothing else
    figures/      accuracy.png, digits.png, confusion.png, examples.png

report.json: `format`, `weights_id`, `round`, `summary` (sentences), `conditions` (versions, threads, machine, time), `data`
(source, seed, n attacked), `seconds` and `processor_seconds` it took, `speed` (batch size, milliseconds per image), `against` (the other weights, or null), `shifts`
(accuracy over all shifts but identity, the mean with its interval over test digits) and `sets`, a list.
A set: `name`, `kind` (clean, fooling, attack, shift), `what` (in words, with its parameters), `n`, `accuracy`, `loss`, `confusion[meant][seen]`,
`digits` (precision, recall, f1, support, accuracy of each), `fooled_these` (so many of the drawings fooled just these weights, which
had to misread them), `drop` (points below clean digits, as a share, with its interval; null for clean) and `against` (accuracy, and the difference, of
the other weights, and whether the comparison is `fair`: it is not on drawings that one of the two had to misread; null without any).
"""

import time
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from evaluation.conditions import conditions
from evaluation.corruptions import CORRUPTIONS, corrupt
from evaluation.differences import paired, unpaired
from evaluation.gradient_attacks import ATTACKS, GradientAttack, attack_along_gradient
from evaluation.measures import Reading, mean_share, measured, read
from evaluation.metrics import share
from evaluation.speed import speed
from evaluation.summary import summarise
from evaluation.test_sets import FrozenSet
from model.clean_digits import Digits
from model.network import Network, as_pixels
from model.weights import Weights, build_network

FORMAT = 1
Progress = Callable[[str, float], None]  # what is done now, and the share that is done, 0 to 1
Kind = Literal["clean", "fooling", "attack", "shift"]


@dataclass(frozen=True)
class ReportSettings:
    """attacked: the first n test digits are attacked; seed: of attacks and shifts."""

    attacked: int = 1000
    seed: int = 1
    attacks: tuple[GradientAttack, ...] = ATTACKS
    timed: bool = True

    def __post_init__(self) -> None:
        if self.attacked < 1:
            raise ValueError(f"attacked is {self.attacked}; attack at least one digit")
        if self.seed < 0:
            raise ValueError(f"the seed is {self.seed}; give 0 or more")


@dataclass(frozen=True)
class Examples:
    """The first image of each digit in a set, and what it was read as: for pictures."""

    name: str
    images: Tensor  # (M, 28, 28) uint8
    labels: list[int]
    seen: list[int]


@dataclass(frozen=True)
class Report:
    figures: dict[str, Any]  # what report.json holds
    examples: list[Examples]


@dataclass(frozen=True)
class _Set:
    """Images to read. fooled: weights ids, one of each fooling drawing; attack: made anew for each network that reads."""

    name: str
    kind: Kind
    what: str
    digits: Digits
    fooled: tuple[str, ...] = ()
    attack: GradientAttack | None = None
    first_of_clean: bool = True  # the first len(digits) clean test digits, changed: compared image by image


@dataclass
class _Reader:
    """One network's way through the sets."""

    weights: Weights
    network: Network = field(init=False)
    clean: Reading = field(init=False)

    def __post_init__(self) -> None:
        self.network = build_network(self.weights)

    def read(self, one: _Set, seed: int) -> tuple[Reading, Tensor]:
        """What it makes of the set, and the images it was given: (N, 28, 28) uint8, or float after an attack."""
        images: Tensor = one.digits.images
        if one.attack is not None:
            images = attack_along_gradient(self.network, as_pixels(images), one.digits.labels, one.attack, seed)
        reading = read(self.network, images, one.digits.labels)
        if one.kind == "clean":
            self.clean = reading
        return reading, images


def make_report(
    weights: Weights,
    test: Digits,
    source: str,
    frozen: Sequence[FrozenSet],
    settings: ReportSettings,
    progress: Progress = lambda *_: None,
    against: Weights | None = None,
) -> Report:
    """Read every set and put the figures together.

    test: clean test digits; source: what they are, as CleanDigits names it; frozen: the fooling drawings of closed
    rounds; against: other weights, which read the same images (attacks are made anew against them).
    """
    began, worked = time.monotonic(), time.process_time()
    reader, other = _Reader(weights), None if against is None else _Reader(against)
    rows, examples, shifted = [], [], []
    done, all_work = 0.0, 1 + sum(map(_work_of, settings.attacks)) + len(CORRUPTIONS)
    compared = {one.id for one in (weights, against) if one is not None}
    for one in _sets(compared, test, source, frozen, settings):
        progress(one.name, min(done / all_work, 0.99))
        done += _work_of(one.attack) if one.attack else one.kind in ("clean", "shift")
        reading, images = reader.read(one, settings.seed)
        rows.append(
            {
                "name": one.name,
                "kind": one.kind,
                "what": one.what,
                "fooled_these": one.fooled.count(weights.id),
                **measured(reading),
                "drop": None if one.kind == "clean" else _drop(reader.clean, reading, one),
                "against": None if other is None else _compared(other, one, reading, weights.id, settings.seed),
            }
        )
        examples.append(_examples(one.name, images, reading))
        if one.kind == "shift" and one.name != "identity":
            shifted.append(reading.right)
    progress("speed", 0.99)
    figures = {
        "format": FORMAT,
        "weights_id": weights.id,
        "round": weights.card.round,
        "parent": weights.card.parent,
        "against": against and {"weights_id": against.id, "round": against.card.round},
        "data": {"source": source, "seed": settings.seed, "attacked": min(settings.attacked, len(test))},
        "conditions": conditions(),
        "speed": speed(reader.network, test.images) if settings.timed else [],
        "shifts": asdict(mean_share(shifted)),
        "sets": rows,
        "seconds": round(time.monotonic() - began, 1),
        "processor_seconds": round(time.process_time() - worked, 1),
    }
    progress("done", 1.0)
    return Report({"summary": summarise(figures), **figures}, examples)


def _sets(
    compared: Set[str], test: Digits, source: str, frozen: Sequence[FrozenSet], settings: ReportSettings
) -> Iterator[_Set]:
    """What is read, in order, made when it is its turn."""
    yield _Set("clean", "clean", f"{len(test):,} {source} test digits", test)
    yield from _fooling_sets(compared, frozen)
    first = Digits(test.images[: settings.attacked], test.labels[: settings.attacked])
    for attack in settings.attacks:
        what = f"{attack}, seed {settings.seed}; the first {len(first):,} test digits"
        yield _Set(f"{attack.method} {attack.epsilon:g}", "attack", what, first, attack=attack)
    for corruption in CORRUPTIONS.values():
        images = corrupt(corruption.name, test.images, settings.seed)
        what = f"{corruption.what}; seed {settings.seed}"
        yield _Set(corruption.name, "shift", what, Digits(images, test.labels))


def _work_of(attack: GradientAttack) -> float:
    """How much of the work an attack is, in shifts."""
    return 0.1 + 0.1 * attack.steps * max(attack.restarts, 1)


def _fooling_sets(compared: Set[str], frozen: Sequence[FrozenSet]) -> Iterator[_Set]:
    """Each round's, all together, and those that neither of the weights compared had to misread."""
    for one in frozen:
        what = f"held-out drawings that fooled the weights serving in round {one.round}"
        yield _joined(f"fooling, round {one.round}", what, [one])
    others = [one.without(compared) for one in frozen]
    every, left = sum(len(one.digits) for one in frozen), sum(len(one.digits) for one in others)
    whose = "just these weights" if len(compared) == 1 else "one of the two weights compared"
    what = "held-out fooling drawings of all rounds"
    if len(frozen) > 1:
        told = f"{what}; {every - left} of them fooled {whose}" if left < every else what
        yield _joined("fooling, all rounds", told, frozen)
    if 0 < left < every:
        what = f"{what} without those that fooled {whose}, which had to misread them"
        yield _joined("fooling, other weights'", what, others)


def _joined(name: str, what: str, frozen: Sequence[FrozenSet]) -> _Set:
    images, labels = torch.cat([s.digits.images for s in frozen]), torch.cat([s.digits.labels for s in frozen])
    fooled = tuple(weights_id for one in frozen for weights_id in one.fooled)
    return _Set(name, "fooling", what, Digits(images, labels), fooled, first_of_clean=False)


def _drop(clean: Reading, reading: Reading, one: _Set) -> dict[str, Any]:
    """How far below clean digits: of the same digits where they are clean ones changed, else of different ones."""
    if one.first_of_clean:
        return asdict(paired(clean.right[: len(reading)], reading.right))
    return asdict(unpaired(_share(clean), _share(reading)))


def _compared(other: _Reader, one: _Set, reading: Reading, weights_id: str, seed: int) -> dict[str, Any]:
    """How the other weights read the set, and how much more these read rightly."""
    theirs, _ = other.read(one, seed)
    return {
        "accuracy": asdict(_share(theirs)),
        "difference": asdict(paired(reading.right, theirs.right)),
        "fair": not {weights_id, other.weights.id} & set(one.fooled),
    }


def _share(reading: Reading) -> Any:
    return share(int(reading.right.sum()), len(reading))


def _examples(name: str, images: Tensor, reading: Reading) -> Examples:
    first = [int(found[0]) for digit in range(10) if len(found := (reading.labels == digit).nonzero())]
    shown = images[first]
    if shown.dtype != torch.uint8:
        shown = (shown.squeeze(1) * 255).round().to(torch.uint8)
    return Examples(name, shown, reading.labels[first].tolist(), reading.seen[first].tolist())
