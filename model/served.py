"""The model that answers: one immutable snapshot, replaced as a whole."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from model.network import Network
from model.strokes import RASTER_VERSION, SIDE, Drawing, Strokes, StrokesRefused, check_strokes, rasterise_each
from model.weights import Weights, build_network


@dataclass(frozen=True)
class Answer:
    """What the served model says of one drawing, and which weights said it."""

    strokes: Strokes
    image: NDArray[np.uint8]  # (28, 28), 0 = paper, 255 = ink
    prediction: int
    probabilities: tuple[float, ...]  # ten, they sum to 1
    weights_id: str
    promotion: int
    raster_version: int = RASTER_VERSION

    @property
    def confidence(self) -> float:
        return self.probabilities[self.prediction]


@dataclass(frozen=True)
class Snapshot:
    """A network ready to answer, and which one it is; never changed."""

    network: Network
    weights_id: str
    promotion: int

    @classmethod
    def of(cls, weights: Weights, promotion: int) -> "Snapshot":
        return cls(build_network(weights), weights.id, promotion)

    def answer(self, strokes: object) -> Answer:
        """Draw the strokes and read them. Raises StrokesRefused, with a sentence, if they are not a drawing."""
        (answer,) = self.answer_each([check_strokes(strokes)])
        if isinstance(answer, StrokesRefused):
            raise answer
        return answer

    @torch.inference_mode()
    def answer_each(self, drawings: Sequence[Drawing]) -> list[Answer | StrokesRefused]:
        """Draw and read several at once, with less than half of the work for each; refused is what has no ink on the canvas."""
        images = rasterise_each(drawings)
        pixels = torch.from_numpy(images.astype(np.float32) / np.float32(255))
        logits: list[list[float]] = self.network(pixels.view(-1, 1, SIDE, SIDE)).tolist()
        return [self._answer(*one) for one in zip(drawings, images, logits, strict=True)]

    def _answer(self, drawing: Drawing, image: NDArray[np.uint8], logits: list[float]) -> Answer | StrokesRefused:
        if not image.any():
            return StrokesRefused("nothing of the drawing lies on the canvas; x and y go from 0 to 280")
        probabilities = _softmax(logits)
        prediction = max(range(10), key=probabilities.__getitem__)
        return Answer(drawing.strokes, image, prediction, probabilities, self.weights_id, self.promotion)


def _softmax(logits: list[float]) -> tuple[float, ...]:
    """For ten numbers a tenth of what tensors take."""
    most = max(logits)
    shares = [math.exp(logit - most) for logit in logits]
    whole = math.fsum(shares)
    return tuple(share / whole for share in shares)


class ServedModel:
    """Answers for strokes; safe to use from any number of threads while it is swapped."""

    def __init__(self, weights: Weights, promotion: int) -> None:
        self._current = Snapshot.of(weights, promotion)

    @property
    def current(self) -> Snapshot:
        """What answers now, for more than one question to the same network."""
        return self._current

    @property
    def weights_id(self) -> str:
        return self._current.weights_id

    @property
    def promotion(self) -> int:
        return self._current.promotion

    def swap(self, weights: Weights, promotion: int) -> None:
        """Serve these weights from the next answer on; answers under way finish on the old ones."""
        fresh = Snapshot.of(weights, promotion)  # complete before anybody sees it
        self._current = fresh  # one assignment; readers take it once

    def answer(self, strokes: object) -> Answer:
        """As Snapshot has it, on what is served now."""
        return self._current.answer(strokes)

    def answer_each(self, drawings: Sequence[Drawing]) -> list[Answer | StrokesRefused]:
        return self._current.answer_each(drawings)
