"""The ledger: one SQLite file that every process of one data folder may use at once."""

import hashlib
import hmac
import io
import json
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from flagging.attempts import Answer, Attempt, Refused, Split, checked_label

SCHEMA_VERSION = 1
TEST_SHARE = 0.2
BUSY_SECONDS = 15.0
ATTEMPT_COLUMNS = (
    "attempt_id, strokes, image, label, prediction, probabilities, model_wrong, promotion, weights_id, round, "
    "annotator, split, raster_version, created_at"
)

_CLOSED_ROUNDS = (
    "SELECT number, decision, reason, weights_id, promotion, figures, test_set, closed_at, "
    "coalesce(tries, 0), coalesce(attempts, 0), coalesce(fooling, 0) "
    "FROM rounds LEFT JOIN round_counts ON round = number"
)

DecisionKind = Literal["promoted", "refused", "rolled back"]


class LedgerUnavailable(RuntimeError):
    """The ledger could not be read or written (disk full, locked, damaged). Nothing was recorded."""


@dataclass(frozen=True)
class RoundCounts:
    tries: int = 0
    attempts: int = 0
    fooling: int = 0


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


@dataclass(frozen=True)
class Promotion:
    number: int
    weights_id: str
    reason: str
    created_at: str


class Ledger:
    """Append-only record of tries, attempts, rounds and promotions.

    Every method may be called from any thread and any process. A method that records returns only after
    its transaction is on disk; if it raises, nothing was recorded.
    """

    def __init__(
        self, path: Path, annotator_key: bytes, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._path = path
        self._key = annotator_key
        self._clock = clock
        self._local = threading.local()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._create()

    # -- annotators -----------------------------------------------------------------------------------

    def annotator(self, token: str) -> str:
        """The name an annotator goes by in every row: a keyed hash of the token their browser keeps."""
        return self._keyed(f"annotator:{token}").hex()[:24]

    def _split(self, annotator: str, label: int, round_number: int) -> Split:
        """Fixed at birth; one hand's variants of a digit in a round fall on one side."""
        draw = int.from_bytes(self._keyed(f"split:{annotator}:{label}:{round_number}")[:8])
        return "test" if draw < TEST_SHARE * 2**64 else "train"

    def _keyed(self, text: str) -> bytes:
        return hmac.new(self._key, text.encode(), hashlib.sha256).digest()

    # -- tries and attempts ---------------------------------------------------------------------------

    def record_try(self, try_id: str, annotator: str, promotion: int) -> None:
        """A drawing was shown a prediction. The same try_id again changes nothing."""
        with self._writing() as db:
            self._add_try(db, try_id, annotator, promotion)

    def record_attempt(self, answer: Answer, label: object, annotator: str, try_id: str) -> Attempt:
        """Record a submitted drawing; it is on disk when this returns.

        A try that was submitted before gives the attempt recorded then, so a repeated request never counts
        twice. Raises Refused for a label that is no digit or another annotator's try, LedgerUnavailable if it
        could not be saved.
        """
        meant = checked_label(label)
        image = _png(answer)
        with self._writing() as db:
            owner = db.execute("SELECT annotator FROM tries WHERE try_id = ?", (try_id,)).fetchone()
            if owner and owner[0] != annotator:
                raise Refused("this drawing belongs to another annotator; clear the canvas and draw your own")
            earlier = db.execute(f"SELECT {ATTEMPT_COLUMNS} FROM attempts WHERE try_id = ?", (try_id,)).fetchone()
            if earlier:
                return _attempt(earlier)
            self._add_try(db, try_id, annotator, answer.promotion)
            number = self._round_of(db, answer.promotion)
            attempt = Attempt(
                attempt_id=str(uuid.uuid4()),
                strokes=json.dumps(answer.strokes, separators=(",", ":")),
                image=image,
                label=meant,
                prediction=answer.prediction,
                probabilities=list(answer.probabilities),
                model_wrong=answer.prediction != meant,
                promotion=answer.promotion,
                weights_id=answer.weights_id,
                round=number,
                annotator=annotator,
                split=self._split(annotator, meant, number),
                raster_version=answer.raster_version,
                created_at=self._now(),
            )
            values = {**vars(attempt), "probabilities": json.dumps(attempt.probabilities), "try_id": try_id}
            names = ", ".join(values)
            marks = ", ".join(f":{name}" for name in values)
            db.execute(f"INSERT INTO attempts ({names}) VALUES ({marks})", values)
            wrong = int(attempt.model_wrong)
            _count(db, number, attempts=1, fooling=wrong, unused=wrong)
        return attempt

    def retract(self, attempt_id: str, annotator: str) -> Attempt:
        """Take back one's own attempt: it stays in the ledger but counts nowhere. Twice is the same as once."""
        with self._writing() as db:
            row = db.execute(
                f"SELECT {ATTEMPT_COLUMNS}, seq FROM attempts WHERE attempt_id = ?", (attempt_id,)
            ).fetchone()
            if row is None:
                raise Refused(f"there is no attempt {attempt_id[:60]!r}; send the attempt_id that /submit gave")
            attempt, seq = _attempt(row[:-1]), row[-1]
            if attempt.annotator != annotator:
                raise Refused("this attempt is not yours; only who drew it can take it back")
            added = db.execute(
                "INSERT OR IGNORE INTO retractions (attempt_id, created_at) VALUES (?, ?)", (attempt_id, self._now())
            ).rowcount
            if added:
                wrong = int(attempt.model_wrong)
                unused = wrong if seq > _used_seq(db) else 0
                _count(db, attempt.round, attempts=-1, fooling=-wrong, unused=-unused)
        return attempt

    def attempts(self, *, split: Split | None = None, fooling_only: bool = False) -> Iterator[Attempt]:
        """Attempts that were not retracted, oldest first; read in one snapshot."""
        where = ["attempt_id NOT IN (SELECT attempt_id FROM retractions)"]
        if split is not None:
            where.append(f"split = '{split}'")
        if fooling_only:
            where.append("model_wrong = 1")
        with self._reading() as db:
            rows = db.execute(f"SELECT {ATTEMPT_COLUMNS} FROM attempts WHERE {' AND '.join(where)} ORDER BY seq")
            for row in rows:
                yield _attempt(row)

    def is_submitted(self, try_id: str) -> bool:
        with self._reading() as db:
            return db.execute("SELECT 1 FROM attempts WHERE try_id = ?", (try_id,)).fetchone() is not None

    # -- rounds and promotions ------------------------------------------------------------------------

    def start(self, weights_id: str) -> None:
        """Make these the first weights served, promotion 0, if nothing was ever served."""
        with self._writing() as db:
            db.execute(
                "INSERT OR IGNORE INTO promotions VALUES (0, ?, 'round-0 weights', ?)", (weights_id, self._now())
            )

    def served(self) -> Promotion:
        """The promotion with the highest number: what answers now."""
        with self._reading() as db:
            return _served(db)

    def promotions(self) -> list[Promotion]:
        with self._reading() as db:
            rows = db.execute("SELECT number, weights_id, reason, created_at FROM promotions ORDER BY number")
            return [Promotion(*row) for row in rows]

    def open_round(self) -> OpenRound:
        with self._snapshot() as db:
            return _open_round(db)

    def closed_rounds(self) -> list[ClosedRound]:
        """Every decision so far, oldest first."""
        with self._snapshot() as db:
            return [_closed_round(row) for row in db.execute(f"{_CLOSED_ROUNDS} ORDER BY number").fetchall()]

    def last_closed_round(self) -> ClosedRound | None:
        with self._snapshot() as db:
            row = db.execute(f"{_CLOSED_ROUNDS} ORDER BY number DESC LIMIT 1").fetchone()
        return _closed_round(row) if row else None

    def close_round(
        self,
        decision: DecisionKind,
        reason: str,
        weights_id: str,
        figures: dict[str, Any],
        *,
        began: OpenRound,
    ) -> ClosedRound:
        """Close the open round: decision, promotion and frozen test set in one transaction.

        began: the open round as it was when the work for this decision started. Raises Refused if another
        decision was made since: then this one would rest on weights that are no longer served.
        """
        with self._writing() as db:
            now = _open_round(db)
            if (now.number, now.promotion) != (began.number, began.promotion):
                raise Refused(
                    f"round {began.number} was closed by somebody else meanwhile; this decision was not recorded"
                )
            used_seq = _used_seq(db) if decision == "rolled back" else began.last_seq
            promotion = now.promotion
            if decision != "refused":
                promotion += 1
                db.execute("INSERT INTO promotions VALUES (?, ?, ?, ?)", (promotion, weights_id, decision, self._now()))
            frozen = db.execute(
                "SELECT attempt_id FROM attempts WHERE round = ? AND split = 'test' AND model_wrong = 1 "
                "AND attempt_id NOT IN (SELECT attempt_id FROM retractions) ORDER BY seq",
                (now.number,),
            ).fetchall()
            test_set = [row[0] for row in frozen]
            closed_at = self._now()
            db.execute(
                "INSERT INTO rounds VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    now.number,
                    decision,
                    reason,
                    weights_id,
                    promotion,
                    used_seq,
                    json.dumps(figures),
                    json.dumps(test_set),
                    closed_at,
                ),
            )
            _recount_unused(db)
        return ClosedRound(
            now.number, decision, reason, weights_id, promotion, figures, test_set, closed_at, now.counts
        )

    # -- totals ---------------------------------------------------------------------------------------

    def totals(self) -> RoundCounts:
        """Tries, attempts and fooling attempts over all rounds."""
        with self._reading() as db:
            row = db.execute("SELECT sum(tries), sum(attempts), sum(fooling) FROM round_counts").fetchone()
        return RoundCounts(*(value or 0 for value in row))

    def recount(self) -> None:
        """Rebuild the running totals from the rows they count."""
        with self._writing() as db:
            db.execute("DELETE FROM round_counts")
            db.execute("INSERT INTO round_counts (round, tries) SELECT round, count(*) FROM tries GROUP BY round")
            rows = db.execute(
                "SELECT round, count(*), sum(model_wrong) FROM attempts "
                "WHERE attempt_id NOT IN (SELECT attempt_id FROM retractions) GROUP BY round"
            ).fetchall()
            for number, attempts, fooling in rows:
                _count(db, number, attempts=attempts, fooling=fooling)
            _recount_unused(db)

    def withdraw(self, annotator: str) -> int:
        """Really delete everything an annotator ever drew, their tries too; how many attempts that were."""
        mine = "SELECT attempt_id FROM attempts WHERE annotator = ?"
        with self._writing() as db:
            db.execute(f"DELETE FROM retractions WHERE attempt_id IN ({mine})", (annotator,))
            count = db.execute("DELETE FROM attempts WHERE annotator = ?", (annotator,)).rowcount
            db.execute("DELETE FROM tries WHERE annotator = ?", (annotator,))
        self.recount()
        with self._reading() as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # the log still held the pages as they were
        return count

    # -- inside a transaction -------------------------------------------------------------------------

    def _add_try(self, db: sqlite3.Connection, try_id: str, annotator: str, promotion: int) -> None:
        number = self._round_of(db, promotion)
        added = db.execute(
            "INSERT OR IGNORE INTO tries VALUES (?, ?, ?, ?, ?)", (try_id, annotator, promotion, number, self._now())
        ).rowcount
        if added:
            _count(db, number, tries=1)

    def _round_of(self, db: sqlite3.Connection, promotion: int) -> int:
        """The round a drawing answered by this promotion belongs to.

        A server notices a promotion a moment after it is made. What the old weights answered in between is
        charged to the round they served, not to their successor's.
        """
        ended = db.execute(
            "SELECT number FROM rounds WHERE promotion = ? AND decision <> 'refused'", (promotion + 1,)
        ).fetchone()
        if ended:
            return int(ended[0])
        return int(db.execute("SELECT coalesce(max(number), 0) + 1 FROM rounds").fetchone()[0])

    # -- connections ----------------------------------------------------------------------------------

    def _create(self) -> None:
        db = self._connection()
        with self._translated():
            db.execute("BEGIN IMMEDIATE")
            try:
                version = db.execute("PRAGMA user_version").fetchone()[0]
                if version > SCHEMA_VERSION:
                    raise LedgerUnavailable(
                        f"{self._path} was written by a newer Hoodwink (ledger version {version}, this one reads "
                        f"{SCHEMA_VERSION}); update Hoodwink"
                    )
                if version == 0:
                    schema = (Path(__file__).parent / "schema.sql").read_text()
                    for statement in schema.split(";\n"):
                        db.execute(statement)
                    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    def _connection(self) -> sqlite3.Connection:
        """One connection a thread, opened when the thread first needs it."""
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is None:
            with self._translated():
                db = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = FULL")
                db.execute("PRAGMA foreign_keys = ON")
                db.execute("PRAGMA secure_delete = ON")  # what is withdrawn is overwritten, not only unlinked
            self._local.db = db
        return db

    def close(self) -> None:
        """Close this thread's connection."""
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is not None:
            db.close()
            self._local.db = None

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        db = self._connection()
        with self._translated():
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._translated():
            yield self._connection()

    @contextmanager
    def _snapshot(self) -> Iterator[sqlite3.Connection]:
        """Several reads of one state of the ledger."""
        db = self._connection()
        with self._translated():
            db.execute("BEGIN")
            try:
                yield db
            finally:
                if db.in_transaction:
                    db.execute("COMMIT")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise LedgerUnavailable(
                f"the ledger {self._path.name} could not be used ({error}); nothing was saved, try again in a moment"
            ) from error

    def _now(self) -> str:
        return self._clock().astimezone(UTC).isoformat(timespec="milliseconds")


def _served(db: sqlite3.Connection) -> Promotion:
    row = db.execute(
        "SELECT number, weights_id, reason, created_at FROM promotions ORDER BY number DESC LIMIT 1"
    ).fetchone()
    if row is None:
        raise LedgerUnavailable("the ledger has no promotion yet; start the app once, it serves the round-0 weights")
    return Promotion(*row)


def _open_round(db: sqlite3.Connection) -> OpenRound:
    served = _served(db)
    number = db.execute("SELECT coalesce(max(number), 0) + 1 FROM rounds").fetchone()[0]
    counts = db.execute("SELECT tries, attempts, fooling FROM round_counts WHERE round = ?", (number,)).fetchone()
    # Sums over rounds, not over attempts: a few hundred rows at most.
    ready, fooling_total = db.execute(
        "SELECT coalesce(sum(unused), 0), coalesce(sum(fooling), 0) FROM round_counts"
    ).fetchone()
    last_seq = db.execute("SELECT coalesce(max(seq), 0) FROM attempts").fetchone()[0]
    return OpenRound(
        number, served.number, served.weights_id, RoundCounts(*(counts or ())), ready, fooling_total, last_seq
    )


def _used_seq(db: sqlite3.Connection) -> int:
    """The newest attempt the last decision had used."""
    row = db.execute("SELECT used_seq FROM rounds ORDER BY number DESC LIMIT 1").fetchone()
    return int(row[0]) if row else 0


def _count(
    db: sqlite3.Connection, number: int, *, tries: int = 0, attempts: int = 0, fooling: int = 0, unused: int = 0
) -> None:
    db.execute(
        "INSERT INTO round_counts VALUES (?, ?, ?, ?, ?) ON CONFLICT (round) DO UPDATE SET tries = tries + excluded.tries, "
        "attempts = attempts + excluded.attempts, fooling = fooling + excluded.fooling, unused = unused + excluded.unused",
        (number, tries, attempts, fooling, unused),
    )


def _recount_unused(db: sqlite3.Connection) -> None:
    db.execute("UPDATE round_counts SET unused = 0")
    rows = db.execute(
        "SELECT round, count(*) FROM attempts WHERE seq > ? AND model_wrong = 1 "
        "AND attempt_id NOT IN (SELECT attempt_id FROM retractions) GROUP BY round",
        (_used_seq(db),),
    ).fetchall()
    for number, unused in rows:
        _count(db, number, unused=unused)


def _closed_round(row: tuple[Any, ...]) -> ClosedRound:
    number, decision, reason, weights_id, promotion, figures, test_set, closed_at, *counts = row
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


def _attempt(row: tuple[Any, ...]) -> Attempt:
    names = ATTEMPT_COLUMNS.split(", ")
    values = dict(zip(names, row, strict=True))
    values["probabilities"] = json.loads(values["probabilities"])
    values["model_wrong"] = bool(values["model_wrong"])
    return Attempt(**values)


def _png(answer: Answer) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(answer.image).save(buffer, "PNG")
    return buffer.getvalue()
