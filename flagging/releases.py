"""The model repository: the served weights, one tag a round, and a card with what was measured."""

from pathlib import Path

from flagging import hub
from flagging.cards import SHOWN, model_card
from flagging.hub import Repository
from flagging.ledger import Ledger


def release(ledger: Ledger, weights_folder: Path, repository: Repository, dataset: str) -> None:
    """Bring the repository up to the newest round: a tag for every round that changed what is served, from round-0 on.

    Only rounds whose promotion is on the Hub may be released. Again is the same as once.
    """
    tags = repository.tags()
    closed = [r for r in ledger.closed_rounds() if r.decision != "refused"]
    states = [(0, ledger.promotions()[0].weights_id), *((r.number, r.weights_id) for r in closed)]
    for number, weights_id in states:
        if f"round-{number}" not in tags:
            until = [r for r in ledger.closed_rounds() if r.number <= number][-SHOWN:]
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
