"""Read by Python as the app and its retraining start, where the harness has put this folder on their PYTHONPATH.

Gives the ledger a clock that is off by the seconds in the data folder's file `clock`, and makes a candidate in a few steps:
hundreds of rounds are to close. Everything else is as it runs for everybody.
"""

import os
from datetime import UTC, datetime, timedelta
from functools import partialmethod
from pathlib import Path

from flagging.ledger import Ledger
from retrain.settings import FineTuningRecipe

_OFFSET = Path(os.environ["HOODWINK_HOME"]) / "clock"


def jumping_clock() -> datetime:
    try:
        offset = float(_OFFSET.read_text() or 0)
    except FileNotFoundError:
        offset = 0.0
    return datetime.now(UTC) + timedelta(seconds=offset)


Ledger.__init__.__defaults__ = (jumping_clock,)
FineTuningRecipe.__init__ = partialmethod(FineTuningRecipe.__init__, steps=40, bent_drawings=400)  # type: ignore[assignment]
