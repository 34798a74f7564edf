"""Judging: what other annotators' blind readings say of a fooling attempt."""

import reprlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from flagging.attempts import Refused

State = Literal["pending", "verified", "corrected", "rejected", "ambiguous"]
NOT_A_DIGIT = "not a digit"


@dataclass(frozen=True)
class Standing:
    """What the votes made of a fooling attempt.

    verified: enough others read the digit its annotator meant. corrected: they agree on another one, `judged_label`,
    which is not what the model saw either. rejected: they read what the model saw, so it was not fooled. ambiguous:
    found illegible, or votes enough without agreement. lacking: votes that could still decide, at the fewest.
    """

    state: State
    judged_label: int | None = None
    lacking: int = 0

    @property
    def is_fooling(self) -> bool:
        return self.state in ("verified", "corrected")


def judge(label: int, prediction: int, readings: Sequence[int | None], quorum: int) -> Standing:
    """The standing of a fooling attempt after these readings, oldest first; None reads "not a digit".

    The first `quorum` readings that agree decide, and what comes later changes nothing; after 2 * quorum + 1
    without agreement it is ambiguous. With quorum 0 nobody judges: everything stays pending.
    """
    if quorum < 1:
        return Standing("pending")
    tally: Counter[int | None] = Counter()
    for number, reading in enumerate(readings, 1):
        tally[reading] += 1
        if tally[reading] >= quorum:
            return _agreed(reading, label, prediction)
        if number > 2 * quorum:
            return Standing("ambiguous")
    agree = max(tally.values(), default=0)
    return Standing("pending", lacking=min(quorum - agree, 2 * quorum + 1 - len(readings)))


def _agreed(reading: int | None, label: int, prediction: int) -> Standing:
    if reading is None:
        return Standing("ambiguous")
    if reading == label:
        return Standing("verified", label)
    return Standing("rejected" if reading == prediction else "corrected", reading)


def checked_reading(reading: object) -> int | None:
    """A vote as a digit, or None for "not a digit". Raises Refused for anything else."""
    if reading == NOT_A_DIGIT:
        return None
    if isinstance(reading, bool) or not isinstance(reading, int) or not 0 <= reading <= 9:
        raise Refused(f'the reading is {reprlib.repr(reading)}; send a digit, 0 to 9, or "{NOT_A_DIGIT}"')
    return reading
