"""Hoodwink: draw a digit, hoodwink the model, make it better. `python app.py`, then open the address it prints."""

import logging
import os
import secrets
import sys
from urllib.parse import quote

# Before Gradio is imported: it reads this once.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import torch

from flagging.home import Home
from retrain.settings import RoundSettings, switch
from ui.game import Game
from ui.page import build_page, launch_options


def main() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("hoodwink").setLevel(logging.INFO)
    environment = os.environ
    torch.set_num_threads(1)  # one small image at a time: a second thread only costs
    token = environment.get("HOODWINK_MAINTAINER_TOKEN") or ""
    made = not token
    token = token or secrets.token_urlsafe(24)
    try:
        game = Game(
            Home.from_environment(environment),
            RoundSettings.from_environment(environment),
            live=switch(environment, "HOODWINK_LIVE", True),
            maintainer_token=token,
            environment=environment,
        )
    except (ValueError, RuntimeError, OSError) as error:
        sys.exit(f"hoodwink: {error}")
    if environment.get("HOODWINK_HUB_DATASET") or environment.get("HOODWINK_HUB_MODEL"):
        logging.getLogger("hoodwink").warning(
            "publishing to the Hub is not built yet; drawings stay in this data folder"
        )
    game.start()
    page = build_page(game)
    page.queue(default_concurrency_limit=8)
    _, url, _ = page.launch(prevent_thread_lock=True, **launch_options())
    if made:
        print(f"* Maintain it at:   {url.rstrip('/')}/#maintainer={quote(token)}", flush=True)
    try:
        page.block_thread()
    finally:
        game.stop()


if __name__ == "__main__":
    main()
