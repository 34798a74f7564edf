"""What is recorded of a drawing, and what the model must say of it."""

import reprlib
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from numpy import uint8
from numpy.typing import NDArray

Split = Literal["train", "test"]


class Answer(Protocol):
    """What the served model says of one drawing; model.served.Answer is one."""

    @property
    def strokes(self) -> list[Any]: ...
    @property
    def image(self) -> NDArray[uint8]: ...  # (28, 28)
    @property
    def prediction(self) -> int: ...
    @property
    def probabilities(self) -> tuple[float, ...]: ...  # ten
    @property
    def weights_id(self) -> str: ...
    @property
    def promotion(self) -> int: ...
    @property
    def raster_version(self) -> int: ...


class Refused(ValueError):
    """The request cannot be carried out; the message says why and what to do. Nothing was recorded."""


@dataclass(frozen=True)
class Attempt:
    """One submitted drawing, as the ledger keeps it."""

    attempt_id: str
    strokes: str  # JSON, canvas units
    image: bytes  # 28 x 28 grey PNG
    label: int
    prediction: int
    probabilities: list[float]
    model_wrong: bool
    promotion: int
    weights_id: str
    round: int
    annotator: str
    split: Split
    raster_version: int
    created_at: str  # UTC, ISO 8601
    state: str | None = None  # of judging, as flagging.judging names them; None where the model was not fooled
    judged_label: int | None = None  # the digit other annotators agreed on
    lacking: int = 0  # votes that could still decide it, at the fewest

    @property
    def digit(self) -> int:
        """What the drawing shows, as far as is known: what other annotators agreed on, else what was meant."""
        return self.label if self.judged_label is None else self.judged_label


def checked_label(label: object) -> int:
    """The label as a digit. Raises Refused unless it is a whole number from 0 to 9."""
    if isinstance(label, bool) or not isinstance(label, int) or not 0 <= label <= 9:
        raise Refused(f"label is {reprlib.repr(label)}; choose the digit you meant to draw, 0 to 9")
    return label
