"""The Maintain tab: start a retraining, go back to earlier weights. Opens with the maintainer token, or for a maintainer's account."""

from collections.abc import Callable
from typing import Any

import gradio as gr

from flagging.attempts import Refused
from ui.browser import HERE, account, fields, or_error, script
from ui.game import Game
from ui.hub_status import DATASETS, in_words

LOCKED = "Opens with the maintainer token: HOODWINK_MAINTAINER_TOKEN, or in the link printed when the app starts."
LOCKED_BUT_SIGN_IN = LOCKED.replace("Opens", "Opens for maintainers who signed in with Hugging Face, or")


def maintain_tab(game: Game) -> gr.HTML:
    def desk(data: Any, request: Any) -> dict[str, Any]:
        """What a maintainer sees, or that it stays closed."""

        def look() -> dict[str, Any]:
            try:
                game.check_maintainer(fields(data).get("maintainer"), account(game, request))
            except Refused as refusal:
                return {"open": False, "refused": str(refusal)}
            return _desk(game)

        return or_error(look)

    def retrain(data: Any, request: Any) -> dict[str, Any]:
        return _done(game, lambda: game.retrain(fields(data).get("maintainer"), account(game, request)))

    def rollback(data: Any, request: Any) -> dict[str, Any]:
        def back() -> dict[str, Any]:
            return game.rollback(fields(data).get("maintainer"), fields(data).get("weights_id"), account(game, request))

        return _done(game, back)

    closed = LOCKED_BUT_SIGN_IN if game.sign_in else LOCKED
    return gr.HTML(
        html_template=(HERE / "maintain.html").read_text().replace("@closed", closed),
        js_on_load=script("looking.js", "maintain.js"),
        server_functions=[desk, retrain, rollback],
        apply_default_css=False,
        elem_id="maintain",
    )


def _done(game: Game, work: Callable[[], Any]) -> dict[str, Any]:
    """What was asked for is done, each function checking who asks; then how it stands."""

    def do() -> dict[str, Any]:
        work()
        return _desk(game)

    return or_error(do)


def _desk(game: Game) -> dict[str, Any]:
    status = game.status()
    return {
        "open": True,
        "overview": _overview(status),
        "hub": f"{DATASETS}{status['hub']['repository']}" if status["hub"] else None,
        "promotion": game.ledger.served().number,
        "earlier": _earlier_weights(game),
    }


def _overview(s: dict[str, Any]) -> list[str]:
    """Paragraphs; the last is of the Hub, where there is one. s: of Game.status."""
    lines = [
        f"Round {s['round']}, weights {s['weights_id']} (promotion {s['promotion']}): {s['attempts']} attempts, {s['fooling']} fooling; "
        f"{s['ready']} of {s['threshold']} towards the next retraining."
    ]
    if s["training"]:
        lines.append(f"Retraining: {s['stage']}, {100 * s['progress']:.0f} %.")
    if s["problem"]:
        lines.append(f"Last retraining: {s['problem']}")
    if s["last_decision"]:
        last = s["last_decision"]
        lines.append(f"Round {last['round']} was {last['decision']}: {last['reason']}.")
    if s["hub"]:
        lines.append(in_words(s["hub"]))
    return lines


def _earlier_weights(game: Game) -> list[dict[str, str]]:
    """What was served before and is not now, newest first."""
    now, *earlier = reversed(game.ledger.promotions())
    made_in = {r.weights_id: r for r in game.ledger.closed_rounds() if r.decision == "promoted"}
    seen: dict[str, str] = {}
    for p in earlier:
        since = p.created_at[:16].replace("T", " ")
        made = made_in.get(p.weights_id)
        clean = made.figures.get("clean_accuracy_after") if made else None
        what = f"made in round {made.number}" if made else "shipped"
        what += f", clean accuracy {100 * clean:.2f} %" if clean is not None else ""
        seen.setdefault(p.weights_id, f"{p.weights_id}: {what}; served since {since} UTC (promotion {p.number})")
    return [{"weights_id": name, "text": text} for name, text in seen.items() if name != now.weights_id]
