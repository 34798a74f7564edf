"""When a round closes, how its candidate is made, and when it is good enough."""

from collections.abc import Mapping
from dataclasses import dataclass

from model.augment import Augmentation


@dataclass(frozen=True)
class RoundSettings:
    fooling_threshold: int = 10  # new fooling drawings that start a retraining; the original demo's
    auto_retrain: bool = True
    max_clean_drop: float = 0.005  # absolute, on clean validation; a candidate that falls further is refused

    def __post_init__(self) -> None:
        if self.fooling_threshold < 1:
            raise ValueError(f"the threshold is {self.fooling_threshold}; set HOODWINK_THRESHOLD to 1 or more")
        if not 0 <= self.max_clean_drop < 1:
            raise ValueError(f"max_clean_drop is {self.max_clean_drop}; give a share from 0 to 1")

    def is_due(self, ready: int) -> bool:
        """Are there enough fooling drawings that the last decision had not used?

        Compared with >=: two drawings that land together cannot jump over the threshold.
        """
        return ready >= self.fooling_threshold

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "RoundSettings":
        """HOODWINK_THRESHOLD, HOODWINK_AUTO_RETRAIN and HOODWINK_QUORUM."""
        if whole_number(environment, "HOODWINK_QUORUM", 0) != 0:
            raise ValueError(
                f"HOODWINK_QUORUM is {environment['HOODWINK_QUORUM']}; drawings cannot be judged yet, leave it at 0"
            )
        return cls(
            fooling_threshold=whole_number(environment, "HOODWINK_THRESHOLD", cls.fooling_threshold),
            auto_retrain=switch(environment, "HOODWINK_AUTO_RETRAIN", cls.auto_retrain),
        )


@dataclass(frozen=True)
class FineTuningRecipe:
    """How a candidate is made from the served weights; figures in docs/log.md."""

    steps: int = 750
    clean_batch: int = 192
    fooling_batch: int = 64
    peak_rate: float = 3e-3
    weight_decay: float = 1e-2
    distillation: float = 1.0  # weight of the KL term that keeps the round-0 network's view of clean digits
    parent_share: float = 0.3  # of the served weights in the candidate: averaging keeps what fine-tuning forgets
    clean_augmentation: Augmentation = Augmentation(rotation_degrees=10, shift_px=2, scale_share=0.10)
    fooling_augmentation: Augmentation = Augmentation(rotation_degrees=12, shift_px=4, scale_share=0.30)

    def __post_init__(self) -> None:
        if min(self.steps, self.clean_batch, self.fooling_batch) < 1:
            raise ValueError(f"{self} has a count below 1; fine-tuning needs at least one step of one digit each")
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
