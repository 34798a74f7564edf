"""Withdrawing: the one exception to rows that are only added.

What is left of a withdrawn try or attempt is its id, so that no copy of it that comes back, from the Hub or from another
Space, is taken in again. The functions work inside a transaction that flagging.ledger or flagging.outbox has opened.
"""

from collections.abc import Iterable
from sqlite3 import Connection

from flagging import standings


def withdraw(db: Connection, ids: Iterable[str], now: str) -> None:
    """Really delete these tries and attempts, and everything said of them, here and from now on wherever they turn up."""
    for gone in ids:
        db.execute("INSERT OR IGNORE INTO withdrawals VALUES (?, ?)", (gone, now))
        erase(db, gone)


def erase(db: Connection, gone: str) -> None:
    """Delete a try or an attempt by its id, with the votes and marks on it."""
    row = db.execute("SELECT try_id FROM attempts WHERE attempt_id = ?", (gone,)).fetchone()
    try_id = row[0] if row else gone
    standings.count_try(db, try_id, -1)
    standings.drop(db, gone)
    for table in ("attempts", "retractions", "votes", "hidings", "uses", "likenesses"):
        db.execute(f"DELETE FROM {table} WHERE attempt_id = ?", (gone,))
    db.execute("DELETE FROM tries WHERE try_id = ?", (gone,))
    standings.count_try(db, try_id, +1)


def is_withdrawn(db: Connection, gone: str) -> bool:
    return db.execute("SELECT 1 FROM withdrawals WHERE id = ?", (gone,)).fetchone() is not None
