"""The ledger: everything that was drawn and decided, in rows that are only added."""

import hashlib
import hmac
import io
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from PIL import Image

from flagging import decisions
from flagging.attempts import Answer, Attempt, Refused, Split, checked_label
from flagging.database import Database
from flagging.decisions import ClosedRound, DecisionKind, OpenRound, Promotion, RoundCounts

TEST_SHARE = 0.2
COLUMNS = ", ".join(field.name for field in fields(Attempt))


def utc_now() -> datetime:
    return datetime.now(UTC)


class Ledger:
    """Append-only record of tries, attempts, rounds and promotions.

    Every method may be called from any thread and any process. A method that records returns only after
    its transaction is on disk; if it raises, nothing was recorded. Any of them raises LedgerUnavailable.
    """

    def __init__(self, path: Path, annotator_key: bytes, clock: Callable[[], datetime] = utc_now) -> None:
        self._key = annotator_key
        self._clock = clock
        self._database = Database(path)

    def close(self) -> None:
        """Close this thread's connection."""
        self._database.close()

    # -- annotators -----------------------------------------------------------------------------------

    def annotator(self, token: str) -> str:
        """The name an annotator goes by in every row: a keyed hash of the token their browser keeps."""
        return self._keyed(f"annotator:{token}").hex()[:24]

    def withdraw(self, annotator: str) -> int:
        """Really delete everything an annotator ever drew, their tries too; how many attempts that were."""
        mine = "SELECT attempt_id FROM attempts WHERE annotator = ?"
        with self._database.writing() as db:
            db.execute(f"DELETE FROM retractions WHERE attempt_id IN ({mine})", (annotator,))
            deleted = db.execute("DELETE FROM attempts WHERE annotator = ?", (annotator,)).rowcount
            db.execute("DELETE FROM tries WHERE annotator = ?", (annotator,))
            decisions.recount(db)
        self._database.forget()
        return deleted

    def _split(self, annotator: str, label: int, round_number: int) -> Split:
        """Fixed at birth; one hand's variants of a digit in a round fall on one side."""
        draw = int.from_bytes(self._keyed(f"split:{annotator}:{label}:{round_number}")[:8])
        return "test" if draw < TEST_SHARE * 2**64 else "train"

    def _keyed(self, text: str) -> bytes:
        return hmac.new(self._key, text.encode(errors="surrogatepass"), hashlib.sha256).digest()

    # -- tries and attempts ---------------------------------------------------------------------------

    def record_try(self, try_id: str, annotator: str, promotion: int) -> None:
        """A drawing was shown a prediction. The same try_id again changes nothing."""
        with self._database.writing() as db:
            self._add_try(db, try_id, annotator, promotion)

    def record_attempt(self, answer: Answer, label: object, annotator: str, try_id: str) -> Attempt:
        """Record a submitted drawing; it is on disk when this returns.

        A request repeated because its answer was lost gives the attempt recorded the first time: it never counts
        twice. Raises Refused for a label that is no digit, another annotator's try, or a try that was submitted
        before as something else.
        """
        meant = checked_label(label)
        image, strokes = _png(answer), json.dumps(answer.strokes, separators=(",", ":"))
        with self._database.writing() as db:
            earlier = db.execute(f"SELECT {COLUMNS} FROM attempts WHERE try_id = ?", (try_id,)).fetchone()
            if earlier:
                return _recorded_before(_attempt(earlier), strokes, meant, annotator)
            self._add_try(db, try_id, annotator, answer.promotion)
            number = decisions.round_of(db, answer.promotion)
            owner, first_round = db.execute("SELECT annotator, round FROM tries WHERE try_id = ?", (try_id,)).fetchone()
            if owner != annotator:
                raise Refused("this drawing belongs to another annotator; clear the canvas and draw your own")
            if first_round != number:
                # Begun in one round and submitted in the next, it was shown predictions in both.
                decisions.count(db, number, tries=1)
            attempt = Attempt(
                attempt_id=str(uuid.uuid4()),
                strokes=strokes,
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
            probabilities = json.dumps(attempt.probabilities)
            decisions.insert(db, "attempts", {**vars(attempt), "probabilities": probabilities, "try_id": try_id})
            wrong = int(attempt.model_wrong)
            decisions.count(db, number, attempts=1, fooling=wrong, unused=wrong)
        return attempt

    def retract(self, attempt_id: str, annotator: str) -> Attempt:
        """Take back one's own attempt: it stays in the ledger but counts nowhere. Twice is the same as once."""
        with self._database.writing() as db:
            row = db.execute(f"SELECT {COLUMNS}, seq FROM attempts WHERE attempt_id = ?", (attempt_id,)).fetchone()
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
                unused = wrong if seq > decisions.used_seq(db) else 0
                decisions.count(db, attempt.round, attempts=-1, fooling=-wrong, unused=-unused)
        return attempt

    def attempts(
        self, *, split: Split | None = None, fooling_only: bool = False, up_to: int | None = None
    ) -> Iterator[Attempt]:
        """Attempts that were not retracted, oldest first; all of one state of the ledger.

        up_to: leave out what came after this one (OpenRound.last_seq).
        """
        where = (
            f"{decisions.NOT_RETRACTED} AND split = coalesce(:split, split) AND model_wrong >= :fooling "
            "AND seq <= coalesce(:up_to, seq)"
        )
        values = {"split": split, "fooling": int(fooling_only), "up_to": up_to}
        with self._database.reading() as db:
            rows = db.execute(f"SELECT {COLUMNS} FROM attempts WHERE {where} ORDER BY seq", values).fetchall()
        return map(_attempt, rows)

    def is_submitted(self, try_id: str) -> bool:
        with self._database.reading() as db:
            return db.execute("SELECT 1 FROM attempts WHERE try_id = ?", (try_id,)).fetchone() is not None

    def _add_try(self, db: Connection, try_id: str, annotator: str, promotion: int) -> None:
        number = decisions.round_of(db, promotion)
        added = db.execute(
            "INSERT OR IGNORE INTO tries VALUES (?, ?, ?, ?, ?)", (try_id, annotator, promotion, number, self._now())
        ).rowcount
        if added:
            decisions.count(db, number, tries=1)

    # -- rounds and promotions ------------------------------------------------------------------------

    def start(self, weights_id: str) -> None:
        """Make these the first weights served, promotion 0, if nothing was ever served."""
        with self._database.writing() as db:
            db.execute(
                "INSERT OR IGNORE INTO promotions VALUES (0, ?, 'round-0 weights', ?)", (weights_id, self._now())
            )

    def served(self) -> Promotion:
        """The promotion with the highest number: what answers now."""
        with self._database.reading() as db:
            return decisions.served(db)

    def promotions(self) -> list[Promotion]:
        with self._database.reading() as db:
            return decisions.promotions(db)

    def open_round(self) -> OpenRound:
        with self._database.reading() as db:
            return decisions.open_round(db)

    def closed_rounds(self) -> list[ClosedRound]:
        """Every decision so far, oldest first."""
        with self._database.reading() as db:
            return decisions.closed_rounds(db)

    def last_closed_round(self) -> ClosedRound | None:
        with self._database.reading() as db:
            return next(iter(decisions.closed_rounds(db, newest_only=True)), None)

    def close_round(
        self, decision: DecisionKind, reason: str, weights_id: str, figures: dict[str, Any], *, began: OpenRound
    ) -> ClosedRound:
        """Close the open round: decision, promotion and frozen test set in one transaction.

        began: the open round as it was when the work for this decision started. Raises Refused if another
        decision was made since: then this one would rest on weights that are no longer served.
        """
        with self._database.writing() as db:
            decisions.close_round(db, decision, reason, weights_id, figures, began, self._now())
            (closed,) = decisions.closed_rounds(db, newest_only=True)
        return closed

    # -- totals ---------------------------------------------------------------------------------------

    def totals(self) -> RoundCounts:
        """Tries, attempts and fooling attempts over all rounds."""
        with self._database.reading() as db:
            row = db.execute("SELECT sum(tries), sum(attempts), sum(fooling) FROM round_counts").fetchone()
        return RoundCounts(*(value or 0 for value in row))

    def recount(self) -> None:
        """Rebuild the running totals from the rows they count."""
        with self._database.writing() as db:
            decisions.recount(db)

    def _now(self) -> str:
        return self._clock().astimezone(UTC).isoformat(timespec="milliseconds")


def _recorded_before(earlier: Attempt, strokes: str, label: int, annotator: str) -> Attempt:
    if (earlier.strokes, earlier.label, earlier.annotator) != (strokes, label, annotator):
        raise Refused(
            f"this drawing was recorded already, as a {earlier.label}; clear the canvas and draw the next one"
        )
    return earlier


def _attempt(row: tuple[Any, ...]) -> Attempt:
    values = dict(zip(COLUMNS.split(", "), row, strict=True))
    return Attempt(
        **values | {"probabilities": json.loads(values["probabilities"]), "model_wrong": bool(values["model_wrong"])}
    )


def _png(answer: Answer) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(answer.image).save(buffer, "PNG")
    return buffer.getvalue()
