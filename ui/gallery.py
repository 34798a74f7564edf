"""The gallery on the Rounds tab: drawings that fooled the model, replayed on a click."""

import hashlib
import json
import reprlib
from typing import Any, get_args

import gradio as gr

from flagging.attempts import Attempt, Refused
from flagging.judging import State
from flagging.ledger import Ledger
from ui.browser import HERE, account, fields, or_error, script
from ui.game import Game

STATES: tuple[State, ...] = get_args(State)
PER_PAGE = 36
MOST_POINTS = 400  # of a drawing as it is sent to be looked at
MOST_NUMBER = 2**53  # the largest a browser sends unharmed


def gallery(game: Game) -> gr.HTML:
    def drawings(data: Any) -> dict[str, Any]:
        return or_error(lambda: page(game.ledger, fields(data)))

    def hide(data: Any, request: gr.Request) -> dict[str, Any]:
        sent = data if isinstance(data, dict) else {}
        return or_error(
            lambda: game.hide(sent.get("token"), sent.get("attempt_id"), sent.get("hidden"), account(game, request))
        )

    return gr.HTML(
        html_template=_template(),
        js_on_load=script("looking.js", "gallery.js", "drawings.js"),
        server_functions=[drawings, hide],
        apply_default_css=False,
        elem_id="gallery",
    )


def page(ledger: Ledger, sent: dict[str, Any]) -> dict[str, Any]:
    """A page of the gallery, newest first: drawings, and what to send as `before` for the next one.

    sent: label, round and state to filter by, before, version; each may be None. Only {"version"} if the page is still
    what it was. Raises Refused with a sentence for anything else.
    """
    now = ledger.open_round()
    label = number_or_none(sent, "label", 0, 9)
    attempts, following = ledger.gallery(
        label=label,
        round_number=number_or_none(sent, "round", 1, MOST_NUMBER),
        state=_state(sent.get("state")),
        before=number_or_none(sent, "before", 0, MOST_NUMBER),
        count=PER_PAGE,
        # A filter by digit would tell judges what a drawing they are to read blind was meant as.
        decided_only=label is not None and now.quorum > 0,
    )
    which = [(a.attempt_id, a.state) for a in attempts]
    version = hashlib.sha256(json.dumps([which, following, now.number]).encode()).hexdigest()[:16]
    if sent.get("version") == version:
        return {"version": version}
    return {
        "version": version,
        "drawings": [describe(a, now.quorum > 0) for a in attempts],
        "next": following,
        "round": now.number,
    }


def describe(attempt: Attempt, blind: bool) -> dict[str, Any]:
    """All a visitor may know of a drawing. Not whose it is; and while others are to judge it, not what was said of it."""
    # Where nobody judges, nothing is pending: it counts.
    state = attempt.state if blind or attempt.state != "pending" else "counts"
    hidden = {"label": None, "prediction": None, "share": None} if blind and attempt.state == "pending" else {}
    return {
        "id": attempt.attempt_id,
        "strokes": thinned(json.loads(attempt.strokes)),
        "label": attempt.label,
        "prediction": attempt.prediction,
        "share": attempt.probabilities[attempt.prediction],
        "state": state,
        "judged_label": attempt.judged_label,
        "round": attempt.round,
        "weights_id": attempt.weights_id,
        "created_at": attempt.created_at,
    } | hidden


def thinned(strokes: list[Any], most: int = MOST_POINTS) -> list[Any]:
    """The same drawing in about `most` points, to look at only: every k-th of a stroke, and its last."""
    every = -(-sum(map(len, strokes)) // most)
    if every <= 1:
        return strokes
    if len(strokes) > most:
        strokes = strokes[:: -(-len(strokes) // most)]
    return [[*stroke[:-1:every], stroke[-1]] for stroke in strokes]


def number_or_none(sent: dict[str, Any], name: str, low: int, high: int) -> int | None:
    value = sent.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        allowed = f"a digit, {low} to {high}" if high == 9 else f"a whole number from {low}"
        raise Refused(f"{name} is {reprlib.repr(value)}; send {allowed}, or nothing for all")
    return value


def _state(value: object) -> str | None:
    if value is None or value in STATES:
        return value
    raise Refused(f"state is {reprlib.repr(value)}; choose one of {', '.join(STATES)}, or nothing for all")


def _template() -> str:
    options = {
        "@digits": "".join(f"<option>{digit}</option>" for digit in range(10)),
        "@states": "".join(f"<option>{state}</option>" for state in STATES),
    }
    text = (HERE / "gallery.html").read_text()
    for name, value in options.items():
        text = text.replace(name, value)
    return text
