"""The Maintain tab: start a retraining, go back to earlier weights. Opens with the maintainer token."""

from typing import Any

import gradio as gr

from flagging.ledger import LedgerUnavailable
from model.weights import WeightsDamaged
from ui.game import Game

# The token comes in the address's fragment, which browsers send to no server, and is taken off it at once.
READ_LINK = """(typed) => {
    const found = /^#maintainer=([\\w-]+)$/.exec(location.hash);
    if (found) {
        try { sessionStorage.setItem("hoodwink-maintainer", found[1]); } catch {}
        history.replaceState(null, "", location.pathname + location.search);
        return [found[1]];
    }
    try { return [sessionStorage.getItem("hoodwink-maintainer") ?? typed ?? ""]; } catch { return [typed ?? ""]; }
}"""


def maintain_tab(game: Game, page: gr.Blocks, tab: gr.Tab) -> None:
    token = gr.Textbox(
        label="Maintainer token", type="password", placeholder="in the link printed when the app starts", max_lines=1
    )
    locked = gr.Markdown("Opens with the maintainer token.")
    with gr.Column(visible=False) as tools:
        overview = gr.Markdown()
        now = gr.Button("Retrain now", variant="primary")
        with gr.Row(equal_height=True):
            earlier = gr.Dropdown(label="Go back to earlier weights", choices=[], interactive=True)
            back = gr.Button("Roll back ...")
        with gr.Row(visible=False) as confirmation:
            gr.Markdown("Everybody who draws gets these weights at once, and the open round is closed. Go back?")
            yes = gr.Button("Yes, serve them again", variant="stop")
            no = gr.Button("No")
    timer = gr.Timer(2.0, active=False)

    def unlock(typed: str) -> tuple[Any, ...]:
        try:
            game.check_maintainer(typed.strip())
        except ValueError as error:
            hint = (
                str(error)
                if typed
                else "Opens with the maintainer token; it is in the link printed when the app starts."
            )
            return (
                gr.update(visible=False),
                gr.update(value=hint, visible=True),
                gr.update(),
                gr.update(),
                gr.Timer(active=False),
            )
        return gr.update(visible=True), gr.update(visible=False), _overview(game), _choices(game), gr.Timer(active=True)

    def start(typed: str) -> str:
        _or_message(lambda: game.retrain(typed.strip()))
        return _overview(game)

    def roll(typed: str, weights_id: str | None) -> tuple[Any, ...]:
        _or_message(lambda: game.rollback(typed.strip(), weights_id))
        return gr.update(visible=False), _overview(game), _choices(game)

    def ask(weights_id: str | None) -> Any:
        if not weights_id:
            raise gr.Error("choose the weights to go back to first", print_exception=False)
        return gr.update(visible=True)

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_id": "maintain"}
    unlocked = [tools, locked, overview, earlier, timer]
    page.load(unlock, token, unlocked, js=READ_LINK, **quiet)
    token.change(unlock, token, unlocked, **quiet)
    tab.select(unlock, token, unlocked, js=READ_LINK, **quiet)
    timer.tick(lambda: _overview(game), None, overview, **quiet)
    now.click(start, token, overview, **quiet)
    back.click(ask, earlier, confirmation, **quiet)
    no.click(lambda: gr.update(visible=False), None, confirmation, **quiet)
    yes.click(roll, [token, earlier], [confirmation, overview, earlier], **quiet)


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
    return "\n\n".join(lines)


def _choices(game: Game) -> Any:
    seen = {
        p.weights_id: f"{p.weights_id} - promotion {p.number}, {p.created_at[:16]}" for p in game.ledger.promotions()
    }
    seen.pop(game.served.weights_id, None)
    return gr.update(choices=[(text, weights_id) for weights_id, text in reversed(seen.items())], value=None)


def _or_message(work: Any) -> None:
    try:
        work()
    except (ValueError, LedgerUnavailable, WeightsDamaged) as error:
        raise gr.Error(str(error), print_exception=False) from error
