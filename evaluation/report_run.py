"""A report from what lies in a data folder: which weights, which drawings, where to."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from evaluation.extras import need
from evaluation.report import Progress, ReportSettings, make_report
from evaluation.report_files import write_report
from evaluation.test_sets import FrozenSet, frozen_sets
from evaluation.weights_by_name import find_weights
from flagging.home import Home
from model.clean_digits import CleanDigits

NEEDED = (
    ("sklearn.metrics", "scikit-learn"),
    ("matplotlib.figure", "matplotlib"),
    ("art.attacks.evasion", "adversarial-robustness-toolbox"),
)


def run_report(
    home: Home,
    load_digits: Callable[[], CleanDigits],
    weights_id: str | None,
    against: str | None,
    settings: ReportSettings,
    out: Path | None,
    progress: Progress,
) -> tuple[dict[str, Any], Path]:
    """Make the report and write it; its figures, and the folder.

    weights_id, against: as find_weights takes them.
    Raises WeightsDamaged, CleanDigitsMissing or ExtraMissing, each with a sentence.
    """
    for module, package in NEEDED:  # before the work, not after it
        need(module, package)
    weights = find_weights(home, weights_id)
    other = None if against is None else find_weights(home, against)
    folder = out or home.folder / "reports" / weights.id
    folder.mkdir(parents=True, exist_ok=True)
    frozen, digits = _frozen(home), load_digits()
    report = make_report(weights, digits.test, digits.source, frozen, settings, progress, other)
    write_report(report, folder)
    return report.figures, folder


def _frozen(home: Home) -> list[FrozenSet]:
    if not home.ledger_path.exists():
        return []
    ledger = home.open_ledger()
    try:
        return frozen_sets(ledger)
    finally:
        ledger.close()
