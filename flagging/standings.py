"""The caches: what the rows about each attempt add up to, and the totals over attempts.

One function, `restand`, works out the standing of an attempt from its rows and moves every total by the
difference; whoever adds a row about an attempt calls it in the same transaction. The functions work inside a
transaction that flagging.ledger has opened.
"""

from sqlite3 import Connection
from typing import Any

from flagging.judging import judge

COUNTED = ("attempt", "fooling", "verified", "pending", "usable", "ready")
_ROWS = """
SELECT a.attempt_id, a.seq, a.round, a.annotator, a.label, a.prediction, a.model_wrong,
    EXISTS (SELECT 1 FROM retractions r WHERE r.attempt_id = a.attempt_id)
    OR coalesce((SELECT h.hidden FROM hidings h WHERE h.attempt_id = a.attempt_id
        ORDER BY h.created_at DESC, h.hiding_id DESC LIMIT 1), 0),
    EXISTS (SELECT 1 FROM uses u WHERE u.attempt_id = a.attempt_id),
    EXISTS (SELECT 1 FROM likenesses l WHERE l.attempt_id = a.attempt_id AND l.is_new = 1)
FROM attempts a"""
# The rounds a try counts in: one that was submitted a round after it was begun is a try of both.
_TRIES = (
    "SELECT t.round FROM tries t {mine} UNION ALL "
    "SELECT a.round FROM tries t JOIN attempts a ON a.try_id = t.try_id AND a.round <> t.round {mine}"
)
_STAND = "INSERT OR REPLACE INTO standings VALUES (" + ", ".join("?" * 17) + ")"


def quorum(db: Connection) -> int:
    return int(db.execute("SELECT quorum FROM judging_rule").fetchone()[0])


def _rule(db: Connection) -> tuple[int, int]:
    """The quorum, and the one the states are made with: the last that was above 0."""
    row: tuple[int, int] = db.execute("SELECT quorum, judged_with FROM judging_rule").fetchone()
    return row


def restand(db: Connection, attempt_id: str) -> None:
    """Work out where an attempt stands now, and move the totals by what changed."""
    drop(db, attempt_id)
    row = db.execute(f"{_ROWS} WHERE a.attempt_id = ?", (attempt_id,)).fetchone()
    standing = _standing(db, row, *_rule(db))
    db.execute(_STAND, tuple(standing.values()))
    _add(db, standing, +1)
    touch(db, standing["round"])


def drop(db: Connection, attempt_id: str) -> None:
    """Take an attempt out of the totals."""
    columns = ("round", "annotator", "label", "prediction", "scored", *COUNTED)
    before = db.execute(f"SELECT {', '.join(columns)} FROM standings WHERE attempt_id = ?", (attempt_id,)).fetchone()
    if before:
        _add(db, dict(zip(columns, before, strict=True)), -1)
        touch(db, before[0])
        db.execute("DELETE FROM standings WHERE attempt_id = ?", (attempt_id,))


def count_try(db: Connection, try_id: str, sign: int) -> None:
    """Add a try to the totals, or take it out of them; around whatever changes it or its attempt."""
    for number in db.execute(_TRIES.format(mine="WHERE t.try_id = :try_id"), {"try_id": try_id}).fetchall():
        count(db, number[0], tries=sign)


def touch(db: Connection, number: int) -> None:
    """What the dataset people load says of this round is to be written anew."""
    db.execute(
        "INSERT INTO stale_rounds VALUES (?, 1) ON CONFLICT (round) DO UPDATE SET touched = touched + 1", (number,)
    )


def touch_all(db: Connection) -> None:
    for (number,) in db.execute("SELECT number FROM rounds UNION SELECT DISTINCT round FROM standings").fetchall():
        touch(db, number)


def recount(db: Connection) -> None:
    """Rebuild all of it from the rows."""
    for table in ("uses", "standings", "round_counts", "scores", "pair_counts"):
        db.execute(f"DELETE FROM {table}")
    db.execute(
        "INSERT INTO uses SELECT value, min(number) FROM rounds, json_each(rounds.used) "
        "WHERE value NOT IN (SELECT id FROM withdrawals) GROUP BY value"
    )
    db.execute(
        f"INSERT INTO round_counts (round, tries) SELECT round, count(*) FROM ({_TRIES.format(mine='')}) GROUP BY round"
    )
    rule = _rule(db)
    for row in db.execute(_ROWS).fetchall():
        db.execute(_STAND, tuple(_standing(db, row, *rule).values()))
    sums = ", ".join(f"sum({name})" for name in COUNTED)
    for number, *totals in db.execute(f"SELECT round, {sums} FROM standings GROUP BY round").fetchall():
        count(db, number, **dict(zip(COUNTED, totals, strict=True)))
    db.execute(
        "INSERT INTO scores SELECT annotator, sum(scored) FROM standings GROUP BY annotator HAVING sum(scored) > 0"
    )
    db.execute(
        "INSERT INTO pair_counts SELECT label, prediction, sum(fooling) FROM standings GROUP BY label, prediction "
        "HAVING sum(fooling) > 0"
    )
    touch_all(db)


def count(db: Connection, number: int, **by: int) -> None:
    """Move running totals of a round."""
    names = ", ".join(by)
    moved = ", ".join(f"{name} = {name} + excluded.{name}" for name in by)
    db.execute(
        f"INSERT INTO round_counts (round, {names}) VALUES (?{', ?' * len(by)}) ON CONFLICT (round) DO UPDATE SET {moved}",
        (number, *by.values()),
    )


def _standing(db: Connection, row: tuple[Any, ...], quorum: int, judged_with: int) -> dict[str, Any]:
    """A row of standings, by column."""
    attempt_id, seq, number, annotator, label, prediction, wrong, gone, used, is_new = row
    judged = None
    if wrong:
        votes = db.execute(
            "SELECT reading FROM votes WHERE attempt_id = ? ORDER BY created_at, annotator", (attempt_id,)
        )
        judged = judge(label, prediction, [reading for (reading,) in votes], judged_with)
    here = not gone
    usable = bool(judged and here and (quorum == 0 or judged.is_fooling))
    return {
        "attempt_id": attempt_id,
        "seq": seq,
        "round": number,
        "annotator": annotator,
        "label": label,
        "prediction": prediction,
        "state": judged.state if judged else None,
        "judged_label": judged.judged_label if judged else None,
        "lacking": judged.lacking if judged else 0,
        "gone": gone,
        "attempt": int(here),
        "fooling": int(bool(judged and here)),
        "verified": int(bool(judged and here and judged.is_fooling)),
        "pending": int(bool(judged and here and judged.state == "pending")),
        "usable": int(usable),
        "ready": int(usable and not used),
        "scored": int(usable and is_new),
    }


def _add(db: Connection, standing: dict[str, Any], sign: int) -> None:
    count(db, standing["round"], **{name: sign * standing[name] for name in COUNTED})
    if standing["scored"]:
        db.execute(
            "INSERT INTO scores VALUES (?, ?) ON CONFLICT (annotator) DO UPDATE SET points = points + excluded.points",
            (standing["annotator"], sign),
        )
    if standing["fooling"]:
        db.execute(
            "INSERT INTO pair_counts VALUES (?, ?, ?) ON CONFLICT (label, prediction) "
            "DO UPDATE SET fooling = fooling + excluded.fooling",
            (standing["label"], standing["prediction"], sign),
        )
