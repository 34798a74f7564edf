"""The Rounds tab: what every round brought."""

import hashlib
import json
import threading
from typing import Any

import gradio as gr

from flagging.attempts import Refused
from retrain.history import describe_open
from ui.browser import HERE, fields, or_error, script
from ui.gallery import gallery
from ui.game import Game
from ui.matrices import confusion_table, weights_matrix
from ui.numbers import plural
from ui.round_plots import further_plots, is_generated, main_plots
from ui.round_table import headline, table

MOST_OPEN = 2000  # attempts of the open round that are looked through whenever its counts move
BLIND = "Drawings that others are still to judge are not counted here."
LEFT_OUT = "The open round has too many drawings to go through while it is played; it joins here when it is closed."


def rounds_tab(game: Game) -> None:
    """One component that asks for what changed while it is looked at, and below it the gallery."""
    seen = Overview(game)

    def overview(data: Any) -> dict[str, Any]:
        """All but the matrix, or only the version if the page has it already."""
        return or_error(lambda: seen.since(fields(data).get("version")))

    def confusion(data: Any) -> dict[str, Any]:
        return or_error(lambda: {"html": seen.confusion(fields(data).get("round"))})

    def matrix(_: Any) -> dict[str, Any]:
        return or_error(lambda: {"html": seen.matrix()})

    gr.HTML(
        html_template=(HERE / "rounds.html").read_text(),
        js_on_load=script("looking.js", "rounds.js"),
        server_functions=[overview, confusion, matrix],
        apply_default_css=False,
        elem_id="rounds-figures",
    )
    gallery(game)


class Overview:
    """What the tab shows, made once for everybody who looks, and again when the ledger has moved."""

    def __init__(self, game: Game) -> None:
        self._game = game
        # Many may look at once; one works it out. Two locks: the matrix may take seconds.
        self._making, self._making_matrix = threading.Lock(), threading.Lock()
        self._counts: Any = None  # all counts, as they were for `_told`
        self._told: tuple[list[dict[str, Any]], dict[str, Any]] = ([], {})
        self._matrix: tuple[Any, str] = (None, "")

    def since(self, version: object) -> dict[str, Any]:
        """The sections as HTML, by name; only {"version"} if nothing moved since that version."""
        rounds, now = self._rounds()
        newest = hashlib.sha256(json.dumps([rounds, now]).encode()).hexdigest()[:16]
        if version == newest:
            return {"version": newest}
        return {
            "version": newest,
            "open": now["round"],
            "drawn": [r["round"] for r in [*rounds, now] if _has_drawings(r)],
            "sections": {
                "headline": headline(rounds, now) if rounds or now["tries"] else "",
                "plots": main_plots(rounds) if rounds else "",
                "further": further_plots(rounds) if rounds else "",
                "table": table(rounds, now) if rounds or now["tries"] else "",
                "note": _clean_note(rounds),
                "left-out": " ".join(_left_out(now)),
                "invite": _invite(now) if not rounds else "",
            },
        }

    def confusion(self, number: object) -> str:
        """What was meant against what was seen, of one round or, for None, of all. Raises Refused for no such round."""
        rounds, now = self._rounds()
        chosen = [r for r in [*rounds, now] if number is None or r["round"] == number]
        if isinstance(number, bool) or not chosen:
            raise Refused(f"there is no round {str(number)[:20]!r}; choose one of 1 to {now['round']}")
        drawn = [r["confusion"] for r in chosen if r.get("confusion")]
        counts = [[sum(c[meant][saw] for c in drawn) for saw in range(10)] for meant in range(10)]
        return confusion_table(counts, "All rounds" if number is None else f"Round {number}")

    def matrix(self) -> str:
        """Worked out again only when a decision, a withdrawal or a late vote may have changed it.

        Whoever asks while it is worked out gets the last one at once: a thread that waits is missing elsewhere.
        """
        if not self._making_matrix.acquire(blocking=False):
            return self._matrix[1]
        try:
            rounds = self._game.ledger.closed_rounds()
            served = self._game.ledger.served()
            key = (served, [(r.number, r.counts) for r in rounds])
            if self._matrix[0] != key:
                self._matrix = (key, weights_matrix(self._game.history.matrix(), served.weights_id))
            return self._matrix[1]
        finally:
            self._making_matrix.release()

    def _rounds(self) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Every closed round, and the open one."""
        with self._making:
            now, totals = self._game.ledger.open_round(), self._game.ledger.totals()
            if self._counts != (now, totals):  # late votes and withdrawals move the totals of closed rounds
                few = now.counts.attempts <= MOST_OPEN
                drawn = self._game.ledger.drawn_in_round(now.number) if few else []
                opened = describe_open(now, drawn) | {"threshold": self._game.settings.fooling_threshold}
                self._told = self._game.rounds(), opened
                self._counts = now, totals
            return self._told


def _left_out(now: dict[str, Any]) -> list[str]:
    """What the confusion table does not count, and why."""
    return [LEFT_OUT] * (now["attempts"] > MOST_OPEN) + [BLIND] * (now["quorum"] > 0)


def _has_drawings(r: dict[str, Any]) -> bool:
    return any(map(any, r.get("confusion") or []))


def _invite(now: dict[str, Any]) -> str:
    missing = max(now["threshold"] - now["ready"], 0)
    if not now["tries"]:
        text = "Nothing was drawn yet.<br>Draw a digit that fools the model, and the first round begins to show here."
    elif missing:
        text = (
            f"No round is closed yet.<br>{plural(missing, 'more fooling drawing')}, and the model learns from all of them: "
            "then there is something to compare."
        )
    else:
        text = "No round is closed yet.<br>There are enough fooling drawings now: the model learns from them next."
    return f'<div class="hw-empty">{text}</div>'


def _clean_note(rounds: list[dict[str, Any]]) -> str:
    generated = [r["round"] for r in rounds if is_generated(r)]
    if not generated:
        return ""
    first, last = generated[0], generated[-1]
    if first == last:
        which = f"round {first}"
    elif last - first == len(generated) - 1:
        which = f"rounds {first} to {last}"
    else:
        which = f"rounds {', '.join(map(str, generated))}"
    return (
        f"<b>Not MNIST:</b> MNIST was out of reach in {which}, so clean accuracy was measured there on generated digits "
        "that only resemble it. Do not compare it with figures for MNIST."
    )
