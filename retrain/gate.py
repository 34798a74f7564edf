"""May the candidate be served?"""

from dataclasses import dataclass

from evaluation.metrics import Share
from retrain.settings import RoundSettings


@dataclass(frozen=True)
class Verdict:
    promoted: bool
    reason: str


def decide(served: Share, candidate: Share, settings: RoundSettings) -> Verdict:
    """Promote unless accuracy on clean validation falls by more than is allowed.

    served, candidate: accuracy on the same clean validation digits. Raises ValueError if they are not the same
    number of digits, or none.
    """
    if served.n != candidate.n or served.n == 0:
        raise ValueError(
            f"served was scored on {served.n} digits and the candidate on {candidate.n}; use the same ones"
        )
    # In digits, not in floating point: a drop of exactly what is allowed passes.
    lost, allowed = served.hits - candidate.hits, settings.max_clean_drop * served.n
    before, after = served.hits / served.n, candidate.hits / served.n
    if lost > allowed + 1e-9:
        return Verdict(
            False,
            f"accuracy on clean validation fell from {before:.4f} to {after:.4f}, more than the {settings.max_clean_drop:.3f} allowed",
        )
    return Verdict(True, f"accuracy on clean validation went from {before:.4f} to {after:.4f}, within what is allowed")
