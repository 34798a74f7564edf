"""What the page says of the Hub, in words for maintainers; hub.js says it to everybody."""

from collections.abc import Mapping
from typing import Any

from ui.numbers import plural

DATASETS = "https://huggingface.co/datasets/"


def in_markdown(hub: Mapping[str, Any]) -> str:
    """hub: as Game.status has it."""
    where = f"[{hub['repository']}]({DATASETS}{hub['repository']})"
    if hub["unpublished"]:
        told = f"{plural(hub['unpublished'], 'record')} not yet on the Hub, the oldest from {_time(hub['since'])}: {where}."
    elif hub["published_at"]:
        told = f"Everything is on the Hub ({_time(hub['published_at'])}): {where}."
    else:
        told = f"Not compared with the Hub yet: {where}."
    if hub["problem"]:
        told += f" **The Hub:** {hub['problem']}. What is recorded is kept here and sent later."
    return told


def _time(moment: str) -> str:
    return f"{moment[:16].replace('T', ' ')} UTC"
