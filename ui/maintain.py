"""The Maintain tab: start a retraining, go back to earlier weights. Opens with the maintainer token."""

from typing import Any

import gradio as gr

from flagging.database import LedgerUnavailable
from ui.browser import account
from ui.game import Game
from ui.hub_status import in_markdown

LOCKED = "Opens with the maintainer token: HOODWINK_MAINTAINER_TOKEN, or in the link printed when the app starts."
LOCKED_BUT_SIGN_IN = LOCKED.replace("Opens", "Opens for maintainers who signed in with Hugging Face, or")

# The token comes in the address's fragment, which browsers send to no server, and is taken off it at once.
READ_LINK = """(typed) => {
    if (location.hash.startsWith("#maintainer=")) {
        const token = decodeURIComponent(location.hash.slice("#maintainer=".length));
        try { sessionStorage.setItem("hoodwink-maintainer", token); } catch {}
        history.replaceState(null, "", location.pathname + location.search);
        const tabs = [...document.querySelectorAll("[role=tab], .overflow-dropdown button")];
        tabs.find((tab) => tab.textContent.trim() === "Maintain")?.click();
        return [token];
    }
    try { return [sessionStorage.getItem("hoodwink-maintainer") ?? typed ?? ""]; } catch { return [typed ?? ""]; }
}"""


def maintain_tab(game: Game, page: gr.Blocks, tab: gr.Tab) -> None:
    token = gr.Textbox(
        label="Maintainer token", type="password", placeholder="in the link printed when the app starts", max_lines=1
    )
    closed = LOCKED_BUT_SIGN_IN if game.sign_in else LOCKED
    locked = gr.Markdown(closed)
    with gr.Column(visible=False) as tools:
        overview = gr.Markdown()
        with gr.Row():
            now = gr.Button("Retrain now", variant="primary", scale=0, min_width=220)
        earlier = gr.Radio(label="Go back to earlier weights: choose them, then confirm", choices=[], visible=False)
        with gr.Column(visible=False) as confirmation:
            gr.Markdown("Everybody who draws gets these weights at once, and the open round is closed. Go back?")
            with gr.Row():
                yes = gr.Button("Yes, serve them again", variant="stop", scale=0, min_width=220)
                no = gr.Button("No", scale=0, min_width=100)
    timer = gr.Timer(2.0, active=False)
    listed = gr.State(-1)  # the promotion the list of earlier weights was made for

    def unlock(typed: str | None, request: gr.Request) -> tuple[Any, ...]:
        try:
            game.check_maintainer((typed or "").strip(), account(game, request))
        except ValueError as error:
            hint = gr.update(value=str(error) if typed else closed, visible=True)
            return gr.update(visible=False), hint, gr.update(visible=True), gr.Timer(active=False), *[gr.skip()] * 3
        return (
            gr.update(visible=True),
            gr.update(visible=False),
            gr.update(visible=False),
            gr.Timer(active=True),
            *follow(-1),
        )

    def follow(promotion: int) -> tuple[Any, ...]:
        try:
            return look(promotion)
        except (LedgerUnavailable, OSError) as error:  # shown in place, not as a toast every two seconds
            return str(error), gr.skip(), promotion

    def look(promotion: int) -> tuple[Any, ...]:
        newest = game.ledger.served().number
        if newest == promotion:  # the list is left alone: somebody may be choosing from it
            return _overview(game), gr.skip(), newest
        choices = _earlier_weights(game)
        return _overview(game), gr.update(choices=choices, value=None, visible=bool(choices)), newest

    def start(typed: str, request: gr.Request) -> str:
        _or_message(lambda: game.retrain((typed or "").strip(), account(game, request)))
        return _overview(game)

    def roll(typed: str, weights_id: str | None, request: gr.Request) -> tuple[Any, ...]:
        _or_message(lambda: game.rollback((typed or "").strip(), weights_id, account(game, request)))
        return gr.update(visible=False), *follow(-1)

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_id": "maintain"}
    followed = [overview, earlier, listed]
    page.load(None, token, token, js=READ_LINK, api_visibility="private")
    opened = [tools, locked, token, timer, *followed]
    token.change(unlock, token, opened, **quiet)
    if game.sign_in:  # a maintainer's account needs no token
        page.load(unlock, token, opened, **quiet)
    tab.select(follow, listed, followed, **quiet)
    timer.tick(follow, listed, followed, **quiet)
    now.click(start, token, overview, **quiet)
    earlier.input(lambda: gr.update(visible=True), None, confirmation, **quiet)
    no.click(lambda: (gr.update(visible=False), gr.update(value=None)), None, [confirmation, earlier], **quiet)
    yes.click(roll, [token, earlier], [confirmation, *followed], **quiet)


def _overview(game: Game) -> str:
    s = game.status()
    lines = [
        f"**Round {s['round']}**, weights `{s['weights_id']}` (promotion {s['promotion']}): "
        f"{s['attempts']} attempts, {s['fooling']} fooling; {s['ready']} of {s['threshold']} towards the next retraining.",
    ]
    if s["training"]:
        lines.append(f"Retraining: {s['stage']}, {100 * s['progress']:.0f} %.")
    if s["problem"]:
        lines.append(f"Last retraining: {s['problem']}")
    if s["last_decision"]:
        lines.append(
            f"Round {s['last_decision']['round']} was {s['last_decision']['decision']}: {s['last_decision']['reason']}."
        )
    if s["hub"]:
        lines.append(in_markdown(s["hub"]))
    return "\n\n".join(lines)


def _earlier_weights(game: Game) -> list[tuple[str, str]]:
    """What was served before and is not now, newest first: what to show, and the weights' id."""
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
    return [(text, weights_id) for weights_id, text in seen.items() if weights_id != now.weights_id]


def _or_message(work: Any) -> None:
    try:
        work()
    except (ValueError, LedgerUnavailable, OSError) as error:
        raise gr.Error(str(error), print_exception=False) from error
