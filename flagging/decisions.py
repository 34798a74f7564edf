"""Rounds, the decisions that close them, and promotions: the rows, and the queries over them.

The functions work inside a transaction that flagging.ledger has opened.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from sqlite3 import Connection
from typing import Any, Literal

from flagging import standings
from flagging.attempts import Refused
from flagging.database import LedgerUnavailable

DecisionKind = Literal["promoted", "refused", "rolled back"]


# As round_counts has them, in the order of RoundCounts.
_COUNTS = "coalesce(tries, 0), coalesce(attempt, 0), coalesce(fooling, 0), coalesce(verified, 0), coalesce(pending, 0)"


@dataclass(frozen=True)
class RoundCounts:
    """verified: of the fooling attempts, those the votes confirmed; pending: those not decided yet."""

    tries: int = 0
    attempts: int = 0
    fooling: int = 0
    verified: int = 0
    pending: int = 0


@dataclass(frozen=True)
class Promotion:
    number: int
    weights_id: str
    reason: str
    created_at: str


@dataclass(frozen=True)
class OpenRound:
    """The round that is being played.

    usable: fooling drawings of all rounds that may be learnt from: with a quorum only verified ones;
    ready: those of them on which no decision rested yet.
    """

    number: int
    promotion: int
    weights_id: str
    counts: RoundCounts
    ready: int
    usable: int
    quorum: int


@dataclass(frozen=True)
class ClosedRound:
    number: int
    decision: DecisionKind
    reason: str
    weights_id: str
    promotion: int
    figures: dict[str, Any]
    test_set: list[str]
    closed_at: str
    counts: RoundCounts


def promotions(db: Connection) -> list[Promotion]:
    rows = db.execute("SELECT number, weights_id, reason, created_at FROM promotions ORDER BY number")
    return [Promotion(*row) for row in rows]


def served(db: Connection) -> Promotion:
    row = db.execute(
        "SELECT number, weights_id, reason, created_at FROM promotions ORDER BY number DESC LIMIT 1"
    ).fetchone()
    if row is None:
        raise LedgerUnavailable("the ledger has no promotion yet; start the app once, it serves the round-0 weights")
    return Promotion(*row)


def round_of(db: Connection, promotion: int) -> int:
    """The round a drawing answered by this promotion belongs to.

    A server notices a promotion a moment after it is made. What the old weights answered in between is
    charged to the round they served, not to their successor's.
    """
    ended = db.execute(
        "SELECT number FROM rounds WHERE promotion = ? AND decision <> 'refused'", (promotion + 1,)
    ).fetchone()
    return int(ended[0]) if ended else _open_number(db)


def open_round(db: Connection) -> OpenRound:
    now, number = served(db), _open_number(db)
    counts = db.execute(f"SELECT {_COUNTS} FROM round_counts WHERE round = ?", (number,)).fetchone()
    # Sums over rounds, not over attempts: a few hundred rows at most.
    ready, usable = db.execute("SELECT coalesce(sum(ready), 0), coalesce(sum(usable), 0) FROM round_counts").fetchone()
    quorum = standings.quorum(db)
    return OpenRound(number, now.number, now.weights_id, RoundCounts(*(counts or ())), ready, usable, quorum)


def closed_rounds(db: Connection, newest: int = -1) -> list[ClosedRound]:
    """The newest decisions, oldest first; -1: all of them."""
    rows = db.execute(
        f"SELECT number, decision, reason, weights_id, promotion, figures, test_set, closed_at, {_COUNTS} "
        "FROM rounds LEFT JOIN round_counts ON round = number "
        "ORDER BY number DESC LIMIT ?",
        (newest,),
    ).fetchall()
    return [_closed_round(*row) for row in reversed(rows)]


def close_round(
    db: Connection,
    decision: DecisionKind,
    reason: str,
    weights_id: str,
    figures: dict[str, Any],
    began: OpenRound,
    used: Iterable[str],
    test_set: Sequence[str],
    now: str,
) -> None:
    """Close the open round: decision, promotion and frozen test set.

    Raises Refused if another decision was made since `began` was read.
    """
    current = open_round(db)
    if (current.number, current.promotion, current.weights_id) != (began.number, began.promotion, began.weights_id):
        raise Refused(f"round {began.number} was closed by somebody else meanwhile; this decision was not recorded")
    promotion = current.promotion
    if decision != "refused":
        promotion += 1
        db.execute("INSERT INTO promotions VALUES (?, ?, ?, ?)", (promotion, weights_id, decision, now))
    # A drawing withdrawn meanwhile is gone, and one that served before stays with the decision it served first.
    fresh = db.execute(
        "SELECT a.attempt_id FROM json_each(?) JOIN attempts a ON a.attempt_id = value "
        "WHERE NOT EXISTS (SELECT 1 FROM uses u WHERE u.attempt_id = a.attempt_id) ORDER BY a.seq",
        (json.dumps(list(used)),),
    ).fetchall()
    row = {
        "number": current.number,
        "decision": decision,
        "reason": reason,
        "weights_id": weights_id,
        "promotion": promotion,
        "figures": json.dumps(figures),
        "test_set": json.dumps(list(test_set)),
        "used": json.dumps([attempt_id for (attempt_id,) in fresh]),
        "closed_at": now,
    }
    insert(db, "rounds", row)
    use(db, current.number)


def use(db: Connection, number: int) -> None:
    """Take in which drawings the decision of a round was the first to rest on."""
    used = db.execute(
        "SELECT value FROM rounds, json_each(rounds.used) WHERE number = ? AND value NOT IN (SELECT id FROM withdrawals)",
        (number,),
    ).fetchall()
    for (attempt_id,) in used:
        db.execute(
            "INSERT INTO uses VALUES (?, ?) ON CONFLICT DO UPDATE SET round = min(round, excluded.round)",
            (attempt_id, number),
        )
        if db.execute("SELECT 1 FROM standings WHERE attempt_id = ? AND ready = 1", (attempt_id,)).fetchone():
            standings.restand(db, attempt_id)


def give_up(db: Connection, number: int) -> None:
    """Undo the decisions from this round on: another process closed it first, and had it on the Hub first.

    Their drawings are ready again, unless the other's decision rests on them too.
    """
    kept = "SELECT count(*) FROM rounds WHERE number < ? AND decision <> 'refused'"  # promotions have no gaps
    last = db.execute(kept, (number,)).fetchone()[0]
    db.execute(
        "DELETE FROM promotions WHERE number > ? AND CAST(number AS TEXT) IN "
        "(SELECT id FROM unpublished WHERE kind = 'promotions')",
        (last,),
    )
    freed = db.execute("DELETE FROM uses WHERE round >= ? RETURNING attempt_id", (number,)).fetchall()
    db.execute("DELETE FROM rounds WHERE number >= ?", (number,))
    for (attempt_id,) in freed:
        if db.execute("SELECT 1 FROM attempts WHERE attempt_id = ?", (attempt_id,)).fetchone():
            standings.restand(db, attempt_id)


def recharge(db: Connection) -> None:
    """After decisions were given up, what was drawn in the rounds they opened belongs to the round that is open now.

    None of it is on the Hub: a round goes there before what is drawn after it.
    """
    now = _open_number(db)
    late = "round > ? AND {key} IN (SELECT id FROM unpublished WHERE kind = '{table}')"
    for table, key in (("tries", "try_id"), ("attempts", "attempt_id")):
        where = late.format(table=table, key=key)
        ids = db.execute(f"SELECT {key}, try_id FROM {table} WHERE {where}", (now,)).fetchall()
        for row_id, try_id in ids:
            standings.count_try(db, try_id, -1)
            db.execute(f"UPDATE {table} SET round = ? WHERE {key} = ?", (now, row_id))
            standings.count_try(db, try_id, +1)
            if table == "attempts":
                standings.restand(db, row_id)


def insert(db: Connection, table: str, row: dict[str, Any]) -> None:
    """Add a row, its columns by name."""
    marks = ", ".join(f":{name}" for name in row)
    db.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", row)


def _open_number(db: Connection) -> int:
    return int(db.execute("SELECT coalesce(max(number), 0) + 1 FROM rounds").fetchone()[0])


def _closed_round(
    number: int,
    decision: DecisionKind,
    reason: str,
    weights_id: str,
    promotion: int,
    figures: str,
    test_set: str,
    closed_at: str,
    *counts: int,
) -> ClosedRound:
    return ClosedRound(
        number,
        decision,
        reason,
        weights_id,
        promotion,
        json.loads(figures),
        json.loads(test_set),
        closed_at,
        RoundCounts(*counts),
    )
