"""One data folder and one dataset repository made the same: what is there comes in, what is new here goes out."""

import hashlib
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from huggingface_hub import HfApi

from flagging import hub
from flagging.cards import SHOWN, Counts, dataset_card
from flagging.changes import FULL_SHARD, Change
from flagging.hub import HubFile, Repository
from flagging.ledger import Ledger
from flagging.outbox import KINDS, Batch, Row, Rows
from flagging.pace import Pace
from flagging.releases import Releases
from flagging.settings import HubSettings
from flagging.shards import FOLDER, kind_of, read_shard

MOST_ROWS = 10_000  # of a batch: some 25 MB
MANY_SHARDS = 200  # small ones: a round that stays open for days is not waited for, so that a restart reads few
STALE_SECONDS = 3600.0  # late votes show in the dataset within this time, also if no round closes
# There as long as something withdrawn may still be in the history, so that whoever comes next ends the work.
WITHDRAWING = "raw/withdrawing"


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
        self._settings = settings
        self._clock = clock
        self.pace = Pace(settings.commits_per_hour, clock)
        self._dataset = Repository(settings.dataset, "dataset", self.pace, api)
        self._model = (
            Repository(settings.model, "model", Pace(settings.commits_per_hour, clock), api) if settings.model else None
        )
        self._releases = Releases(ledger, weights_folder, self._dataset, self._model)
        self._head = ""
        self._files: dict[str, HubFile] = {}  # shards, and the mark of a withdrawal
        self._met = False
        self._has_card = False
        self._written_at = clock()
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
            rows: Rows = {}
            for path in paths:
                rows.setdefault(kind_of(path) or "", []).extend(self._read(path, head))
            self._releases.fetch(row["weights_id"] for row in rows.get("promotions", []))
            self._outbox.merge(rows, paths)
            if self._report:
                self._report(done + 1, len(groups) + bool(decisions))
        self.merged += bool(fresh)

    def _read(self, path: str, revision: str) -> list[Row]:
        with self._dataset.downloaded(path, revision) as file:
            return read_shard(file, self._outbox.columns(kind_of(path) or ""))

    # -- what is new here goes out ------------------------------------------------------------------------

    def has_work(self) -> bool:
        """Is there anything to push? Rows, a withdrawal to end, a tag, or late votes that have waited long enough."""
        mine = self.is_withdrawing or self._releases.is_due or self._votes_are_late()
        return mine or bool(self._outbox.waiting().rows)

    @property
    def is_withdrawing(self) -> bool:
        """May something withdrawn still be on the Hub, as far as was seen at the last pull?"""
        return WITHDRAWING in self._files

    def is_urgent(self) -> bool:
        return self._outbox.is_urgent() or self.is_withdrawing

    def push(self) -> bool:
        """Publish what waits, in one commit; True if there is more. Call pull right before."""
        batch = self._outbox.take(MOST_ROWS)
        withdrawing = bool(batch.rows.get("withdrawals")) or self.is_withdrawing
        rewriting = batch.closes_rounds or withdrawing or self._votes_are_late() or not self._has_card
        if batch.places or rewriting:
            self._head = self._releases.push(batch.rows.get("promotions", []), self._head)
            self._commit(batch, withdrawing=withdrawing, rewriting=rewriting)
        if withdrawing:
            self._end_withdrawal()
        if self._releases.is_due:
            self._releases.settle()
        return len(batch.places) >= MOST_ROWS

    def _commit(self, batch: Batch, *, withdrawing: bool, rewriting: bool) -> None:
        """withdrawing: take what was withdrawn out of everything; rewriting: the dataset people load as well."""
        with tempfile.TemporaryDirectory(prefix="hoodwink-") as folder:
            change = Change(self._outbox.columns, Path(folder), lambda path: self._read(path, self._head))
            for kind, rows in batch.rows.items():
                change.add_shard(kind, rows)
            if withdrawing:
                change.operations.append(hub.add(WITHDRAWING, b"Drawings that were withdrawn are being deleted.\n"))
                change.take_out(self._files.values(), self._outbox.withdrawn())
            elif batch.closes_rounds or self._small_shards() > MANY_SHARDS:
                change.compact(self._files.values(), self._outbox.withdrawn())
            stale = self._outbox.stale_rounds() if rewriting else {}
            counts = self._rewrite_rounds(stale, change) if rewriting else {}
            self._dataset.commit(change.operations, _title(batch), self._head)
        self._head = ""  # the next pull reads what the repository holds now
        self._outbox.published(batch, change.made, change.gone)
        if rewriting:
            self._outbox.written(stale, counts)
            self._written_at = self._clock()
            self._has_card = True

    def _small_shards(self) -> int:
        return sum(file.size < FULL_SHARD for file in self._files.values())

    def _rewrite_rounds(self, stale: Mapping[int, int], change: Change) -> dict[int, Counts]:
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

    def _end_withdrawal(self) -> None:
        """The branch holds nothing of it any more; its history and its large files must not either."""
        self._dataset.forget_history()
        self._dataset.commit([hub.delete(WITHDRAWING)], "End a withdrawal", None)


def _is_same(content: bytes, there: HubFile | None) -> bool:
    return there is not None and there.sha256 == hashlib.sha256(content).hexdigest()


def _title(batch: Batch) -> str:
    counts = Counter({kind: len(rows) for kind, rows in batch.rows.items() if kind not in ("promotions", "rounds")})
    said = [f"Close round {row['number']}" for row in batch.rows.get("rounds", [])]
    return (
        "; ".join([*said, ", ".join(f"{n} {kind}" for kind, n in counts.items())]).strip("; ")
        or "Write the dataset anew"
    )
