"""Confident failures: what networks read wrongly although they were sure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from evaluation.metrics import share
from evaluation.study import Images, Study, digits_as_images, read_probabilities
from evaluation.test_sets import as_digits
from flagging.ledger import Ledger

CONFIDENCE = 0.9  # from so much on a wrong reading is a confident one


@dataclass(frozen=True)
class Reading:
    """What one network made of one image. confidence: the probability of the class it predicted."""

    weights: str
    predicted: int
    confidence: float
    probabilities: list[float]


@dataclass(frozen=True)
class Case:
    """An image that at least one network reads wrongly, and what every network makes of it."""

    id: str
    index: int  # in the images it was found in
    true: int
    readings: list[Reading]
    notes: dict[str, Any]

    @property
    def mistaken(self) -> Reading:
        """The surest of the wrong readings."""
        return max((r for r in self.readings if r.predicted != self.true), key=lambda r: r.confidence)


@dataclass(frozen=True)
class Failures:
    """cases: surest first. wrong: of `n` images, those each network reads wrongly, by its name; had_to: those of them that were
    collected by fooling just this network.
    """

    cases: list[Case]
    n: int
    wrong: dict[str, int]
    had_to: dict[str, int]
    confidence: float | None
    top: int | None

    def sentence(self) -> str:
        """How many there are, and of what."""
        counts = ", ".join(
            f"{name} reads {wrong} wrongly"
            + (f", {had_to} that fooled just it" if (had_to := self.had_to[name]) else "")
            for name, wrong in self.wrong.items()
        )
        sure = "" if self.confidence is None else f" with a confidence of {self.confidence:g} or more"
        if not self.cases:
            return f"Nothing to show: of {self.n:,} images none is read wrongly{sure} ({counts})."
        if self.top is not None:
            return f"The {len(self.cases)} surest wrong readings{sure} among {self.n:,} images ({counts})."
        images = "images is" if len(self.cases) == 1 else "images are"
        of = share(len(self.cases), self.n)
        between = f"{100 * (of.low or 0):.2f} to {100 * (of.high or 0):.2f} %"
        return f"{len(self.cases)} of {self.n:,} {images} read wrongly{sure} (95 % interval {between}; {counts})."

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "sentence": self.sentence()}


def find_failures(
    networks: Mapping[str, nn.Module], data: Images, confidence: float | None = CONFIDENCE, top: int | None = None
) -> Failures:
    """Images that any of the networks reads wrongly with at least this confidence, surest first; the first `top`.

    confidence None: however sure. An image is a case for all networks as soon as it is one for any, so that none
    of them looks better merely because the other's failures were looked for. Raises ValueError on bounds that make no sense.
    """
    if confidence is not None and not 0 <= confidence <= 1:
        raise ValueError(f"confidence is {confidence}; choose a share from 0 to 1")
    if top is not None and top < 1:
        raise ValueError(f"top is {top}; choose 1 or more")
    read_by = {name: read_probabilities(network, data.images) for name, network in networks.items()}
    sure = torch.stack([_sureness_of_errors(p, data.labels) for p in read_by.values()])  # (networks, N), -1: right
    worst = sure.amax(0)  # (N,)
    bound = 0.0 if confidence is None else confidence
    chosen = [i for i in worst.argsort(descending=True, stable=True).tolist() if worst[i] >= bound][:top]
    return Failures(
        [_case(data, i, read_by) for i in chosen],
        len(data),
        {name: int((each >= 0).sum()) for name, each in zip(read_by, sure, strict=True)},
        {
            name: sum(
                note.get("fooled_weights") == name for note, error in zip(data.notes, each >= 0, strict=True) if error
            )
            for name, each in zip(read_by, sure, strict=True)
        },
        confidence,
        top,
    )


def _sureness_of_errors(probabilities: Tensor, labels: Tensor) -> Tensor:
    """(N,): the confidence where the reading is wrong, else -1."""
    confidence, predicted = probabilities.max(1)
    return torch.where(predicted == labels, -1.0, confidence)


def _case(data: Images, index: int, read_by: Mapping[str, Tensor]) -> Case:
    readings = [
        Reading(name, int(p[index].argmax()), float(p[index].max()), p[index].tolist()) for name, p in read_by.items()
    ]
    return Case(data.ids[index], index, int(data.labels[index]), readings, data.notes[index])


def fooling_drawings(ledger: Ledger) -> Images:
    """The drawings of all frozen test sets, each labelled with what it shows as far as is known.

    Those that fooled just the weights looked at are wrong by construction; `fooled_weights` in the notes tells which.
    """
    drawn = ledger.frozen_drawings()
    images = digits_as_images(as_digits(drawn), "drawing")
    notes = [
        {
            "meant_as": attempt.label,
            "judged_as": attempt.judged_label,
            "seen_as": attempt.prediction,
            "fooled_weights": attempt.weights_id,
            "round": attempt.round,
            "drawn_at": attempt.created_at,
        }
        for attempt in drawn
    ]
    return Images(images.images, images.labels, [attempt.attempt_id for attempt in drawn], notes)


def look_at(
    study: Study, networks: Mapping[str, nn.Module], data: Images, cases: list[Case]
) -> dict[str, tuple[Tensor, Tensor]]:
    """By network: Grad-CAM of each case for the class it predicted and for the true one, two of (cases, H, W)."""
    images = data.images[[case.index for case in cases]]
    true = torch.tensor([case.true for case in cases], dtype=torch.int64)
    maps = {}
    for nth, (name, network) in enumerate(networks.items()):
        predicted = torch.tensor([case.readings[nth].predicted for case in cases], dtype=torch.int64)
        maps[name] = (study.heat(network, images, predicted), study.heat(network, images, true))
    return maps
