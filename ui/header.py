"""What stands above the tabs: the name of the game, how the round goes, and who is signed in."""

from typing import Any

import gradio as gr

from ui.browser import HERE, account, or_error, script
from ui.game import Game


def header(game: Game) -> gr.HTML:
    """draw.js keeps the round up to date; account.js tells who is there, where people can sign in."""

    def who(_: Any, request: gr.Request) -> dict[str, Any]:
        def tell() -> dict[str, Any]:
            somebody = account(game, request)
            return {"name": somebody.name if somebody else None, "maintainer": game.is_maintainer(somebody)}

        return or_error(tell)

    text = (HERE / "header.html").read_text()
    if not game.sign_in:
        return gr.HTML(text.replace("@account", ""), apply_default_css=False)
    return gr.HTML(
        html_template=text.replace("@account", (HERE / "account.html").read_text()),
        js_on_load=script("account.js"),
        server_functions=[who],
        apply_default_css=False,
    )
