"""What must be true of a data folder after every fault. Each check gives its problems, a sentence each."""

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.faults.players import Book, Told
from flagging import standings
from model.served import Snapshot
from model.weights import WeightsDamaged, load_weights

TOTALS = ("uses", "standings", "round_counts", "scores", "pair_counts")
SHOWN = 3  # of a kind of problem, at most


def check_ledger(path: Path, told: Mapping[str, Told], retracted: Iterable[str], book: Book) -> list[str]:
    """told, retracted: what was acknowledged before this is called. book: what was sent; read after the ledger."""
    with closing(sqlite3.connect(path, timeout=30)) as db, closing(sqlite3.connect(":memory:")) as copy:
        sound = db.execute("PRAGMA integrity_check").fetchone()[0]
        db.backup(copy)
        problems = [] if sound == "ok" else [f"the ledger is damaged: {sound}"]
        problems += check_attempts(copy, told, retracted, book)
        problems += check_numbers(copy)
        problems += check_totals(copy)
    return problems


def check_attempts(db: sqlite3.Connection, told: Mapping[str, Told], retracted: Iterable[str], book: Book) -> list[str]:
    rows = db.execute("SELECT attempt_id, try_id, label, prediction, weights_id FROM attempts").fetchall()
    there = {row[0]: row[1:] for row in rows}
    tries = [row[1] for row in rows]
    lost = [f"attempt {one} was acknowledged and is not in the ledger" for one in told if one not in there]
    changed = [
        f"attempt {one} is in the ledger as {there[one]}, not as it was acknowledged"
        for one, as_told in told.items()
        if one in there and there[one] != (as_told.try_id, as_told.label, as_told.prediction, as_told.weights_id)
    ]
    twice = [f"try {one} was recorded {tries.count(one)} times" for one in _twice(tries)]
    strange = [f"attempt {row[0]} was sent by nobody" for row in rows if row[1] not in book.sent]
    other = [
        f"attempt {row[0]} was sent as a {book.sent[row[1]]} and recorded as a {row[2]}"
        for row in rows
        if book.sent.get(row[1], row[2]) != row[2]
    ]
    refused = [f"try {one} was refused, and is in the ledger" for one in set(tries) & book.refused]
    taken_back = {row[0] for row in db.execute("SELECT attempt_id FROM retractions")}
    kept = [f"attempt {one} was taken back, and counts" for one in retracted if one not in taken_back]
    return [problem for kind in (lost, changed, twice, strange, other, refused, kept) for problem in kind[:SHOWN]]


def _twice(names: list[str]) -> set[str]:
    seen: set[str] = set()
    return {name for name in names if name in seen or seen.add(name)}  # type: ignore[func-returns-value]


def check_numbers(db: sqlite3.Connection) -> list[str]:
    """Rounds and promotions without gaps; every attempt answered by weights that were served, under their number."""
    promotions = db.execute("SELECT number, weights_id FROM promotions ORDER BY number").fetchall()
    rounds = db.execute("SELECT number, decision, weights_id, promotion FROM rounds ORDER BY number").fetchall()
    problems = []
    if [number for number, _ in promotions] != list(range(len(promotions))):
        problems.append(f"promotions are numbered {[number for number, _ in promotions]}")
    if [row[0] for row in rounds] != list(range(1, len(rounds) + 1)):
        problems.append(f"rounds are numbered {[row[0] for row in rounds]}")
    made = [(promotion, weights_id) for _, decision, weights_id, promotion in rounds if decision != "refused"]
    if made != promotions[1:]:
        problems.append(f"rounds say {made} was promoted, the promotions {promotions[1:]}")
    strange = db.execute(
        "SELECT count(*) FROM attempts a LEFT JOIN promotions p ON p.number = a.promotion "
        "WHERE p.weights_id IS NOT a.weights_id"
    ).fetchone()[0]
    if strange:
        problems.append(f"{strange} attempts were answered by weights that were not served under their promotion")
    return problems


def check_totals(copy: sqlite3.Connection) -> list[str]:
    """The running totals against a recount from the rows; in a copy, which this changes."""
    before = {table: _rows(copy, table) for table in TOTALS}
    standings.recount(copy)
    return [
        f"{table} says {sorted(map(str, before[table] ^ counted))[:SHOWN]} where a recount differs"
        for table in TOTALS
        if before[table] != (counted := _rows(copy, table))
    ]


def _rows(db: sqlite3.Connection, table: str) -> set[tuple[Any, ...]]:
    rows = set(db.execute(f"SELECT * FROM {table}").fetchall())
    # A round or a person whose counts have all gone back to 0 has a row, which a recount does not make.
    return rows if table in ("uses", "standings") else {row for row in rows if _counts(table, row)}


def _counts(table: str, row: tuple[Any, ...]) -> bool:
    return any(row[2:] if table == "pair_counts" else row[1:])


def check_served(home: Path, status: Mapping[str, Any]) -> list[str]:
    """status: as a server gives it. It serves the newest promotion, whose file is complete."""
    with closing(sqlite3.connect(home / "ledger.sqlite", timeout=30)) as db:
        newest = db.execute("SELECT number, weights_id FROM promotions ORDER BY number DESC LIMIT 1").fetchone()
    if (status.get("promotion"), status.get("weights_id")) != newest:
        return [f"the newest promotion is {newest}, served are {status.get('weights_id')} as {status.get('promotion')}"]
    return check_file(home, newest[1])


def check_file(home: Path, weights_id: str) -> list[str]:
    try:
        load_weights(home / "weights", weights_id)
    except WeightsDamaged as error:
        return [f"the served weights are not whole: {error}"]
    return []


def check_answer(snapshot: Snapshot, told: Told) -> list[str]:
    """snapshot: of a copy of the weights, taken when they were whole, that are said to have given this answer."""
    seen = snapshot.answer(told.strokes).prediction
    if seen != told.prediction:
        return [f"weights {told.weights_id} read attempt {told.attempt_id} as a {seen}; the app said {told.prediction}"]
    return []
