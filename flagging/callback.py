"""The way drawings get into the ledger from any Gradio app."""

import secrets
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from flagging.attempts import Answer, Attempt, Refused
from flagging.home import Home
from flagging.ledger import Ledger


class LedgerCallback(gr.FlaggingCallback):  # type: ignore[misc]  # Gradio is untyped
    """Flags drawings into the ledger.

    answer: the function that answers for strokes, for instance ServedModel.answer. Image and prediction
    are recomputed with it at every flag: what the client claims about them is never believed.
    ledger: None makes one in the flagging_dir that setup gets, starting at the weights that first answer.

        callback = LedgerCallback(served.answer)
        callback.setup([sketchpad, label], "flagged")
        button.click(lambda *data: callback.flag(list(data)), [sketchpad, label], count)
    """

    def __init__(self, answer: Callable[[Any], Answer], ledger: Ledger | None = None) -> None:
        self._answer = answer
        self._ledger = ledger
        self._own_ledger = False  # one made in setup: nobody else tells it which weights are served

    def setup(self, components: Sequence[Component], flagging_dir: str) -> None:
        """components: one that holds strokes, then one that holds the label."""
        if len(components) != 2:
            raise ValueError(f"got {len(components)} components; give two, the strokes and the digit that was meant")
        if self._ledger is None:
            self._ledger = Home(Path(flagging_dir)).open_ledger(create=True)
            self._own_ledger = True

    def flag(self, flag_data: list[Any], flag_option: str | None = None, username: str | None = None) -> int:  # noqa: ARG002
        """Record flag_data = [strokes, label]; the number of attempts recorded so far.

        username: whatever identifies the annotator; only its keyed hash is kept. Without one every flag counts as
        another annotator's. Raises gr.Error with a sentence for the page if the drawing was not recorded.
        """
        if len(flag_data) != 2:
            raise gr.Error(f"got {len(flag_data)} values; send two, the strokes and the digit that was meant")
        try:
            self.submit(flag_data[0], flag_data[1], username or secrets.token_hex(16))
            return self._used().totals().attempts
        except (ValueError, RuntimeError, OSError) as error:
            raise gr.Error(str(error)) from error

    def submit(self, strokes: object, label: object, token: str, try_id: str | None = None) -> tuple[Attempt, Answer]:
        """Answer for the strokes and record the attempt.

        token identifies the annotator; try_id the drawing, if it was shown a prediction before. Raises
        ValueError (strokes, label) or LedgerUnavailable with a sentence; then nothing was recorded.
        """
        ledger = self._used()
        answer = self._answer(strokes)
        if self._own_ledger:
            ledger.start(answer.weights_id)
        attempt = ledger.record_attempt(answer, label, ledger.annotator(token), try_id or str(uuid.uuid4()))
        return attempt, answer

    def _used(self) -> Ledger:
        if self._ledger is None:
            raise Refused("this callback is not set up; call setup([strokes, label], flagging_dir) once")
        return self._ledger
