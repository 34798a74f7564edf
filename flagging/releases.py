"""Weights on the Hub: every promotion's file before the promotion, and in a model repository a tag a round, with a card."""

import hashlib
import os
import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path

from flagging import hub
from flagging.cards import SHOWN, model_card
from flagging.hub import Operation, Repository
from flagging.ledger import Ledger
from flagging.outbox import Row

SERVED = "model.safetensors"


class Releases:
    """model: where weights go; None: into the dataset's repository, without tags or card.

    In the model repository each promotion is a commit of its own, titled by its round, whose SERVED file are its weights. The
    tag comes once the promotion itself is on the Hub: whoever was overtaken has left a commit, and no tag.
    """

    def __init__(
        self, ledger: Ledger, folder: Path, dataset: Repository, model: Repository | None, space: str | None = None
    ) -> None:
        self._ledger = ledger
        self._folder = folder
        self._dataset = dataset
        self._model = model
        self._space = space
        self.is_due = model is not None  # may a tag be missing?
        self.note = ""  # weights that could not be sent

    @property
    def is_full(self) -> bool:
        """Does the model repository take no more commits this hour? Then promotions wait, and nothing else does."""
        return self._model is not None and self._model.pace.room() < 2

    def push(self, promotions: Sequence[Row], dataset_head: str) -> str:
        """Send the weights of these promotions; the dataset's head after it."""
        there = [row for row in promotions if self._packed(row["weights_id"]) is not None]
        self.note = _lost([row["weights_id"] for row in promotions if row not in there])
        if not there:
            return dataset_head
        if self._model is None:
            return self._push_all(self._dataset, there, dataset_head)
        room = max(1, self._model.pace.room())
        alone = there[-room:]
        if len(there) > room:  # more rounds than the Hub takes commits: the oldest go together, and get no tag
            alone = there[len(there) - room + 1 :]
            self._push_all(self._model, there[: len(there) - len(alone)], self._model.head())
        for row in alone:
            self._release(self._model, int(row["number"]), str(row["weights_id"]))
        self.is_due = True
        return dataset_head

    def fetch(self, ids: Iterable[str]) -> list[str]:
        """Get weights that are not in the folder, or damaged there; those that are nowhere."""
        missing = []
        for weights_id in dict.fromkeys(ids):
            if self._packed(weights_id) is None:
                packed = self._download(weights_id)
                if packed is None:
                    missing.append(weights_id)
                else:
                    _put(self._file(weights_id), packed)
        return missing

    def settle(self) -> None:
        """Tag what is promoted on the Hub by now, and have the repository show what is served."""
        if self._model is None or not self._ledger.promotions():
            return
        tags = self._model.tags()
        rounds = {0: 0} | {r.promotion: r.number for r in self._ledger.closed_rounds(SHOWN) if r.decision != "refused"}
        promotions = [p for p in self._ledger.promotions() if p.number in rounds]
        missing = {
            _title(rounds[p.number], p.weights_id): _tag(rounds[p.number])
            for p in promotions
            if _tag(rounds[p.number]) not in tags
        }
        commits = self._model.titled(missing, 4 * SHOWN) if missing else {}
        for title, commit in commits.items():
            self._model.tag(missing[title], commit)
        served = self._ledger.served()
        packed, shown = self._packed(served.weights_id), self._model.look_up([SERVED], "main").get(SERVED)
        if packed and (shown is None or shown.sha256 != hashlib.sha256(packed).hexdigest()):
            self._release(self._model, served.number, served.weights_id)  # somebody overtaken had shown theirs
        self.is_due = False

    def _push_all(self, repository: Repository, promotions: Sequence[Row], head: str) -> str:
        paths = {_path(row["weights_id"]): self._file(row["weights_id"]) for row in promotions}
        there = repository.look_up(list(paths), head)
        additions: list[Operation] = [hub.add(path, file) for path, file in paths.items() if path not in there]
        return repository.commit(additions, f"Add {len(additions)} weights", head) if additions else head

    def _release(self, model: Repository, promotion: int, weights_id: str) -> None:
        number = self._ledger.round_of_promotion(promotion)
        closed = self._ledger.closed_rounds(SHOWN)
        card = model_card([r for r in closed if r.number <= number], model.id, self._dataset.id, self._space)
        file = self._file(weights_id)
        operations: list[Operation] = [
            hub.add(_path(weights_id), file),
            hub.add(SERVED, file),
            hub.add("README.md", card.encode()),
        ]
        model.commit(operations, _title(number, weights_id), None)

    def _download(self, weights_id: str) -> bytes | None:
        for repository in filter(None, (self._model, self._dataset)):
            try:
                with repository.downloaded(_path(weights_id)) as file:
                    packed = file.read_bytes()
            except FileNotFoundError:
                continue
            if _is_whole(packed, weights_id):
                return packed
        return None

    def _packed(self, weights_id: str) -> bytes | None:
        """The file's bytes; None if it is not there, or damaged: ids are the beginning of their hash."""
        try:
            packed = self._file(weights_id).read_bytes()
        except OSError:
            return None
        return packed if _is_whole(packed, weights_id) else None

    def _file(self, weights_id: str) -> Path:
        return self._folder / f"{weights_id}.safetensors"


def _is_whole(packed: bytes, weights_id: str) -> bool:
    return hashlib.sha256(packed).hexdigest().startswith(weights_id)


def _lost(ids: Sequence[str]) -> str:
    if not ids:
        return ""
    return (
        f"the weights {', '.join(ids)} were served and are not in this data folder any more; the Hub does not get them"
    )


def _path(weights_id: str) -> str:
    return f"weights/{weights_id}.safetensors"


def _tag(number: int) -> str:
    return f"round-{number}"


def _title(number: int, weights_id: str) -> str:
    return f"Round {number}: serve weights {weights_id}"


def _put(target: Path, content: bytes) -> None:
    """Complete and on disk, or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(target)
