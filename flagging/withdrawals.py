"""Withdrawing: the one exception to rows that are only added.

What is left of a try or attempt that was published is its id, so that no copy of it that comes back, from the Hub or from another
Space, is taken in again. The functions work inside a transaction that flagging.ledger or flagging.outbox has opened.
"""

from collections.abc import Iterable
from sqlite3 import Connection

from flagging import standings


def withdraw(db: Connection, ids: Iterable[str], now: str) -> None:
    """Really delete these tries and attempts, and everything said of them, here and from now on wherever they turn up."""
    for gone in ids:
        if _may_be_on_the_hub(db, gone):
            db.execute("INSERT OR IGNORE INTO withdrawals VALUES (?, ?)", (gone, now))
            db.execute("INSERT OR IGNORE INTO to_purge VALUES (?)", (gone,))
        erase(db, gone)


def erase(db: Connection, gone: str) -> None:
    """Delete a try or an attempt by its id, with the votes and marks on it; with a try whatever was submitted from it."""
    rows = db.execute("SELECT attempt_id, try_id FROM attempts WHERE attempt_id = :id OR try_id = :id", {"id": gone})
    attempts = rows.fetchall()
    tries = {gone, *(try_id for _, try_id in attempts)}
    for try_id in tries:
        standings.count_try(db, try_id, -1)
    for attempt_id in {gone, *(attempt_id for attempt_id, _ in attempts)}:
        standings.drop(db, attempt_id)
        for table in ("attempts", "retractions", "votes", "hidings", "uses", "likenesses"):
            db.execute(f"DELETE FROM {table} WHERE attempt_id = ?", (attempt_id,))
        for kind in ("tries", "attempts", "retractions"):  # of votes and hidings Outbox.take finds out
            db.execute("DELETE FROM unpublished WHERE kind = ? AND id = ?", (kind, attempt_id))
    db.execute("DELETE FROM tries WHERE try_id = ?", (gone,))
    for try_id in tries:
        standings.count_try(db, try_id, +1)
    # The deleted pages are in the write-ahead log still: Database.forget.
    db.execute("INSERT OR IGNORE INTO chores VALUES ('forget')")


def _may_be_on_the_hub(db: Connection, gone: str) -> bool:
    """Not what was never sent: nobody else knows it, and nothing is to be deleted there."""
    if db.execute("SELECT repository FROM hub").fetchone()[0] is None:
        return False
    untried = "SELECT 1 FROM unpublished WHERE kind IN ('tries', 'attempts') AND id = ? AND tried = 0"
    return db.execute(untried, (gone,)).fetchone() is None


def is_withdrawn(db: Connection, gone: str) -> bool:
    return db.execute("SELECT 1 FROM withdrawals WHERE id = ?", (gone,)).fetchone() is not None
