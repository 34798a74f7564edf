"""The SQLite file under the ledger: connections, transactions, schema."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flagging import standings

ROWS, CACHES = (Path(__file__).with_name(name) for name in ("schema.sql", "caches.sql"))
SCHEMA_VERSION = 2
# What decisions had used was kept as a number of the newest attempt in version 1, and judging was not there.
FROM_VERSION_1 = """
INSERT INTO uses SELECT attempt_id, (SELECT min(number) FROM rounds WHERE used_seq >= seq)
    FROM attempts WHERE model_wrong = 1 AND seq <= (SELECT max(used_seq) FROM rounds);
ALTER TABLE rounds DROP COLUMN used_seq;
DROP TABLE round_counts;
DROP INDEX attempts_by_use;
"""
BUSY_SECONDS = 15.0


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
        path.parent.mkdir(parents=True, exist_ok=True)
        self._create()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that nobody else writes beside; undone as a whole if anything is raised in it."""
        with self._translated():
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

    def forget(self) -> None:
        """Empty the write-ahead log: after a deletion it still holds the pages as they were.

        Raises LedgerUnavailable if somebody read all the while.
        """
        with self._translated():
            busy = self._connection().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if busy:
            raise LedgerUnavailable(
                "the drawings are deleted, but a copy is left in the write-ahead log while another process reads it; "
                "withdraw once more in a moment"
            )

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
            db.execute("PRAGMA foreign_keys = ON")
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
                migration = FROM_VERSION_1 if version == 1 else ""
                for statement in (ROWS.read_text() + migration + CACHES.read_text()).split(";\n"):
                    db.execute(statement)
                standings.recount(db)
                db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise LedgerUnavailable(
                f"the ledger {self._path.name} could not be used ({error}); nothing was saved, try again in a moment"
            ) from error
