"""One data folder and one dataset repository made the same: what is there comes in, what is new here goes out."""

import hashlib
import math
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from huggingface_hub import HfApi

from flagging import hub
from flagging.cards import SHOWN, Counts, dataset_card
from flagging.changes import FULL_SHARD, Change
from flagging.home import Home
from flagging.hub import HubFile, HubUnavailable, NoRepository, Repository, RepoType
from flagging.ledger import Ledger
from flagging.outbox import KINDS, Batch, Row, Rows
from flagging.pace import Pace
from flagging.releases import Releases
from flagging.settings import HubSettings
from flagging.shards import FOLDER, ShardDamaged, kind_of, read_shard

MOST_ROWS = 10_000  # of a batch: some 25 MB
MANY_SHARDS = 200  # small ones: a round that stays open for days is not waited for, so that a restart reads few
STALE_SECONDS = 3600.0  # late votes show in the dataset within this time, also if no round closes
# There while something withdrawn may still be in the history, so that whoever comes next ends the work.
UNSWEPT = "raw/unswept"
# A mark in there: large files are being deleted, and nobody but who set it may commit. In intervals between ordinary
# commits: when somebody else takes over, and how often it may be done.
MARKS = "raw/withdrawing"
TAKE_OVER, SWEEP_EVERY = 4, 3
DECISIONS = ("promotions", "rounds")


class Sync:
    """pull, then push. Both may be called again after any failure, and whatever was done before is not done twice.

    report: told how many of how many shards were taken in. Not thread-safe. Raises HubUnavailable, TooManyCommits,
    LedgerUnavailable, AnotherGame.
    """

    def __init__(
        self,
        ledger: Ledger,
        home: Home,
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
        self._scratch = home.folder / "tmp"

        def repository(repo_id: str, repo_type: RepoType) -> Repository:
            pace = Pace(settings.commits_per_hour, self._outbox.commits(f"{repo_type}s/{repo_id}"), clock)
            return Repository(repo_id, repo_type, pace, self._scratch, api)

        self._dataset = repository(settings.dataset, "dataset")
        self._model = repository(settings.model, "model") if settings.model else None
        self._releases = Releases(ledger, home.weights, self._dataset, self._model, settings.space)
        self._own_mark = f"{MARKS}/{self._outbox.ledger_id()}"
        self._head = ""
        self._files: dict[str, HubFile] = {}  # shards and marks
        self._marks: dict[str, float] = {}  # and since when they are known
        self._unswept_since = math.inf
        self._swept_at = -math.inf
        self._met = False
        self._has_card = False
        self._written_at = clock()
        self._damaged: dict[str, str] = {}
        self.merged = 0  # how often something came in

    @property
    def note(self) -> str:
        """What is wrong though everything goes on."""
        return next(iter(self._damaged.values()), self._releases.note)

    # -- what is there comes in ---------------------------------------------------------------------------

    def pull(self, *, create: bool = True) -> None:
        """Merge whatever the repository holds that the ledger does not. create: make repositories that are not there."""
        self._outbox.use(self._settings.dataset)
        try:
            if not self._met:
                self._meet(create)
            head = self._dataset.head()
        except NoRepository:
            self._met = False  # to be made again
            raise
        if head == self._head:
            return
        self._dataset.pace.learn(self._dataset.commits(self._settings.commits_per_hour + 1))
        files = self._dataset.files(head, FOLDER)
        self._take_in(files, head)
        marks = [path for path in files if path.startswith(f"{MARKS}/")]
        self._marks = {path: self._marks.get(path, self._clock()) for path in marks}
        if UNSWEPT in files:
            self._unswept_since = min(self._unswept_since, self._clock())
        else:
            self._unswept_since = math.inf
        self._files, self._head = files, head

    def _meet(self, create: bool) -> None:
        """The first contact: make the repositories, and learn how many commits this hour has seen."""
        shutil.rmtree(self._scratch, ignore_errors=True)  # what a killed process left
        self._scratch.mkdir(parents=True)
        for repository in filter(None, (self._dataset, self._model)):
            if create:
                repository.create()
            repository.pace.learn(repository.commits(self._settings.commits_per_hour + 1))
        self._has_card = "README.md" in self._dataset.look_up(["README.md"], "main")
        self._met = True

    def _take_in(self, files: Mapping[str, HubFile], head: str) -> None:
        shards = {path for path in files if kind_of(path)}
        known = self._outbox.known_shards()
        if known and not known & shards:
            self._outbox.refill()  # somebody emptied the repository, or made it anew
            known = set()
        fresh = sorted(shards - known)
        decisions = [path for path in fresh if kind_of(path) in DECISIONS]
        groups = [[path] for kind in KINDS for path in fresh if kind_of(path) == kind and path not in decisions]
        missing: list[str] = []
        self._damaged = {}
        # A promotion and the round it closes come in together; before the drawings, as KINDS explains.
        for done, paths in enumerate([decisions, *groups] if decisions else groups):
            rows = self._read_all(paths, head)
            if promotions := rows.get("promotions"):
                missing = self._releases.fetch(row["weights_id"] for row in promotions)
                served = max(promotions, key=lambda row: int(row["number"]))["weights_id"]
                if served in missing:
                    continue  # weights that nobody has cannot be served; the drawings come in, and pull says so below
            self._outbox.merge(rows, [path for path in paths if path not in self._damaged])
            if self._report:
                self._report(done + 1, len(groups) + bool(decisions))
        self.merged += bool(fresh)
        if missing:
            where = (
                self._model.id if self._model else f"{self._dataset.id}; set HOODWINK_HUB_MODEL if they are in another"
            )
            sentence = f"the weights {', '.join(missing)}, which were served, are not in {where}"
            if served in missing:
                raise HubUnavailable(sentence)
            self._damaged["weights"] = sentence
        self._outbox.join()
        self._ledger.adopt_quorum()

    def _read_all(self, paths: Iterable[str], head: str) -> Rows:
        rows: Rows = {}
        for path in paths:
            try:
                rows.setdefault(kind_of(path) or "", []).extend(self._read(path, head))
            except ShardDamaged as error:
                self._damaged[path] = str(error)
        return rows

    def _read(self, path: str, revision: str) -> list[Row]:
        with self._dataset.downloaded(path, revision) as file:
            return read_shard(file, self._outbox.columns(kind_of(path) or ""))

    # -- what is new here goes out ------------------------------------------------------------------------

    def has_work(self) -> bool:
        """Is there anything to push? Rows, a withdrawal, a tag, or late votes that have waited long enough."""
        if self._is_held():
            return False
        tags = self._releases.is_due and not self._outbox.has(DECISIONS)
        mine = self._sweeps() or tags or self._votes_are_late()
        return mine or self._outbox.has(self._kinds())

    def wait(self) -> float:
        """Seconds until the next push should be made."""
        urgent = self._sweeps() or self._outbox.has({"withdrawals", *DECISIONS} & set(self._kinds()))
        return self._dataset.pace.wait(urgent=urgent)

    def hurry(self) -> None:
        """The next push is to end whatever can be ended."""
        self._swept_at = -math.inf

    @property
    def is_withdrawing(self) -> bool:
        """May something withdrawn still be on the Hub, as far as was seen at the last pull?"""
        return bool(self._marks) or UNSWEPT in self._files or bool(self._outbox.to_purge())

    def _is_held(self) -> bool:
        """Is another process deleting what was withdrawn? After a while it is taken for dead."""
        since = [moment for path, moment in self._marks.items() if path != self._own_mark]
        return bool(since) and self._clock() < max(since) + self._intervals(TAKE_OVER)

    def _sweeps(self) -> bool:
        """Is a withdrawal to be ended now? Not more often than every few minutes: it reads every shard. Others' are
        theirs to end, as long as they can be thought to live."""
        if self._marks:
            return not self._is_held()
        theirs = self._clock() >= self._unswept_since + self._intervals(TAKE_OVER)
        rested = self._clock() >= self._swept_at + self._intervals(SWEEP_EVERY)
        return rested and (theirs or bool(self._outbox.to_purge()))

    def _intervals(self, count: int) -> float:
        return count * self._dataset.pace.interval

    def _kinds(self) -> list[str]:
        """What may go now."""
        return [kind for kind in KINDS if not (kind in DECISIONS and self._releases.is_full)]

    def push(self) -> bool:
        """Publish what waits, in one commit; True if there is more. Call pull right before."""
        if self._is_held():
            return False
        sweeping, purged = self._sweeps(), self._outbox.to_purge()
        batch = self._outbox.take(MOST_ROWS, self._kinds())
        rewriting = batch.closes_rounds or sweeping or self._votes_are_late() or not self._has_card
        if batch.places or rewriting:
            self._head = self._releases.push(batch.rows.get("promotions", []), self._head)
            self._commit(batch, sweeping=sweeping, rewriting=rewriting)
        if sweeping:
            self._end_withdrawal(purged)
        if self._releases.is_due and not self._outbox.has(DECISIONS):  # only what is promoted on the Hub is shown
            self._releases.settle()
        return len(batch.places) >= MOST_ROWS

    def _commit(self, batch: Batch, *, sweeping: bool, rewriting: bool) -> None:
        """sweeping: take what was withdrawn out of everything; rewriting: write the dataset people load as well."""
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            change = Change(self._outbox.columns, Path(folder), lambda path: self._read(path, self._head))
            for kind, rows in batch.rows.items():
                change.add_shard(kind, rows)
            if sweeping:
                change.take_out(self._files.values(), self._outbox.withdrawn())
                if not self._marks:
                    change.operations.append(
                        hub.add(self._own_mark, b"Drawings that were withdrawn are being deleted.\n")
                    )
            elif batch.rows.get("withdrawals"):
                change.operations.append(hub.add(UNSWEPT, b"Drawings that were withdrawn are to be deleted.\n"))
            elif batch.closes_rounds or self._small_shards() > MANY_SHARDS:
                change.compact(self._files.values(), self._outbox.withdrawn())
            stale = self._outbox.stale_rounds() if rewriting else {}
            counts = self._rewrite_rounds(stale, change) if rewriting else {}
            if change.operations:
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

        made = {number: round_files(number, self._ledger.drawn_in_round(number)) for number in stale}
        there = self._dataset.look_up([path for of_round in made.values() for path in of_round.files], self._head)
        for path, content in ((p, c) for of_round in made.values() for p, c in of_round.files.items()):
            if content is None and path in there:
                change.operations.append(hub.delete(path))
            elif content is not None and not _is_same(content, there.get(path)):
                change.operations.append(hub.add(path, content))
        counts = {number: of_round.counts for number, of_round in made.items()}
        if stale or not self._has_card:
            total = Counts.sum((self._outbox.written_counts() | counts).values())
            closed = self._ledger.closed_rounds(newest=SHOWN)
            card = dataset_card(total, closed, self._settings.dataset, self._settings.model)
            change.operations.append(hub.add("README.md", card.encode()))
        return counts

    def _votes_are_late(self) -> bool:
        return self._clock() > self._written_at + STALE_SECONDS and bool(self._outbox.stale_rounds())

    def _end_withdrawal(self, purged: Iterable[str]) -> None:
        """The branch holds nothing of it any more; its history and its large files must not either."""
        marks = [hub.delete(path) for path in [*(self._marks or [self._own_mark]), *({UNSWEPT} & self._files.keys())]]
        self._dataset.forget_history()
        self._dataset.commit(marks, "End a withdrawal", self._dataset.head())
        self._head = ""
        self._marks = {}
        self._files.pop(UNSWEPT, None)
        self._swept_at = self._clock()
        self._outbox.purged(purged)


def _is_same(content: bytes, there: HubFile | None) -> bool:
    return there is not None and there.sha256 == hashlib.sha256(content).hexdigest()


def _title(batch: Batch) -> str:
    counts = Counter({kind: len(rows) for kind, rows in batch.rows.items() if kind not in ("promotions", "rounds")})
    said = [f"Close round {row['number']}" for row in batch.rows.get("rounds", [])]
    return (
        "; ".join([*said, ", ".join(f"{n} {kind}" for kind, n in counts.items())]).strip("; ")
        or "Write the dataset anew"
    )
