"""One data folder and one dataset repository made the same: what is there comes in, what is new here goes out."""

import hashlib
import os
import secrets
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi

from flagging import hub
from flagging.cards import SHOWN, Counts, dataset_card
from flagging.hub import HubFile, HubUnavailable, Operation, Repository
from flagging.ledger import Ledger
from flagging.outbox import KINDS, Batch, Rows
from flagging.pace import Pace
from flagging.releases import release
from flagging.shards import FOLDER, kind_of, new_path, read_shard, without_withdrawn, write_shard

MOST_ROWS = 10_000  # of a kind-mixed batch: some 25 MB
FULL_SHARD = 1_000_000  # bytes, some 800 drawings; a shard of this size is not merged with others any more
STALE_SECONDS = 3600.0  # late votes show in the dataset within this time, also if no round closes
# There as long as something withdrawn may still be in the history, so that whoever comes next ends the work.
WITHDRAWING = "raw/withdrawing"
HUB_COMMITS_PER_HOUR = 128  # of a repository, as the Hub allows


@dataclass(frozen=True)
class HubSettings:
    """dataset: the repository that is the durable home of everything. model: of the weights; None: the dataset's."""

    dataset: str
    model: str | None = None
    commits_per_hour: int = HUB_COMMITS_PER_HOUR // 4

    def __post_init__(self) -> None:
        for repo_id in filter(None, (self.dataset, self.model)):
            hub.checked_repository(repo_id)
        if self.commits_per_hour < 1:
            raise ValueError(
                f"commits_per_hour is {self.commits_per_hour}; set HOODWINK_HUB_COMMITS_PER_HOUR to 1 or more"
            )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "HubSettings | None":
        """HOODWINK_HUB_DATASET, HOODWINK_HUB_MODEL, HOODWINK_HUB_COMMITS_PER_HOUR; None without a dataset."""
        dataset, model = environment.get("HOODWINK_HUB_DATASET"), environment.get("HOODWINK_HUB_MODEL")
        if not dataset:
            if model:
                raise ValueError("HOODWINK_HUB_MODEL is set but HOODWINK_HUB_DATASET is not; set both, or neither")
            return None
        commits = environment.get("HOODWINK_HUB_COMMITS_PER_HOUR") or str(cls.commits_per_hour)
        if not commits.isdecimal():
            raise ValueError(f"HOODWINK_HUB_COMMITS_PER_HOUR is {commits!r}; use a whole number")
        return cls(dataset, model or None, int(commits))


class Sync:
    """pull, then push. Both may be called again after any failure, and whatever was done before is not done twice.

    report: told how many of how many shards were taken in. Not thread-safe. Raises HubUnavailable, LedgerUnavailable, ShardDamaged.
    """

    def __init__(
        self,
        ledger: Ledger,
        weights_folder: Path,
        settings: HubSettings,
        api: HfApi | None = None,
        clock: Callable[[], float] = time.time,
        report: Callable[[int, int], None] | None = None,
    ) -> None:
        self._ledger = ledger
        self._report = report
        self._outbox = ledger.outbox()
        self._weights_folder = weights_folder
        self._settings = settings
        self._clock = clock
        self.pace = Pace(settings.commits_per_hour, clock)
        self._dataset = Repository(settings.dataset, "dataset", self.pace, api)
        self._model = (
            Repository(settings.model, "model", Pace(settings.commits_per_hour, clock), api) if settings.model else None
        )
        self._head = ""
        self._files: dict[str, HubFile] = {}  # shards, and the mark of a withdrawal
        self._met = False
        self._has_card = False
        self._written_at = clock()
        self._released = False
        self.merged = 0  # how often something came in

    # -- what is there comes in ---------------------------------------------------------------------------

    def pull(self) -> None:
        """Merge whatever the repository holds that the ledger does not."""
        if not self._met:
            self._meet()
        head = self._dataset.head()
        if head == self._head:
            return
        files = self._dataset.files(head, FOLDER)
        self._take_in(files, head)
        self._files, self._head = files, head

    def _meet(self) -> None:
        """The first contact: make the repositories, and learn how many commits this hour has seen."""
        for repository, pace in self._repositories():
            repository.create()
            pace.remember(repository.commit_times(self._settings.commits_per_hour + 1))
        self._outbox.use(self._settings.dataset)
        self._has_card = "README.md" in self._dataset.look_up(["README.md"], "main")
        self._met = True

    def _repositories(self) -> Iterable[tuple[Repository, Pace]]:
        return [(r, r.pace) for r in (self._dataset, self._model) if r]

    def _take_in(self, files: Mapping[str, HubFile], head: str) -> None:
        shards = {path for path in files if kind_of(path)}
        known = self._outbox.known_shards()
        if known and not known & shards:
            self._outbox.refill()  # somebody emptied the repository, or made it anew
            known = set()
        fresh = sorted(shards - known)
        decisions = [path for path in fresh if kind_of(path) in ("promotions", "rounds")]
        groups = [[path] for kind in KINDS for path in fresh if kind_of(path) == kind and path not in decisions]
        # A promotion and the round it closes come in together; before the drawings, as KINDS explains.
        for done, paths in enumerate([decisions, *groups] if decisions else groups):
            rows = self._read(paths, head)
            self._fetch_weights(row["weights_id"] for row in rows.get("promotions", []))
            self._outbox.merge(rows, paths)
            if self._report:
                self._report(done + 1, len(groups) + bool(decisions))
        self.merged += bool(fresh)

    def _read(self, paths: Iterable[str], revision: str) -> Rows:
        rows: Rows = {}
        for path in paths:
            kind = kind_of(path) or ""
            with self._dataset.downloaded(path, revision) as file:
                rows.setdefault(kind, []).extend(read_shard(file, self._outbox.columns(kind)))
        return rows

    def _fetch_weights(self, ids: Iterable[str]) -> None:
        for weights_id in ids:
            target = self._weights_folder / f"{weights_id}.safetensors"
            if target.exists():
                continue
            packed = self._download_weights(weights_id)
            if not hashlib.sha256(packed).hexdigest().startswith(weights_id):
                raise HubUnavailable(f"the weights {weights_id} on the Hub are damaged; upload them again")
            _put(target, packed)

    def _download_weights(self, weights_id: str) -> bytes:
        for repository in filter(None, (self._model, self._dataset)):
            try:
                with repository.downloaded(_weights_path(weights_id)) as file:
                    return file.read_bytes()
            except FileNotFoundError:
                continue
        raise HubUnavailable(
            f"the weights {weights_id}, which were served, are in no repository; upload {_weights_path(weights_id)} to "
            f"{(self._model or self._dataset).id}"
        )

    # -- what is new here goes out ------------------------------------------------------------------------

    def has_work(self) -> bool:
        """Is there anything to push? Ordinary rows, a withdrawal to end, or late votes that have waited long enough."""
        return bool(self._outbox.waiting().rows) or WITHDRAWING in self._files or self._votes_are_late()

    def is_urgent(self) -> bool:
        return self._outbox.is_urgent() or WITHDRAWING in self._files

    def push(self) -> bool:
        """Publish what waits, in one commit; True if there is more. Call pull right before."""
        batch = self._outbox.take(MOST_ROWS)
        withdrawing = bool(batch.rows.get("withdrawals")) or WITHDRAWING in self._files
        rewriting = batch.closes_rounds or withdrawing or self._votes_are_late() or not self._has_card
        if not batch.places and not rewriting:
            return False
        self._push_weights([row["weights_id"] for row in batch.rows.get("promotions", [])])
        with tempfile.TemporaryDirectory(prefix="hoodwink-") as folder:
            change = _Change(self._outbox.columns, Path(folder))
            for kind, rows in batch.rows.items():
                change.add_shard(kind, rows)
            if withdrawing:
                change.operations.append(hub.add(WITHDRAWING, b"Drawings that were withdrawn are being deleted.\n"))
                self._rewrite_withdrawn(change)
            elif batch.closes_rounds:
                self._compact(change)
            stale = self._outbox.stale_rounds() if rewriting else {}
            counts = self._rewrite_rounds(stale, change) if rewriting else {}
            self._dataset.commit(change.operations, _title(batch), self._head)
        self._head = ""  # the next pull reads what the repository holds now
        self._outbox.published(batch, change.made, change.gone)
        if rewriting:
            self._outbox.written(stale, counts)
            self._written_at = self._clock()
            self._has_card = True
        if withdrawing:
            self._end_withdrawal()
        if self._model and (batch.rows.get("promotions") or not self._released):
            newest = SHOWN if self._released else -1
            release(self._ledger, self._weights_folder, self._model, self._settings.dataset, newest)
            self._released = True
        return len(batch.places) >= MOST_ROWS

    def _push_weights(self, ids: list[str]) -> None:
        """Before the promotion that names them."""
        if not ids:
            return
        repository = self._model or self._dataset
        head = self._head if repository is self._dataset else repository.head()
        paths = {_weights_path(weights_id): self._weights_folder / f"{weights_id}.safetensors" for weights_id in ids}
        there = repository.look_up(list(paths), head)
        additions: list[Operation] = [hub.add(path, file) for path, file in paths.items() if path not in there]
        if additions:
            head = repository.commit(additions, f"Add weights {', '.join(ids)}", head)
            if repository is self._dataset:
                self._head = head

    def _rewrite_rounds(self, stale: Mapping[int, int], change: "_Change") -> dict[int, Counts]:
        """The files of rounds that are not what the rows say, and the card."""
        from flagging.dataset import round_files  # datasets takes half a second to import

        counts = {}
        for number in stale:
            of_round = round_files(number, self._ledger.drawn_in_round(number))
            counts[number] = of_round.counts
            there = self._dataset.look_up(list(of_round.files), self._head)
            for path, content in of_round.files.items():
                if content is None and path in there:
                    change.operations.append(hub.delete(path))
                elif content is not None and not _is_same(content, there.get(path)):
                    change.operations.append(hub.add(path, content))
        total = sum((self._outbox.written_counts() | counts).values(), Counts({}, {}))
        card = dataset_card(
            total, self._ledger.closed_rounds(newest=SHOWN), self._settings.dataset, self._settings.model
        )
        change.operations.append(hub.add("README.md", card.encode()))
        return counts

    def _votes_are_late(self) -> bool:
        return self._clock() > self._written_at + STALE_SECONDS and bool(self._outbox.stale_rounds())

    # -- raw shards ---------------------------------------------------------------------------------------

    def _compact(self, change: "_Change") -> None:
        """Many small shards become few, so that a restart reads few; a row is copied a few times in all, not every time."""
        for kind in KINDS:
            paths = to_merge([f for f in self._files.values() if kind_of(f.path) == kind])
            if len(paths) > 1:
                rows = self._read(paths, self._head).get(kind, [])
                change.replace(kind, paths, without_withdrawn(kind, rows, self._outbox.withdrawn()))

    def _rewrite_withdrawn(self, change: "_Change") -> None:
        """Every shard that holds something of what was withdrawn is replaced by one that does not."""
        withdrawn = self._outbox.withdrawn()
        for kind in ("tries", "attempts", "retractions", "votes", "hidings"):
            for path in [p for p in self._files if kind_of(p) == kind]:
                rows = self._read([path], self._head).get(kind, [])
                kept = without_withdrawn(kind, rows, withdrawn)
                if len(kept) < len(rows):
                    change.replace(kind, [path], kept)

    def _end_withdrawal(self) -> None:
        """The branch holds nothing of it any more; its history and its large files must not either."""
        self._dataset.forget_history()
        self._dataset.commit([hub.delete(WITHDRAWING)], "End a withdrawal", None)


class _Change:
    """What one commit shall do."""

    def __init__(self, columns: Callable[[str], list[tuple[str, str]]], folder: Path) -> None:
        self.operations: list[Operation] = []
        self.made: list[str] = []  # shards
        self.gone: list[str] = []
        self._columns = columns
        self._folder = folder

    def add_shard(self, kind: str, rows: list[dict[str, object]]) -> None:
        path = new_path(kind)
        write_shard(rows, self._columns(kind), self._folder / path)
        self.operations.append(hub.add(path, self._folder / path))
        self.made.append(path)

    def replace(self, kind: str, paths: list[str], rows: list[dict[str, object]]) -> None:
        if rows:
            self.add_shard(kind, rows)
        self.operations += [hub.delete(path) for path in paths]
        self.gone += paths


def to_merge(shards: Iterable[HubFile]) -> list[str]:
    """The shards to make one of: from the smallest up, as long as the next is at most twice what is gathered.

    Then at most some twenty are left below FULL_SHARD, and a row is copied at most as often as its shard doubles.
    """
    paths: list[str] = []
    gathered = 0
    for shard in sorted(shards, key=lambda shard: (shard.size, shard.path)):
        if shard.size >= FULL_SHARD or (paths and shard.size > 2 * gathered):
            break
        paths.append(shard.path)
        gathered += shard.size
    return paths


def _is_same(content: bytes, there: HubFile | None) -> bool:
    return there is not None and there.sha256 == hashlib.sha256(content).hexdigest()


def _title(batch: Batch) -> str:
    counts = Counter({kind: len(rows) for kind, rows in batch.rows.items() if kind not in ("promotions", "rounds")})
    said = [f"Close round {row['number']}" for row in batch.rows.get("rounds", [])]
    return (
        "; ".join([*said, ", ".join(f"{n} {kind}" for kind, n in counts.items())]).strip("; ")
        or "Write the dataset anew"
    )


def _weights_path(weights_id: str) -> str:
    return f"weights/{weights_id}.safetensors"


def _put(target: Path, content: bytes) -> None:
    """Complete and on disk, or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(target)
