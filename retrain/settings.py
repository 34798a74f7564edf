"""When a round closes, how its candidate is made, and when it is good enough."""

from collections.abc import Mapping
from dataclasses import dataclass

from model.augment import Augmentation
from model.bending import Bending
from retrain.gate import GateSettings

MAX_QUORUM = 20


@dataclass(frozen=True)
class RoundSettings:
    fooling_threshold: int = 10  # new fooling drawings that start a retraining; the original demo's
    auto_retrain: bool = True
    quorum: int = 0  # other annotators who must agree before a fooling drawing counts; 0: it counts at once
    max_annotator_share: float = 0.2  # of a round's training drawings, from one annotator, once several are active
    hangs_after_seconds: int = 900  # a retraining that shows no progress for so long is ended
    gate: GateSettings = GateSettings()

    def __post_init__(self) -> None:
        if self.hangs_after_seconds < 1:
            raise ValueError(
                f"a retraining is to end after {self.hangs_after_seconds} s; set HOODWINK_WORKER_SECONDS to 1 or more"
            )
        if self.fooling_threshold < 1:
            raise ValueError(f"the threshold is {self.fooling_threshold}; set HOODWINK_THRESHOLD to 1 or more")
        if not 0 <= self.quorum <= MAX_QUORUM:
            raise ValueError(
                f"the quorum is {self.quorum}; set HOODWINK_QUORUM to 0 (nobody judges) up to {MAX_QUORUM}"
            )
        if not 0 < self.max_annotator_share <= 1:
            raise ValueError(f"max_annotator_share is {self.max_annotator_share}; give a share above 0, up to 1")

    def is_due(self, ready: int) -> bool:
        """Are there enough fooling drawings that the last decision had not used?

        Compared with >=: two drawings that land together cannot jump over the threshold.
        """
        return ready >= self.fooling_threshold

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "RoundSettings":
        """HOODWINK_THRESHOLD, HOODWINK_AUTO_RETRAIN, HOODWINK_QUORUM and HOODWINK_WORKER_SECONDS."""
        return cls(
            fooling_threshold=whole_number(environment, "HOODWINK_THRESHOLD", cls.fooling_threshold),
            quorum=whole_number(environment, "HOODWINK_QUORUM", cls.quorum),
            hangs_after_seconds=whole_number(environment, "HOODWINK_WORKER_SECONDS", cls.hangs_after_seconds),
            auto_retrain=switch(environment, "HOODWINK_AUTO_RETRAIN", cls.auto_retrain),
        )


@dataclass(frozen=True)
class FineTuningRecipe:
    """How a candidate is made from the served weights; figures in docs/log.md."""

    steps: int = 750
    clean_batch: int = 192
    drawings_batch: int = 64
    harmless_share: float = 0.375  # of the drawings in a batch: attempts that did not fool, where there are any
    peak_rate: float = 3e-3
    weight_decay: float = 1e-2
    distillation: float = 3.0  # weight of the KL term that keeps the round-0 network's view of clean digits
    parent_share: float = 0.3  # of the served weights in the candidate: averaging keeps what fine-tuning forgets
    clean_augmentation: Augmentation = Augmentation(rotation_degrees=10, shift_px=2, scale_share=0.10)
    # Drawings are bent as strokes, so many images in all, and then moved a little as pixels.
    bent_drawings: int = 12_000
    bending: Bending = Bending(shift=40, rotation_degrees=12, slant=0.2, scale=0.3, stretch=0.15, jitter=6)
    drawings_augmentation: Augmentation = Augmentation(rotation_degrees=5, shift_px=1, scale_share=0.05)

    def __post_init__(self) -> None:
        if min(self.steps, self.clean_batch, self.drawings_batch) < 1:
            raise ValueError(f"{self} has a count below 1; fine-tuning needs at least one step of one digit each")
        if self.bent_drawings < 0:
            raise ValueError(f"bent_drawings is {self.bent_drawings}; give 0 (none bent) or more")
        if not 0 <= self.harmless_share < 1:
            raise ValueError(f"harmless_share is {self.harmless_share}; give a share from 0 up to, but not, 1")
        if not 0 <= self.parent_share < 1:
            raise ValueError(f"parent_share is {self.parent_share}; at 1 nothing would be learnt, stay below")


def whole_number(environment: Mapping[str, str], name: str, default: int) -> int:
    """A variable as a whole number. Raises ValueError naming the variable and its value."""
    text = environment.get(name, "").strip()
    try:
        return int(text) if text else default
    except ValueError:
        raise ValueError(f"{name} is {text!r}; give a whole number") from None


def switch(environment: Mapping[str, str], name: str, default: bool) -> bool:
    """A variable that is 1 or 0. Raises ValueError naming the variable and its value."""
    text = environment.get(name, "").strip()
    if text not in ("", "0", "1"):
        raise ValueError(f"{name} is {text!r}; give 1 or 0")
    return text == "1" if text else default
