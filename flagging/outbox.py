"""What of the ledger is not on the Hub yet, and how rows that are there come in.

Merging is a union by key: any rows, in any order, any number of times, give the same ledger.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from sqlite3 import Connection
from typing import Any

from flagging import decisions, standings
from flagging.cards import Counts
from flagging.database import Database
from flagging.pace import HOUR
from flagging.withdrawals import erase, is_withdrawn

Row = dict[str, Any]


class AnotherGame(ValueError):
    """A repository and a ledger that have nothing to do with each other. Nothing was taken in."""


Rows = dict[str, list[Row]]  # by kind

# The tables that travel, and how their key is found in unpublished.id. Decisions come in before the drawings they rest on:
# those are never ready for a retraining in between.
KINDS = {
    "withdrawals": "t.id = u.id",
    "promotions": "t.number = CAST(u.id AS INTEGER)",
    "rounds": "t.number = CAST(u.id AS INTEGER)",
    "tries": "t.try_id = u.id",
    "attempts": "t.attempt_id = u.id",
    "retractions": "t.attempt_id = u.id",
    "votes": "t.attempt_id = substr(u.id, 1, instr(u.id, ' ') - 1) AND t.annotator = substr(u.id, instr(u.id, ' ') + 1)",
    "hidings": "t.hiding_id = u.id",
}
_KEYS = {"retractions": ("attempt_id",), "votes": ("attempt_id", "annotator"), "hidings": ("hiding_id",)}
WHOLE = ("withdrawals", "promotions", "rounds")  # few, and never in two commits


@dataclass(frozen=True)
class Waiting:
    """Rows that are not on the Hub yet. since: when the oldest of them was recorded."""

    rows: int
    since: str | None


@dataclass(frozen=True)
class Batch:
    """Rows to publish, and their places in the outbox."""

    rows: Rows
    places: list[int]

    @property
    def closes_rounds(self) -> bool:
        return bool(self.rows.get("rounds"))


class Outbox:
    """The ledger's side of the Hub. Raises LedgerUnavailable, as the ledger does."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def use(self, repository: str) -> None:
        """Publish to this dataset repository: if it is another one than before, everything is still to be published."""
        with self._database.writing() as db:
            if db.execute("SELECT repository FROM hub").fetchone() != (repository,):
                db.execute("UPDATE hub SET repository = ?, joined = 0", (repository,))
                db.execute("DELETE FROM to_purge")
                _refill(db)

    def join(self) -> None:
        """Everything there was taken in: from now on this ledger and the repository are one game."""
        with self._database.writing() as db:
            db.execute("UPDATE hub SET joined = 1 WHERE joined = 0")

    def repository(self) -> str | None:
        """The dataset repository that was used last."""
        with self._database.reading() as db:
            found: str | None = db.execute("SELECT repository FROM hub").fetchone()[0]
        return found

    def ledger_id(self) -> str:
        with self._database.reading() as db:
            return str(db.execute("SELECT ledger_id FROM hub").fetchone()[0])

    def commits(self, repository: str) -> "CommitsOf":
        return CommitsOf(self._database, repository)

    def refill(self) -> None:
        """Nothing of what was published is on the Hub any more."""
        with self._database.writing() as db:
            _refill(db)

    def waiting(self) -> Waiting:
        with self._database.reading() as db:
            return Waiting(*db.execute("SELECT count(*), min(since) FROM unpublished").fetchone())

    def has(self, kinds: Iterable[str]) -> bool:
        """Does a row of one of these kinds wait?"""
        with self._database.reading() as db:
            where = "kind IN (SELECT value FROM json_each(?))"
            return bool(db.execute(f"SELECT 1 FROM unpublished WHERE {where} LIMIT 1", (_json(kinds),)).fetchone())

    def take(self, most: int, kinds: Iterable[str]) -> Batch:
        """The oldest unpublished rows of these kinds; all decisions and withdrawals are among them, or none.

        They stay in the outbox, as having been sent.
        """
        chosen = (
            "(SELECT seq, kind, id FROM unpublished WHERE kind IN (SELECT value FROM json_each(:whole)) UNION "
            "SELECT * FROM (SELECT seq, kind, id FROM unpublished WHERE kind IN (SELECT value FROM json_each(:kinds)) "
            "ORDER BY seq LIMIT :most))"
        )
        wanted = list(kinds)
        values = {"most": most, "kinds": _json(wanted), "whole": _json(kind for kind in wanted if kind in WHOLE)}
        rows: Rows = {}
        with self._database.writing() as db:
            places = {seq for (seq,) in db.execute(f"SELECT seq FROM {chosen}", values)}
            dangling = set(places)
            for kind in wanted:
                names = [name for name, _ in columns(db, kind)]
                found = db.execute(
                    f"SELECT u.seq, {', '.join(f't.{name}' for name in names)} FROM {chosen} u "
                    f"JOIN {kind} t ON u.kind = '{kind}' AND {KINDS[kind]} ORDER BY u.seq",
                    values,
                ).fetchall()
                if found:
                    rows[kind] = [dict(zip(names, cells, strict=True)) for _, *cells in found]
                    dangling -= {seq for seq, *_ in found}
            _delete(db, dangling)  # withdrawn since, or a decision that another process was quicker with
            kept = sorted(places - dangling)
            db.executemany("UPDATE unpublished SET tried = 1 WHERE seq = ? AND tried = 0", [(seq,) for seq in kept])
        return Batch(rows, kept)

    def published(self, batch: Batch, paths: Iterable[str], gone: Iterable[str] = ()) -> None:
        """The batch is on the Hub, in these shards. gone: shards whose rows are in others now."""
        with self._database.writing() as db:
            _delete(db, batch.places)
            _know(db, paths)
            db.executemany("DELETE FROM shards WHERE path = ?", [(path,) for path in gone])

    def known_shards(self) -> set[str]:
        with self._database.reading() as db:
            return {path for (path,) in db.execute("SELECT path FROM shards")}

    def merge(self, rows: Mapping[str, Sequence[Row]], paths: Iterable[str] = ()) -> None:
        """Take in rows from the Hub; paths: the shards they are from. What is there counts as published.

        Raises AnotherGame, and takes in nothing, if the repository's rounds are others than this ledger's, and the two
        never were one.
        """
        with self._database.writing() as db:
            for kind in KINDS:
                if kind in rows:
                    _MERGE[kind](db, kind, rows[kind])
            _know(db, paths)
        self._database.forget()

    def to_purge(self) -> set[str]:
        """Ids of what was withdrawn here and may be on the Hub still."""
        with self._database.reading() as db:
            return {gone for (gone,) in db.execute("SELECT id FROM to_purge")}

    def purged(self, ids: Iterable[str]) -> None:
        with self._database.writing() as db:
            db.executemany("DELETE FROM to_purge WHERE id = ?", [(gone,) for gone in ids])

    def withdrawn(self) -> set[str]:
        with self._database.reading() as db:
            return {gone for (gone,) in db.execute("SELECT id FROM withdrawals")}

    def columns(self, kind: str) -> list[tuple[str, str]]:
        """Names and SQLite types of a kind's columns."""
        with self._database.reading() as db:
            return columns(db, kind)

    # -- the dataset people load ------------------------------------------------------------------------

    def stale_rounds(self) -> dict[int, int]:
        """Closed rounds whose files are not what the rows say, and how often each was touched."""
        with self._database.reading() as db:
            found = db.execute("SELECT round, touched FROM stale_rounds JOIN rounds ON number = round ORDER BY round")
            return dict(found.fetchall())

    def written(self, rounds: Mapping[int, int], counts: Mapping[int, Counts]) -> None:
        """These rounds' files are on the Hub, as the rows were when stale_rounds gave them."""
        with self._database.writing() as db:
            db.executemany("DELETE FROM stale_rounds WHERE round = ? AND touched = ?", rounds.items())
            for number, of_round in counts.items():
                values = number, json.dumps(of_round.splits), json.dumps(of_round.digits)
                db.execute("INSERT OR REPLACE INTO round_files VALUES (?, ?, ?)", values)

    def written_counts(self) -> dict[int, Counts]:
        """What the files of each round hold, as `written` was told."""
        with self._database.reading() as db:
            rows = db.execute("SELECT round, splits, digits FROM round_files").fetchall()
        return {number: _counts(splits, digits) for number, splits, digits in rows}


class CommitsOf:
    """flagging.pace.Commits of a repository, shared by all processes on this ledger."""

    def __init__(self, database: Database, repository: str) -> None:
        self._database = database
        self._repository = repository

    def recent(self, now: float) -> list[float]:
        with self._database.reading() as db:
            rows = db.execute("SELECT at FROM commits WHERE repository = ? ORDER BY at", (self._repository,)).fetchall()
        if any(not now - HOUR < at <= now for (at,) in rows):
            with self._database.writing() as db:
                # After a clock went back, commits seem to be still to come: they were made by now.
                db.execute("UPDATE commits SET at = :now WHERE at > :now", {"now": now})
                db.execute("DELETE FROM commits WHERE at <= ?", (now - HOUR,))
        return [min(at, now) for (at,) in rows if at > now - HOUR]

    def add(self, commits: Mapping[str, float]) -> None:
        with self._database.writing() as db:
            rows = [(self._repository, name, at) for name, at in commits.items()]
            db.executemany("INSERT OR IGNORE INTO commits VALUES (?, ?, ?)", rows)

    def rename(self, before: str, after: str) -> None:
        with self._database.writing() as db:
            names = {"repository": self._repository, "before": before, "after": after}
            db.execute(
                "UPDATE OR REPLACE commits SET id = :after WHERE repository = :repository AND id = :before", names
            )


@lru_cache(maxsize=10_000)
def _counts(splits: str, digits: str) -> Counts:
    """Of a round's files: asked for with every round that closes, and next to never another."""
    return Counts(json.loads(splits), json.loads(digits))


def columns(db: Connection, kind: str) -> list[tuple[str, str]]:
    """Without `seq`: the order in which rows came in here is no property of theirs."""
    return [(name, of) for _, name, of, *_ in db.execute(f"PRAGMA table_info({kind})") if name != "seq"]


def _refill(db: Connection) -> None:
    keys = {kind: columns(db, kind)[0][0] for kind in KINDS} | {"votes": "attempt_id || ' ' || annotator"}
    for table in ("shards", "unpublished", "round_files"):
        db.execute(f"DELETE FROM {table}")
    for kind, key in keys.items():
        since = "closed_at" if kind == "rounds" else "created_at"
        db.execute(
            f"INSERT INTO unpublished (kind, id, since) SELECT '{kind}', {key}, {since} FROM {kind} ORDER BY {since}"
        )
    standings.touch_all(db)


def _json(names: Iterable[str]) -> str:
    return json.dumps(list(names))


def _delete(db: Connection, places: Iterable[int]) -> None:
    db.executemany("DELETE FROM unpublished WHERE seq = ?", [(seq,) for seq in places])


def _know(db: Connection, paths: Iterable[str]) -> None:
    db.executemany("INSERT OR IGNORE INTO shards VALUES (?)", [(path,) for path in paths])


def _on_hub(db: Connection, kind: str, key: object) -> None:
    db.execute("DELETE FROM unpublished WHERE kind = ? AND id = ?", (kind, str(key)))


def _merge_withdrawals(db: Connection, kind: str, rows: Sequence[Row]) -> None:
    for row in rows:
        db.execute("INSERT OR IGNORE INTO withdrawals VALUES (:id, :created_at)", row)
        erase(db, row["id"])
        _on_hub(db, kind, row["id"])


def _merge_tries(db: Connection, kind: str, rows: Sequence[Row]) -> None:
    for row in rows:
        try_id = row["try_id"]
        if is_withdrawn(db, try_id):
            continue
        standings.count_try(db, try_id, -1)
        if _keep_first(db, kind, ("try_id",), row):
            _on_hub(db, kind, try_id)
        standings.count_try(db, try_id, +1)


def _merge_attempts(db: Connection, kind: str, rows: Sequence[Row]) -> None:
    for row in rows:
        attempt_id = row["attempt_id"]
        if is_withdrawn(db, attempt_id) or is_withdrawn(db, row["try_id"]):
            continue
        if not db.execute("SELECT 1 FROM attempts WHERE attempt_id = ?", (attempt_id,)).fetchone():
            standings.count_try(db, row["try_id"], -1)
            decisions.insert(db, "attempts", row)
            standings.count_try(db, row["try_id"], +1)
            standings.restand(db, attempt_id)
        _on_hub(db, kind, attempt_id)


def _merge_marks(db: Connection, kind: str, rows: Sequence[Row]) -> None:
    """Retractions, votes, hidings: what was said of an attempt, which may be here already or come later."""
    for row in rows:
        attempt_id = row["attempt_id"]
        if is_withdrawn(db, attempt_id):
            continue
        before = db.total_changes
        holds = _keep_first(db, kind, _KEYS[kind], row)
        is_news = db.total_changes != before
        if holds:
            _on_hub(db, kind, " ".join(row[name] for name in _KEYS[kind]))
        if is_news and db.execute("SELECT 1 FROM attempts WHERE attempt_id = ?", (attempt_id,)).fetchone():
            standings.restand(db, attempt_id)


def _merge_promotions(db: Connection, kind: str, rows: Sequence[Row]) -> None:
    for row in rows:
        db.execute("DELETE FROM promotions WHERE number = ?", (row["number"],))
        decisions.insert(db, "promotions", row)
        _on_hub(db, kind, row["number"])


def _merge_rounds(db: Connection, kind: str, rows: Sequence[Row]) -> None:
    """A round that is closed on the Hub is closed that way: what was decided here meanwhile, by a process that could not
    know, is given up, with all that was decided after it."""
    names = [name for name, _ in columns(db, kind)]
    gave_up = False
    for row in sorted(rows, key=lambda row: int(row["number"])):
        here = db.execute(f"SELECT {', '.join(names)} FROM rounds WHERE number = ?", (row["number"],)).fetchone()
        if here and dict(zip(names, here, strict=True)) != row:
            if not db.execute("SELECT joined FROM hub").fetchone()[0]:
                raise AnotherGame(
                    f"the repository holds another game: its round {row['number']} was {row['decision']} with weights "
                    f"{row['weights_id']}, this folder's was not; set HOODWINK_HUB_DATASET to this game's repository or an "
                    "empty one, or HOODWINK_HOME to an empty folder"
                )
            decisions.give_up(db, row["number"])
            gave_up, here = True, None
        if not here:
            decisions.insert(db, "rounds", row)
            decisions.use(db, row["number"])
            standings.touch(db, row["number"])
        _on_hub(db, kind, row["number"])
    if gave_up:
        decisions.recharge(db)


_MERGE = {
    "withdrawals": _merge_withdrawals,
    "tries": _merge_tries,
    "attempts": _merge_attempts,
    "retractions": _merge_marks,
    "votes": _merge_marks,
    "hidings": _merge_marks,
    "promotions": _merge_promotions,
    "rounds": _merge_rounds,
}


def _keep_first(db: Connection, kind: str, key: Sequence[str], row: Row) -> bool:
    """Of two rows with one key the earlier holds, whichever came in first. Is it this one?"""
    where = " AND ".join(f"{name} = :{name}" for name in key)
    names = [name for name, _ in columns(db, kind)]
    here = db.execute(f"SELECT {', '.join(names)} FROM {kind} WHERE {where}", row).fetchone()
    if here:
        mine = dict(zip(names, here, strict=True))
        if mine == row:
            return True
        if _order(mine) < _order(row):
            return False
        db.execute(f"DELETE FROM {kind} WHERE {where}", row)
    decisions.insert(db, kind, row)
    return True


def _order(row: Row) -> tuple[str, str]:
    return str(row["created_at"]), repr(sorted(row.items()))
