"""Hoodwink: draw a digit, hoodwink the model, make it better. `python app.py`, then open the address it prints."""

import contextlib
import ctypes
import gc
import logging
import os
import secrets
import signal
import sys
import urllib.request
from collections.abc import Mapping
from urllib.parse import quote

# Before Gradio is imported: it reads this once.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
# With every call of an endpoint it would make a table of the last 10,000, for a page that ui.page switches off.
os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "1")
os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", str(10**12))
# uvicorn believes X-Forwarded-For of callers on this machine; whose a request is, ui.guard finds out.
os.environ.setdefault("FORWARDED_ALLOW_IPS", "")

import torch

from flagging.home import Home
from flagging.publisher import Publisher
from flagging.settings import HubSettings
from retrain.settings import RoundSettings, switch, whole_number
from ui.game import Game
from ui.guard import Surroundings
from ui.limits import Limits
from ui.page import build_page, forget_unfetched, launch_options

RESTORE_WITHIN_SECONDS = 600.0
M_ARENA_MAX, ARENAS = -8, 2  # of malloc.h
SWITCH_SECONDS = 0.0005  # how long a thread keeps Python from those who wait for a prediction; 5 ms as it comes
log = logging.getLogger("hoodwink")


def main() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    log.setLevel(logging.INFO)
    environment = os.environ
    sys.setswitchinterval(SWITCH_SECONDS)
    few_arenas()
    torch.set_num_threads(1)  # one small image at a time: a second thread only costs
    torch.backends.mkldnn.set_flags(False)  # for one image what oneDNN prepares costs more than it saves
    token = environment.get("HOODWINK_MAINTAINER_TOKEN") or ""
    made = not token
    token = token or secrets.token_urlsafe(24)
    signal.signal(signal.SIGTERM, stop_once)
    page = None
    game = publisher = None
    try:
        home = Home.from_environment(environment)
        behind_proxy = switch(environment, "HOODWINK_BEHIND_PROXY", environment.get("SYSTEM") == "spaces")
        surroundings = Surroundings.from_environment(environment, behind_proxy)
        publisher = start_publisher(home, environment)
        game = Game(
            home,
            RoundSettings.from_environment(environment),
            live=switch(environment, "HOODWINK_LIVE", True),
            maintainer_token=token,
            environment=environment,
            publisher=publisher,
            sign_in=people_can_sign_in(environment),
            maintainers=maintainers(environment),
            limits=Limits(whole_number(environment, "HOODWINK_LIMITS", 1)),
        )
        game.start()
        page = build_page(game)
        page.queue(default_concurrency_limit=8)
        forget_unfetched(page)
        _, url, _ = page.launch(prevent_thread_lock=True, **launch_options(game, page, surroundings))
        warm_up(url)
        if made:
            print(f"* Maintain it at:   {url.rstrip('/')}/#maintainer={quote(token)}", flush=True)
        # What is there now stays: searching it for garbage again and again would hold everybody up for 0.3 s at a time.
        gc.collect()
        gc.freeze()
        page.block_thread()
    except (ValueError, RuntimeError, OSError) as error:
        sys.exit(f"hoodwink: {error}")
    finally:
        # First nothing more is recorded, then what is left is published.
        if game:
            game.refuse()
        if publisher:
            publisher.ask_to_stop()
        if page:
            page.close(verbose=False)
        if game:
            game.stop()
        if publisher:
            publisher.stop()


def few_arenas() -> None:
    """glibc gives threads memory of their own, and gaps grow in each. Elsewhere, and where many have theirs already, nothing happens."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)


def warm_up(url: str) -> None:
    """At the first call of an endpoint Gradio imports what it draws figures with, 0.2 s: better now than under somebody's pen."""
    address, kind = f"{url}gradio_api/run/status", {"Content-Type": "application/json"}
    call = urllib.request.Request(address, b'{"data": []}', kind)  # noqa: S310, our own
    with contextlib.suppress(OSError):
        urllib.request.urlopen(call, timeout=10).close()  # noqa: S310 # nosec B310


def stop_once(*_: object) -> None:
    """A Space is stopped by SIGTERM: what is left is published first, and a second signal must not break that off."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(0)


def _report(done: int, of: int) -> None:
    if of > 10 and done % (of // 10) == 0:
        log.info("coming back from the Hub: %d of %d shards", done, of)


def start_publisher(home: Home, environment: Mapping[str, str]) -> Publisher | None:
    """With a repository to publish to: everything that is there comes in first, so that an empty disk goes on where it was."""
    settings = HubSettings.from_environment(environment)
    if settings is None:
        return None
    ledger = home.open_ledger(create=True)
    publisher = Publisher(ledger, home, settings, report=_report)
    publisher.start()
    if not ledger.promotions() and not publisher.wait_until_restored(RESTORE_WITHIN_SECONDS):
        log.warning("%s is not here yet; the game begins, and goes on from it once it is", settings.dataset)
    ledger.close()
    return publisher


def people_can_sign_in(environment: Mapping[str, str]) -> bool:
    """On a Space whose card says hf_oauth: true. Raises ValueError where signing in would prove nothing."""
    if not environment.get("OAUTH_CLIENT_ID"):
        return False
    # Anywhere else Gradio signs everybody in as the owner of the machine; and without the secret cookies can be forged.
    if environment.get("SYSTEM") != "spaces" or not environment.get("OAUTH_CLIENT_SECRET"):
        raise ValueError(
            "OAUTH_CLIENT_ID is set, but this is no Space that can sign people in (SYSTEM, OAUTH_CLIENT_SECRET); unset it"
        )
    return True


def maintainers(environment: Mapping[str, str]) -> frozenset[str]:
    """Hub user names: the Space's owner, and those in HOODWINK_MAINTAINERS."""
    names = [environment.get("SPACE_AUTHOR_NAME", ""), *environment.get("HOODWINK_MAINTAINERS", "").split(",")]
    return frozenset(name.strip() for name in names if name.strip())


if __name__ == "__main__":
    main()
