"""Rounds, the decisions that close them, and promotions: the rows, and the queries over them.

The functions work inside a transaction that flagging.ledger has opened.
"""

import json
from dataclasses import dataclass
from sqlite3 import Connection
from typing import Any, Literal

from flagging.attempts import Refused
from flagging.database import LedgerUnavailable

DecisionKind = Literal["promoted", "refused", "rolled back"]
NOT_RETRACTED = "attempt_id NOT IN (SELECT attempt_id FROM retractions)"


@dataclass(frozen=True)
class RoundCounts:
    tries: int = 0
    attempts: int = 0
    fooling: int = 0


@dataclass(frozen=True)
class Promotion:
    number: int
    weights_id: str
    reason: str
    created_at: str


@dataclass(frozen=True)
class OpenRound:
    """The round that is being played.

    ready: fooling drawings, of any round, that the last decision had not used; last_seq: the newest attempt.
    """

    number: int
    promotion: int
    weights_id: str
    counts: RoundCounts
    ready: int
    fooling_total: int  # over all rounds
    last_seq: int


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
    counts = db.execute("SELECT tries, attempts, fooling FROM round_counts WHERE round = ?", (number,)).fetchone()
    # Sums over rounds, not over attempts: a few hundred rows at most.
    ready, fooling_total = db.execute(
        "SELECT coalesce(sum(unused), 0), coalesce(sum(fooling), 0) FROM round_counts"
    ).fetchone()
    last_seq = db.execute("SELECT coalesce(max(seq), 0) FROM attempts").fetchone()[0]
    return OpenRound(number, now.number, now.weights_id, RoundCounts(*(counts or ())), ready, fooling_total, last_seq)


def closed_rounds(db: Connection, *, newest_only: bool = False) -> list[ClosedRound]:
    """Every decision so far, oldest first."""
    rows = db.execute(
        "SELECT number, decision, reason, weights_id, promotion, figures, test_set, closed_at, "
        "coalesce(tries, 0), coalesce(attempts, 0), coalesce(fooling, 0) "
        "FROM rounds LEFT JOIN round_counts ON round = number "
        f"ORDER BY number {'DESC LIMIT 1' if newest_only else ''}"
    )
    return [_closed_round(*row) for row in rows]


def close_round(
    db: Connection,
    decision: DecisionKind,
    reason: str,
    weights_id: str,
    figures: dict[str, Any],
    began: OpenRound,
    now: str,
) -> None:
    """Close the open round: decision, promotion and frozen test set.

    Raises Refused if another decision was made since `began` was read.
    """
    current = open_round(db)
    if (current.number, current.promotion) != (began.number, began.promotion):
        raise Refused(f"round {began.number} was closed by somebody else meanwhile; this decision was not recorded")
    promotion = current.promotion
    if decision != "refused":
        promotion += 1
        db.execute("INSERT INTO promotions VALUES (?, ?, ?, ?)", (promotion, weights_id, decision, now))
    test_set = db.execute(
        f"SELECT attempt_id FROM attempts WHERE round = ? AND split = 'test' AND model_wrong = 1 AND {NOT_RETRACTED} "
        "ORDER BY seq",
        (current.number,),
    )
    row = {
        "number": current.number,
        "decision": decision,
        "reason": reason,
        "weights_id": weights_id,
        "promotion": promotion,
        "used_seq": used_seq(db) if decision == "rolled back" else began.last_seq,
        "figures": json.dumps(figures),
        "test_set": json.dumps([attempt_id for (attempt_id,) in test_set]),
        "closed_at": now,
    }
    insert(db, "rounds", row)
    recount_unused(db)


def count(db: Connection, number: int, *, tries: int = 0, attempts: int = 0, fooling: int = 0, unused: int = 0) -> None:
    """Add to the running totals of a round."""
    db.execute(
        "INSERT INTO round_counts VALUES (?, ?, ?, ?, ?) ON CONFLICT (round) DO UPDATE SET tries = tries + excluded.tries, "
        "attempts = attempts + excluded.attempts, fooling = fooling + excluded.fooling, unused = unused + excluded.unused",
        (number, tries, attempts, fooling, unused),
    )


def recount(db: Connection) -> None:
    """Rebuild the running totals from the rows they count."""
    db.execute("DELETE FROM round_counts")
    # A try that was submitted a round after it was begun is a try of both, see Ledger.record_attempt.
    db.execute(
        "INSERT INTO round_counts (round, tries) SELECT round, count(*) FROM (SELECT round FROM tries UNION ALL "
        "SELECT a.round FROM attempts a JOIN tries t USING (try_id) WHERE a.round <> t.round) GROUP BY round"
    )
    rows = db.execute(
        f"SELECT round, count(*), sum(model_wrong) FROM attempts WHERE {NOT_RETRACTED} GROUP BY round"
    ).fetchall()
    for number, attempts, fooling in rows:
        count(db, number, attempts=attempts, fooling=fooling)
    recount_unused(db)


def recount_unused(db: Connection) -> None:
    db.execute("UPDATE round_counts SET unused = 0")
    rows = db.execute(
        f"SELECT round, count(*) FROM attempts WHERE seq > ? AND model_wrong = 1 AND {NOT_RETRACTED} GROUP BY round",
        (used_seq(db),),
    ).fetchall()
    for number, unused in rows:
        count(db, number, unused=unused)


def used_seq(db: Connection) -> int:
    """The newest attempt the last decision had used."""
    row = db.execute("SELECT used_seq FROM rounds ORDER BY number DESC LIMIT 1").fetchone()
    return int(row[0]) if row else 0


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
