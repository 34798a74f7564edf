"""The My drawings tab: what one drew oneself, and withdrawing it."""

import hashlib
import json
from typing import Any

import gradio as gr

from flagging.ledger import Drawn
from ui.browser import HERE, fields, in_turn, or_error, script, visitor
from ui.gallery import MOST_NUMBER, PER_PAGE, describe, number_or_none
from ui.game import Game
from ui.people import Visitor


def mine_tab(game: Game) -> gr.HTML:
    def drawings(data: Any, request: gr.Request) -> dict[str, Any]:
        return or_error(lambda: page(game, visitor(game, fields(data), request), fields(data)))

    async def withdraw(data: Any, request: gr.Request) -> dict[str, Any]:
        """Everything, where `all` is true; else the drawings in `attempt_ids`."""

        def delete(sent: dict[str, Any], who: Visitor) -> dict[str, Any]:
            chosen = None if sent.get("all") is True else sent.get("attempt_ids") or []
            return game.withdraw(who.token, who.also, chosen)

        return await in_turn(game, data, request, game.limits.submitting, delete)

    return gr.HTML(
        html_template=(HERE / "mine.html").read_text(),
        js_on_load=script("looking.js", "hub.js", "mine.js", "drawings.js"),
        server_functions=[drawings, withdraw],
        apply_default_css=False,
        elem_id="mine",
    )


def page(game: Game, who: Visitor, sent: dict[str, Any]) -> dict[str, Any]:
    """A page of one's own drawings, as ui.gallery.page gives one; besides, how it stands with the Hub.

    sent: before, version; each may be None. Raises Refused with a sentence for anything else.
    """
    before = number_or_none(sent, "before", 0, MOST_NUMBER)
    drawn, following = game.drawn_by(who.token, who.also, before=before, count=PER_PAGE)
    drawings = [told(one, game.settings.quorum > 0) for one in drawn]
    name = who.account.name if who.account else None
    which = [(d["id"], d["state"]) for d in drawings]
    version = hashlib.sha256(json.dumps([which, following, name]).encode()).hexdigest()[:16]
    around = {"version": version, "hub": game.hub()}
    if sent.get("version") == version:
        return around
    return around | {"drawings": drawings, "next": following, "account": name, "sign_in": game.sign_in}


def told(drawn: Drawn, judged: bool) -> dict[str, Any]:
    """One's own drawing, and what became of it. judged: do others judge here?"""
    attempt = drawn.attempt
    state = attempt.state or "did not fool it"
    if state == "pending":
        state = "to be judged" if judged else "counts"
    if drawn.retracted:
        state = "taken back"
    elif drawn.hidden:
        state = "hidden"
    return describe(attempt, blind=False) | {"state": state, "lacking": attempt.lacking}
