"""May the candidate be served? No harm is asked for; gain is reported, never required."""

from dataclasses import asdict, dataclass
from math import comb
from typing import Any

from torch import Tensor

from model.weights import Card


@dataclass(frozen=True)
class GateSettings:
    """Absolute falls, as shares."""

    max_drop: float = 0.003  # of accuracy on clean validation, against the served weights
    max_drop_round0: float = 0.005  # the same against round 0, so that small losses do not add up
    max_recall_drop: float = 0.02  # of any digit there, against the served weights
    significance: float = 0.05  # of the exact McNemar tests, one-sided
    newest_attempts: int = 2000  # of the test split, that the candidate must not read worse

    def __post_init__(self) -> None:
        for name in ("max_drop", "max_drop_round0", "max_recall_drop"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; give a share from 0 to 1")
        if not 0 < self.significance < 1:
            raise ValueError(f"significance is {self.significance}; give a share between 0 and 1")
        if self.newest_attempts < 1:
            raise ValueError(f"newest_attempts is {self.newest_attempts}; look at 1 attempt or more")


@dataclass(frozen=True)
class Readings:
    """What three networks see in the same digits. All (N,) int64; labels are the digits they are."""

    labels: Tensor
    served: Tensor
    candidate: Tensor
    round0: Tensor | None = None

    def __post_init__(self) -> None:
        if not len(self.labels) == len(self.served) == len(self.candidate):
            raise ValueError(
                f"{len(self.labels)} labels, {len(self.served)} readings of the served weights and {len(self.candidate)} of "
                "the candidate; score both on the same digits"
            )


@dataclass(frozen=True)
class Check:
    """One condition, whether it holds, and the numbers in words."""

    name: str
    passed: bool
    words: str


@dataclass(frozen=True)
class Gain:
    """Does the candidate read held-out drawings better? Only of drawings that neither weights were fooled by."""

    shown: bool
    n: int
    gained: int  # read rightly by the candidate only
    lost: int  # read rightly by the served weights only
    p: float  # exact McNemar, one-sided

    @property
    def words(self) -> str:
        if self.shown:
            return f"gain on held-out drawings: shown (+{self.gained} -{self.lost} of n = {self.n}, p = {self.p:.3f})"
        return f"gain on held-out drawings: not shown yet (n = {self.n})"


@dataclass(frozen=True)
class Verdict:
    promoted: bool
    reason: str
    checks: list[Check]
    gain: Gain

    def as_json(self) -> dict[str, Any]:
        return {
            "promoted": self.promoted,
            "checks": [asdict(check) for check in self.checks],
            "gain": asdict(self.gain) | {"words": self.gain.words},
        }


def decide(clean: Readings, attempts: Readings, earlier: Readings, card: Card, settings: GateSettings) -> Verdict:
    """Promote unless the candidate does harm.

    clean: clean validation, round 0's readings too. attempts: the test split of all attempts, fooling or not, the
    newest. earlier: the frozen test sets of earlier rounds, for the gain. Raises ValueError if there is no clean digit.
    """
    if clean.round0 is None or not len(clean.labels):
        raise ValueError("the gate got no clean validation digits read by round 0; it cannot decide without")
    checks = [
        _clean_check("clean", "the served weights", clean.served, clean, settings.max_drop),
        _clean_check("clean against round 0", "round 0", clean.round0, clean, settings.max_drop_round0),
        _recall_check(clean, settings.max_recall_drop),
        _attempts_check(attempts, settings.significance),
        _card_check(card),
    ]
    gain = _gain(earlier, settings.significance)
    failed = [check.words for check in checks if not check.passed]
    reason = "; ".join(failed) if failed else f"no harm found: {checks[0].words}; {gain.words}"
    return Verdict(not failed, reason, checks, gain)


def mcnemar(better: int, worse: int) -> float:
    """Chance of at least `worse` of the pairs that differ if either way were as likely (exact, one-sided; McNemar 1947)."""
    n = better + worse
    return float(sum(comb(n, k) for k in range(worse, n + 1)) / 2**n)


def _clean_check(name: str, whose: str, before: Tensor, clean: Readings, allowed: float) -> Check:
    n = len(clean.labels)
    hits, now = int((before == clean.labels).sum()), int((clean.candidate == clean.labels).sum())
    # In digits, not in floating point: a fall of exactly what is allowed passes.
    passed = hits - now <= allowed * n + 1e-9
    verb = "is" if now == hits else "fell" if now < hits else "rose"
    words = (
        f"accuracy on clean validation {verb} at {now / n:.4f}"
        if now == hits
        else f"accuracy on clean validation {verb} from {hits / n:.4f} to {now / n:.4f}"
    ) + f" against {whose}"
    limit = f", within the {100 * allowed:.1f} points allowed" if now < hits else ""
    return Check(
        name, passed, words + limit if passed else f"{words}, more than the {100 * allowed:.1f} points allowed"
    )


def _recall_check(clean: Readings, allowed: float) -> Check:
    worst, words = float("-inf"), "no digit's recall on clean validation fell"
    for digit in range(10):
        of_digit = clean.labels == digit
        if not (n := int(of_digit.sum())):
            continue
        hits, now = (int((seen[of_digit] == digit).sum()) for seen in (clean.served, clean.candidate))
        if (hits - now) / n > max(worst, 0):
            words = f"the recall of digit {digit} on clean validation fell from {hits / n:.4f} to {now / n:.4f}"
        worst = max(worst, (hits - now) / n)
    passed = worst <= allowed + 1e-9
    return Check("recall", passed, words if passed else f"{words}, more than the {100 * allowed:.1f} points allowed")


def _attempts_check(attempts: Readings, significance: float) -> Check:
    if not len(attempts.labels):
        return Check("held-out attempts", True, "not checked: there are no held-out attempts yet")
    gained, lost = _pairs(attempts)
    p = mcnemar(gained, lost)
    words = f"+{gained} -{lost} of {len(attempts.labels)} held-out attempts, fooling or not (p = {p:.3f})"
    if p >= significance:
        return Check("held-out attempts", True, words)
    return Check("held-out attempts", False, f"it reads held-out attempts worse than the served weights: {words}")


def _card_check(card: Card) -> Check:
    missing = [
        name for name in ("parent", "round", "recipe", "data", "scores", "created_at") if not getattr(card, name, None)
    ]
    scores = [name for name in ("clean_validation_after", "clean_accuracy_after") if name not in (card.scores or {})]
    if missing or scores:
        return Check("card", False, f"its card is incomplete: {', '.join(missing + scores)} missing")
    return Check("card", True, "its card is complete")


def _gain(earlier: Readings, significance: float) -> Gain:
    gained, lost = _pairs(earlier)
    p = mcnemar(lost, gained)
    return Gain(p < significance, len(earlier.labels), gained, lost, p)


def _pairs(readings: Readings) -> tuple[int, int]:
    """How many only the candidate reads rightly, and how many only the served weights."""
    served, candidate = readings.served == readings.labels, readings.candidate == readings.labels
    return int((candidate & ~served).sum()), int((served & ~candidate).sum())
