"""The SQLite file under the ledger: connections, transactions, schema."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flagging import standings
from flagging.fair_lock import FairLock

ROWS, CACHES, HUB = (Path(__file__).with_name(name) for name in ("schema.sql", "caches.sql", "hub.sql"))
SCHEMA_VERSION = 3
# Older versions' tables are made anew. Version 1 kept what decisions had used as the number of the newest
# attempt and had no judging; version 2 let rows refer to rows, which what comes from the Hub in any order cannot.
_USED = {
    1: "SELECT attempt_id FROM attempts WHERE model_wrong = 1 AND seq <= old.used_seq "
    "AND seq > coalesce((SELECT max(used_seq) FROM old_rounds WHERE number < old.number), 0)",
    2: "SELECT attempt_id FROM old_uses WHERE round = old.number",
}
_COPIED = """
INSERT INTO attempts SELECT * FROM old_attempts;
INSERT INTO retractions SELECT * FROM old_retractions;
INSERT INTO rounds SELECT number, decision, reason, weights_id, promotion, figures, test_set,
    (SELECT json_group_array(attempt_id) FROM ({used})), closed_at FROM old_rounds old;
"""
_COPIED_FROM_2 = """
INSERT INTO votes SELECT attempt_id, annotator, reading, created_at FROM old_votes;
INSERT INTO hidings SELECT printf('%012d-', seq) || lower(hex(randomblob(8))), attempt_id, hidden, created_at FROM old_hidings;
INSERT INTO likenesses SELECT * FROM old_likenesses;
UPDATE judging_rule SET (quorum, judged_with) = (SELECT quorum, judged_with FROM old_judging_rule);
"""
BUSY_SECONDS = 15.0
MOST_LOG_PAGES = 10_000  # 40 MB; a running game tidies up long before


class LedgerUnavailable(RuntimeError):
    """The ledger could not be read or written (disk full, locked, damaged). Nothing was recorded."""


class Database:
    """One SQLite file, in WAL mode, that any number of threads and processes use at once.

    A transaction that was committed is on disk (synchronous=FULL). What SQLite raises comes out as
    LedgerUnavailable, with a sentence.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        # SQLite lets who waits to write sleep and try again, up to a tenth of a second: threads of one process take turns.
        self._writing = FairLock()
        self._emptying = threading.Lock()  # SQLite refuses at once whoever comes second
        path.parent.mkdir(parents=True, exist_ok=True)
        self._create()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that nobody else writes beside; undone as a whole if anything is raised in it."""
        with self._translated(), self._writing.turn(BUSY_SECONDS):
            db = self._connection()
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Reads of one state of the ledger."""
        with self._translated():
            db = self._connection()
            db.execute("BEGIN")
            try:
                yield db
            finally:
                db.execute("COMMIT")

    def forget(self) -> bool:
        """Empty the write-ahead log: after a deletion it still holds the pages as they were.

        False if somebody read, or another process emptied it, all the while; then it is to be called again, by whoever has time.
        """
        with self._translated(), self._emptying:
            db = self._connection()
            if db.execute("SELECT 1 FROM chores WHERE name = 'forget'").fetchone():
                if db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                    return False
                db.execute("DELETE FROM chores WHERE name = 'forget'")
        return True

    def tidy(self) -> None:
        """Move what was written from the write-ahead log to its place; SQLite would do it in the middle of somebody's submission."""
        with self._translated(), self._emptying:
            self._connection().execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        """Close this thread's connection."""
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is not None:
            db.close()
            self._local.db = None

    def _connection(self) -> sqlite3.Connection:
        """One connection a thread, opened when the thread first needs it."""
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is None:
            db = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute(f"PRAGMA wal_autocheckpoint = {MOST_LOG_PAGES}")
            db.execute("PRAGMA secure_delete = ON")  # what is withdrawn is overwritten, not only unlinked
            self._local.db = db
        return db

    def _create(self) -> None:
        with self.writing() as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                raise LedgerUnavailable(
                    f"{self._path} was written by a newer Hoodwink (ledger version {version}, this one reads "
                    f"{SCHEMA_VERSION}); update Hoodwink"
                )
            if version < SCHEMA_VERSION:
                _bring_up_to_date(db, version)
                db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, TimeoutError) as error:
            raise LedgerUnavailable(
                f"the ledger {self._path.name} could not be used ({error}); nothing was saved, try again in a moment"
            ) from error


def _bring_up_to_date(db: sqlite3.Connection, version: int) -> None:
    """Make the tables; those of an older version keep their rows."""
    old: list[str] = []
    if version:
        found = db.execute(
            "SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY type"
        ).fetchall()
        for kind, name in found:
            if kind == "index":
                db.execute(f"DROP INDEX {name}")
            elif name not in ("tries", "promotions"):
                db.execute(f"ALTER TABLE {name} RENAME TO old_{name}")
                old.append(f"old_{name}")
    _run(db, ROWS.read_text() + CACHES.read_text() + HUB.read_text())
    if version:
        _run(db, _COPIED.format(used=_USED[version]) + (_COPIED_FROM_2 if version == 2 else ""))
        for name in old:
            db.execute(f"DROP TABLE {name}")
    standings.recount(db)


def _run(db: sqlite3.Connection, script: str) -> None:
    """Statement by statement: executescript would end the transaction."""
    for statement in script.split(";\n"):
        db.execute(statement)
