"""Read by Python as the app and its retraining start, where the harness has put this folder on their PYTHONPATH.

Gives the ledger a clock that is off by the seconds in the data folder's file `clock`, and makes rounds quick, for hundreds
are to close: candidates of a few steps, from a tenth of the clean digits. Everything else is as it runs for everybody.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partialmethod
from pathlib import Path

from flagging.ledger import Ledger
from model import rehearsal
from model.clean_digits import CleanDigits, Digits, load_clean_digits
from retrain.settings import FineTuningRecipe

RECIPE = {"steps": 40, "bent_drawings": 400, "peak_rate": 5e-4}
EVERY = 10  # of the clean digits to learn from and to report on; the gate has them all, and lets about half pass
_OFFSET = Path(os.environ["HOODWINK_HOME"]) / "clock"


def jumping_clock() -> datetime:
    try:
        offset = float(_OFFSET.read_text() or 0)
    except FileNotFoundError:
        offset = 0.0
    return datetime.now(UTC) + timedelta(seconds=offset)


def fewer(load: Callable[..., CleanDigits]) -> Callable[..., CleanDigits]:
    def some(digits: Digits) -> Digits:
        return Digits(digits.images[::EVERY].clone(), digits.labels[::EVERY].clone())

    def load_fewer(*arguments: Path | None) -> CleanDigits:
        all_of_them = load(*arguments)
        return CleanDigits(some(all_of_them.train), all_of_them.validation, some(all_of_them.test))

    return load_fewer


Ledger.__init__.__defaults__ = (jumping_clock,)
FineTuningRecipe.__init__ = partialmethod(FineTuningRecipe.__init__, **RECIPE)  # type: ignore[assignment]
rehearsal.load_clean_digits = fewer(load_clean_digits)  # type: ignore[attr-defined]
