"""What the page says of the Hub, in words for maintainers; hub.js says it to everybody."""

from collections.abc import Mapping
from typing import Any

from ui.numbers import plural

DATASETS = "https://huggingface.co/datasets/"


def in_words(hub: Mapping[str, Any]) -> str:
    """hub: as Game.status has it."""
    if hub["unpublished"]:
        told = f"{plural(hub['unpublished'], 'record')} not yet on the Hub, the oldest from {_time(hub['since'])}."
    elif hub["published_at"]:
        told = f"Everything is on the Hub ({_time(hub['published_at'])})."
    else:
        told = "Not compared with the Hub yet."
    if hub["problem"]:
        told += f" The Hub: {hub['problem']}. What is recorded is kept here and sent later."
    return told


def _time(moment: str) -> str:
    return f"{moment[:16].replace('T', ' ')} UTC"
