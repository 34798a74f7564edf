"""A report from what lies in a data folder: which weights, which drawings, where to."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from evaluation.report import Progress, ReportSettings, make_report
from evaluation.report_files import write_report
from evaluation.test_sets import FrozenSet, frozen_sets
from flagging.home import Home
from model.clean_digits import CleanDigits
from model.weights import SHIPPED_FOLDER, Weights, load_weights, shipped_weights_id


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

    weights_id: None for the weights served in the data folder, or the shipped ones where nothing was ever served.
    Raises WeightsDamaged, CleanDigitsMissing or ExtraMissing, each with a sentence.
    """
    served, frozen = _from_ledger(home)
    weights = find_weights(home, weights_id or served)
    other = None if against is None else find_weights(home, against)
    digits = load_digits()
    report = make_report(weights, digits.test, digits.source, frozen, settings, progress, other)
    folder = out or home.folder / "reports" / weights.id
    write_report(report, folder)
    return report.figures, folder


def find_weights(home: Home, weights_id: str) -> Weights:
    """From the data folder, or the shipped ones."""
    return load_weights(SHIPPED_FOLDER if weights_id == shipped_weights_id() else home.weights, weights_id)


def _from_ledger(home: Home) -> tuple[str, list[FrozenSet]]:
    """The weights that are served, and the frozen test sets."""
    if not home.ledger_path.exists():
        return shipped_weights_id(), []
    ledger = home.open_ledger()
    try:
        promotions = ledger.promotions()
        return (promotions[-1].weights_id if promotions else shipped_weights_id()), frozen_sets(ledger)
    finally:
        ledger.close()
