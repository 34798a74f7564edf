"""The model repository: the served weights, one tag a round, and a card with what was measured."""

from pathlib import Path

from flagging import hub
from flagging.cards import SHOWN, model_card
from flagging.hub import Repository
from flagging.ledger import Ledger


def release(ledger: Ledger, weights_folder: Path, repository: Repository, dataset: str, newest: int = -1) -> None:
    """Bring the repository up to the newest round: a tag for every round that changed what is served, from round-0 on.

    newest: how many closed rounds to look at; -1: all. Only rounds whose promotion is on the Hub may be released. Again is the same as once.
    """
    tags = repository.tags()
    closed = ledger.closed_rounds(newest)
    first = [(0, ledger.promotions()[0].weights_id)] if newest == -1 or len(closed) < newest else []
    states = first + [(r.number, r.weights_id) for r in closed if r.decision != "refused"]
    for number, weights_id in states:
        if f"round-{number}" not in tags:
            until = [r for r in closed if r.number <= number][-SHOWN:]
            card = model_card(until, repository.id, dataset)
            head = repository.commit(
                [
                    hub.add("model.safetensors", weights_folder / f"{weights_id}.safetensors"),
                    hub.add("README.md", card.encode()),
                ],
                f"Round {number}: serve weights {weights_id}",
                None,
            )
            repository.tag(f"round-{number}", head)
