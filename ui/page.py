"""The whole page, put together from its tabs."""

from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
from authlib.integrations.base_client.errors import OAuthError
from gradio.utils import LRUCache
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse

from ui.api import add_endpoints
from ui.draw import draw_tab
from ui.game import Game
from ui.guard import Guard, Surroundings
from ui.header import header
from ui.judge import judge_tab
from ui.maintain import maintain_tab
from ui.mine import mine_tab
from ui.rounds import rounds_tab
from ui.routes import routes
from ui.stress import stress_tab

HERE = Path(__file__).parent
MOST_SESSIONS = 200  # that Gradio remembers, some 60 kB each; nothing of ours is in one
MOST_CALLERS = 4000  # sessions that called an endpoint; twice those whose answers Gradio keeps: these go first
STYLES = ("page.css", "rounds.css", "explain.css", "stress.css", "maintain.css")


def build_page(game: Game) -> gr.Blocks:
    # Gradio adds the addresses that sign people in and out to a page that has its button. Ours stands in the header: theirs
    # is made outside the page, where it does not make an endpoint of its own, and is not shown.
    sign_in = gr.LoginButton(visible=False) if game.sign_in else None
    with gr.Blocks(title="Hoodwink", analytics_enabled=False) as page:
        header(game)
        if sign_in:
            sign_in.render()
        with gr.Tabs():
            with gr.Tab("Draw", id="draw"):
                draw_tab(game)
            with gr.Tab("Judge", id="judge"):
                judge_tab(game)
            with gr.Tab("Mine", id="mine"):
                mine_tab(game)
            with gr.Tab("Rounds", id="rounds"):
                rounds_tab(game)
            with gr.Tab("Stress test", id="stress"):
                stress_tab(game)
            with gr.Tab("Maintain", id="maintain"):
                maintain_tab(game)
        add_endpoints(game, page)
    return page


def forget_unfetched(page: gr.Blocks) -> None:
    """Gradio keeps the answers of endpoints for the last 2,000 sessions that called one; the numbers of these calls, for good."""
    page._queue.pending_event_ids_session = LRUCache(MOST_CALLERS)


def unfetched(page: gr.Blocks, session: str) -> int:
    """What waits in a session until somebody fetches it: messages about its calls, and calls that have not been told of."""
    messages = page._queue.pending_messages_per_session.get(session)
    return (messages.qsize() if messages else 0) + len(page._queue.pending_event_ids_session.get(session, ()))


async def back_to_the_game(request: Request, error: Exception) -> RedirectResponse:  # noqa: ARG001
    """Whoever declined to sign in plays on as they were; Gradio would show them "Internal Server Error"."""
    return RedirectResponse(str(request.base_url))


def launch_options(game: Game, page: gr.Blocks, surroundings: Surroundings) -> dict[str, Any]:
    """What the page needs of Blocks.launch: its looks, no history, no uploads."""
    return {
        # System fonts: the page needs nothing from elsewhere.
        "theme": gr.themes.Base(
            primary_hue="violet",
            neutral_hue="slate",
            font=["system-ui", "sans-serif"],
            font_mono=["ui-monospace", "monospace"],
        ),
        # In the head, not as `css`: Gradio rewrites the selectors of that.
        "head": f"<style>{''.join((HERE / name).read_text() for name in STYLES)}</style>",
        "footer_links": ["api"],
        "run_history": False,
        "enable_monitoring": False,
        "show_error": True,  # what Gradio itself refuses gets its sentence too
        "ssr_mode": False,  # a server of Gradio's own would stand before the guard
        "state_session_capacity": MOST_SESSIONS,
        "max_file_size": 1,  # byte; nothing here takes files
        "app_kwargs": {
            "exception_handlers": {OAuthError: back_to_the_game},
            "routes": routes(game, page),
            "middleware": [Middleware(Guard, surroundings, game.limits, partial(unfetched, page))],
        },
    }
