"""Explain: where the served weights looked, and how those served before them read the same drawing."""

import base64
import reprlib
import threading
from dataclasses import dataclass
from typing import Any

import torch

from evaluation.grad_cam import heat_map
from flagging.attempts import Refused
from flagging.database import LedgerUnavailable
from model.served import Snapshot
from ui.game import Game


@dataclass(frozen=True)
class _Known:
    """What was served before `now`."""

    now: Snapshot | None
    before: tuple[Snapshot, int] | None = None


class Explainer:
    def __init__(self, game: Game) -> None:
        self._game = game
        self._known = _Known(None)
        self._loading = threading.Lock()

    def explain(self, strokes: object, digit: object, before: object, token: str, try_id: str) -> dict[str, Any]:
        """Grad-CAM of a drawing, 28 x 28 values from 0 to 255 as base64.

        digit: what is to be explained; None for the one that is seen. before: of the weights served before instead.
        Raises ValueError or LedgerUnavailable with a sentence.
        """
        if not self._game.live:
            raise Refused("predictions are hidden until a drawing is submitted (HOODWINK_LIVE=0), and so is this")
        chosen = _checked_digit(digit)
        if not isinstance(before, bool | None):
            raise Refused(f"before is {reprlib.repr(before)}; send true for the weights served before, else false")
        now = self._game.served.current
        answer = now.answer(strokes)
        if not self._game.is_known_try(try_id):  # it tells what is seen, as the prediction does
            self._game.remember_try(answer, token, try_id)
        earlier, number = self._before(now) or (None, 0)
        then = earlier and earlier.answer(strokes)
        looking, seen = (earlier, then) if before and earlier and then else (now, answer)
        shown = seen.prediction if chosen is None else chosen
        heat = heat_map(looking.network, torch.from_numpy(seen.image), shown)  # (28, 28)
        return {
            "heat": base64.b64encode((heat * 255).round().to(torch.uint8).numpy().tobytes()).decode(),
            "digit": shown,
            "weights_id": looking.weights_id,
            "of_before": looking is earlier,
            "before": then and {"round": number, "prediction": then.prediction, "confidence": then.confidence},
        }

    def _before(self, now: Snapshot) -> tuple[Snapshot, int] | None:
        """Loaded once a promotion; readers take what is known whole."""
        known = self._known
        if known.now is not now:
            with self._loading:
                known = self._known
                if known.now is not now:
                    try:
                        known = self._known = _Known(now, self._game.served_before(now))
                    except LedgerUnavailable:
                        return None  # asked again with the next drawing
        return known.before


def _checked_digit(digit: object) -> int | None:
    if digit is None:
        return None
    if isinstance(digit, bool) or not isinstance(digit, int) or not 0 <= digit <= 9:
        raise Refused(f"digit is {reprlib.repr(digit)}; choose the one to explain, 0 to 9")
    return digit
