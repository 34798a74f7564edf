"""The ledger: everything that was drawn and decided, in rows that are only added."""

import hashlib
import hmac
import io
import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from PIL import Image

from flagging import decisions, standings, withdrawals
from flagging.attempts import Answer, Attempt, Refused, Split, checked_label
from flagging.database import Database
from flagging.decisions import ClosedRound, DecisionKind, OpenRound, Promotion, RoundCounts
from flagging.judging import checked_reading
from flagging.outbox import Outbox

TEST_SHARE = 0.2


@dataclass(frozen=True)
class Score:
    """rank: 1 for the most points, shared by those with as many; None without a point. waiting: not judged yet."""

    points: int
    rank: int | None
    players: int
    waiting: int


@dataclass(frozen=True)
class Drawn:
    """One's own attempt. retracted: taken back by who drew it. hidden: by a maintainer."""

    attempt: Attempt
    retracted: bool
    hidden: bool


JUDGED = ("state", "judged_label", "lacking")  # of standings; all other fields of an attempt are columns of attempts
COLUMNS = ", ".join(f"{'s' if field.name in JUDGED else 'a'}.{field.name}" for field in fields(Attempt))
ATTEMPTS = "attempts a JOIN standings s ON s.attempt_id = a.attempt_id"


def utc_now() -> datetime:
    return datetime.now(UTC)


class Ledger:
    """Append-only record of tries, attempts, votes, rounds and promotions.

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

    def outbox(self) -> Outbox:
        """What of this ledger is not on the Hub yet."""
        return Outbox(self._database)

    # -- annotators -----------------------------------------------------------------------------------

    def annotator(self, token: str) -> str:
        """The name an annotator goes by in every row: a keyed hash of the token their browser keeps."""
        return self._keyed(f"annotator:{token}").hex()[:24]

    def withdraw(self, annotator: str, attempt_ids: Sequence[str] | None = None) -> int:
        """Really delete what an annotator drew, their tries too; how many attempts that were.

        attempt_ids: only these attempts, with the tries they came from; None: everything. Votes others gave on these
        drawings go with them; votes this annotator gave on others' stay. Raises Refused if one of them is not theirs.
        """
        with self._database.writing() as db:
            theirs = dict(
                db.execute("SELECT attempt_id, try_id FROM attempts WHERE annotator = ?", (annotator,)).fetchall()
            )
            strange = set(attempt_ids or ()) - set(theirs)
            if strange:
                raise Refused(f"drawing {min(strange)[:60]!r} is not this annotator's, or was withdrawn already")
            if attempt_ids is not None:
                theirs = {attempt_id: theirs[attempt_id] for attempt_id in attempt_ids}
                tries = list(theirs.values())
            else:
                mine = db.execute("SELECT try_id FROM tries WHERE annotator = ?", (annotator,)).fetchall()
                tries = [try_id for (try_id,) in mine]
            withdrawals.withdraw(db, [*theirs, *tries], self._now())
        self.forget()
        return len(theirs)

    def forget(self) -> bool:
        """Overwrite what is left of deleted rows; False if another process read all the while: then again, later."""
        return self._database.forget()

    def tidy(self) -> None:
        """To be called now and then by whoever has time, so that no submission has to do it."""
        self._database.tidy()

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
            earlier = db.execute(f"SELECT {COLUMNS} FROM {ATTEMPTS} WHERE try_id = ?", (try_id,)).fetchone()
            if earlier:
                return _recorded_before(_attempt(earlier), strokes, meant, annotator)
            self._add_try(db, try_id, annotator, answer.promotion)
            number = decisions.round_of(db, answer.promotion)
            owner, first_round = db.execute("SELECT annotator, round FROM tries WHERE try_id = ?", (try_id,)).fetchone()
            if owner != annotator:
                raise Refused("this drawing belongs to another annotator; clear the canvas and draw your own")
            if first_round != number:
                # Begun in one round and submitted in the next, it was shown predictions in both.
                standings.count(db, number, tries=1)
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
            row = {name: value for name, value in vars(attempt).items() if name not in JUDGED}
            row |= {"probabilities": json.dumps(attempt.probabilities), "try_id": try_id}
            decisions.insert(db, "attempts", row)
            standings.restand(db, attempt.attempt_id)
            return _find(db, attempt.attempt_id)

    def retract(self, attempt_id: str, annotator: str) -> Attempt:
        """Take back one's own attempt: it stays in the ledger but counts nowhere. Twice is the same as once."""
        with self._database.writing() as db:
            attempt = _find(db, attempt_id)
            if attempt.annotator != annotator:
                raise Refused("this attempt is not yours; only who drew it can take it back")
            db.execute("INSERT OR IGNORE INTO retractions VALUES (?, ?)", (attempt_id, self._now()))
            standings.restand(db, attempt_id)
        return attempt

    def attempts(
        self, *, split: Split | None = None, fooling_only: bool = False, usable_only: bool = False
    ) -> Iterator[Attempt]:
        """Attempts that were neither retracted nor hidden, oldest first; all of one state of the ledger.

        usable_only: fooling ones that may be learnt from; with a quorum the verified and the corrected ones.
        """
        where = "s.gone = 0 AND a.split = coalesce(?, a.split) AND s.fooling >= ? AND s.usable >= ?"
        with self._database.reading() as db:
            values = (split, int(fooling_only), int(usable_only))
            rows = db.execute(f"SELECT {COLUMNS} FROM {ATTEMPTS} WHERE {where} ORDER BY a.seq", values).fetchall()
        return map(_attempt, rows)

    def newest_attempts(self, count: int, *, split: Split) -> list[Attempt]:
        """The newest attempts of a split, fooling or not, oldest first; without those judges found ambiguous."""
        where = "s.gone = 0 AND a.split = ? AND s.state IS NOT 'ambiguous'"
        with self._database.reading() as db:
            rows = db.execute(
                f"SELECT {COLUMNS} FROM {ATTEMPTS} WHERE {where} ORDER BY a.seq DESC LIMIT ?", (split, count)
            ).fetchall()
        return list(map(_attempt, reversed(rows)))

    def gallery(
        self,
        *,
        label: int | None = None,
        round_number: int | None = None,
        state: str | None = None,
        before: int | None = None,
        count: int = 60,
        decided_only: bool = False,
    ) -> tuple[list[Attempt], int | None]:
        """Fooling drawings, newest first, that were neither retracted nor hidden; and where the next page begins.

        before: as an earlier page gave it. state: of judging. decided_only: leave out pending ones.
        """
        filters = {"s.label = ?": label, "s.round = ?": round_number, "s.state = ?": state, "s.seq < ?": before}
        given = {where: value for where, value in filters.items() if value is not None}
        where = " AND ".join(["s.fooling = 1", *(["s.pending = 0"] if decided_only else []), *given])
        with self._database.reading() as db:
            rows = db.execute(
                f"SELECT {COLUMNS}, a.seq FROM {ATTEMPTS} WHERE {where} ORDER BY s.seq DESC LIMIT ?",
                (*given.values(), count + 1),
            ).fetchall()
        return [_attempt(row[:-1]) for row in rows[:count]], rows[count - 1][-1] if len(rows) > count else None

    def drawn_by(self, *annotators: str, before: int | None = None, count: int = 36) -> tuple[list[Drawn], int | None]:
        """Every attempt of these annotators, newest first, whatever became of it; and where the next page begins.

        before: as an earlier page gave it.
        """
        # Each annotator's newest from the index: no work grows with what others drew.
        newest = "SELECT * FROM (SELECT seq FROM attempts WHERE annotator = ? AND seq < ? ORDER BY seq DESC LIMIT ?)"
        gone = "a.attempt_id IN (SELECT attempt_id FROM retractions)"
        below = 2**62 if before is None else before
        values = [value for annotator in annotators for value in (annotator, below, count + 1)]
        with self._database.reading() as db:
            rows = db.execute(
                f"SELECT {COLUMNS}, {gone}, s.gone = 1 AND NOT {gone}, a.seq FROM {ATTEMPTS} "
                f"WHERE a.seq IN ({' UNION '.join([newest] * len(annotators))}) ORDER BY a.seq DESC LIMIT ?",
                (*values, count + 1),
            ).fetchall()
        drawn = [Drawn(_attempt(row[:-3]), bool(row[-3]), bool(row[-2])) for row in rows[:count]]
        return drawn, rows[count - 1][-1] if len(rows) > count else None

    def harmless_attempts(self, count: int) -> list[Attempt]:
        """The newest attempts of the training split that did not fool, oldest first."""
        with self._database.reading() as db:
            rows = db.execute(
                f"SELECT {COLUMNS} FROM {ATTEMPTS} WHERE s.gone = 0 AND s.state IS NULL AND a.split = 'train' "
                "ORDER BY a.seq DESC LIMIT ?",
                (count,),
            ).fetchall()
        return list(map(_attempt, reversed(rows)))

    def learnt_drawings(self) -> list[Attempt]:
        """The training drawings a decision ever rested on, oldest first; those retracted or hidden since as well."""
        with self._database.reading() as db:
            rows = db.execute(
                f"SELECT {COLUMNS} FROM {ATTEMPTS} JOIN uses u ON u.attempt_id = a.attempt_id "
                "WHERE a.split = 'train' ORDER BY a.seq"
            ).fetchall()
        return list(map(_attempt, rows))

    def test_drawings(self) -> list[Attempt]:
        """Whatever must never be trained on, oldest first: the test split of all attempts, and what was ever frozen."""
        with self._database.reading() as db:
            rows = db.execute(
                f"SELECT {COLUMNS} FROM {ATTEMPTS} WHERE a.split = 'test' AND (s.gone = 0 OR a.attempt_id IN "
                "(SELECT value FROM rounds, json_each(rounds.test_set))) ORDER BY a.seq"
            ).fetchall()
        return list(map(_attempt, rows))

    def frozen_drawings(self, number: int | None = None) -> list[Attempt]:
        """The drawings of all frozen test sets, or of one round's, that are still usable, oldest first."""
        with self._database.reading() as db:
            rows = db.execute(
                f"SELECT {COLUMNS} FROM {ATTEMPTS} WHERE s.usable = 1 AND a.attempt_id IN "
                "(SELECT value FROM rounds, json_each(rounds.test_set) WHERE number = coalesce(?, number)) ORDER BY a.seq",
                (number,),
            ).fetchall()
        return list(map(_attempt, rows))

    def features(self) -> dict[str, bytes]:
        """What record_likeness kept, by attempt id."""
        with self._database.reading() as db:
            return dict(db.execute("SELECT attempt_id, features FROM likenesses").fetchall())

    def find(self, attempt_id: str) -> Attempt:
        """Raises Refused if there is none."""
        with self._database.reading() as db:
            return _find(db, attempt_id)

    def is_submitted(self, try_id: str) -> bool:
        with self._database.reading() as db:
            return db.execute("SELECT 1 FROM attempts WHERE try_id = ?", (try_id,)).fetchone() is not None

    def _add_try(self, db: Connection, try_id: str, annotator: str, promotion: int) -> None:
        number = decisions.round_of(db, promotion)
        added = db.execute(
            "INSERT OR IGNORE INTO tries VALUES (?, ?, ?, ?, ?)", (try_id, annotator, promotion, number, self._now())
        ).rowcount
        if added:
            standings.count(db, number, tries=1)

    # -- judging --------------------------------------------------------------------------------------

    def use_quorum(self, quorum: int) -> None:
        """From now on so many other annotators must agree before a fooling attempt counts; 0: it counts at once."""
        with self._database.writing() as db:
            if quorum != standings.quorum(db):
                # Switched off, judging leaves the states as the last quorum made them.
                db.execute(
                    "UPDATE judging_rule SET quorum = ?, judged_with = coalesce(nullif(?, 0), judged_with)",
                    (quorum, quorum),
                )
                standings.recount(db)

    def adopt_quorum(self) -> None:
        """A ledger that came from elsewhere, and was never told, judges as the newest round was judged."""
        with self._database.reading() as db:
            told = db.execute("SELECT judged_with FROM judging_rule").fetchone()[0]
            newest = decisions.closed_rounds(db, 1)
        if not told and newest and newest[0].figures.get("quorum"):
            self.use_quorum(newest[0].figures["quorum"])

    def next_to_judge(self, annotator: str, skipped: Sequence[str] = ()) -> Attempt | None:
        """Somebody else's undecided drawing this annotator has not judged: the one nearest to a decision, then the oldest.

        skipped: ids of drawings they could not decide on.
        """
        where = (
            "s.pending = 1 AND s.annotator <> :me AND NOT EXISTS "
            "(SELECT 1 FROM votes v WHERE v.attempt_id = s.attempt_id AND v.annotator = :me) "
            "AND s.attempt_id NOT IN (SELECT value FROM json_each(:skipped))"
        )
        with self._database.reading() as db:
            if standings.quorum(db) == 0:
                return None
            row = db.execute(
                f"SELECT {COLUMNS} FROM standings s INDEXED BY standings_to_judge JOIN attempts a USING (attempt_id) "
                f"WHERE {where} ORDER BY s.lacking, s.seq LIMIT 1",
                {"me": annotator, "skipped": json.dumps(list(skipped))},
            ).fetchone()
        return _attempt(row) if row else None

    def record_vote(self, attempt_id: str, reading: object, annotator: str) -> Attempt:
        """Another annotator's blind reading of a drawing; the attempt as it stands after it.

        reading: a digit or "not a digit". Raises Refused for one's own drawing, one that was taken back or hidden, one
        that did not fool, or a second vote that differs from the first; the same vote again is the first.
        """
        read = checked_reading(reading)
        with self._database.writing() as db:
            if not db.execute("SELECT 1 FROM attempts WHERE attempt_id = ?", (attempt_id,)).fetchone():
                raise Refused(
                    f"there is no drawing {attempt_id[:60]!r} (any more: its annotator may have withdrawn it); go on with the next one"
                )
            attempt = _find(db, attempt_id)
            if standings.quorum(db) == 0:
                raise Refused("nobody judges here: every fooling drawing counts at once (HOODWINK_QUORUM is 0)")
            if attempt.annotator == annotator:
                raise Refused("this drawing is your own; others judge it")
            if not attempt.model_wrong or db.execute(
                "SELECT gone FROM standings WHERE attempt_id = ?", (attempt_id,)
            ).fetchone() != (0,):
                raise Refused("this drawing is not up for judging any more; go on with the next one")
            mine = db.execute(
                "SELECT reading FROM votes WHERE attempt_id = ? AND annotator = ?", (attempt_id, annotator)
            ).fetchone()
            if mine and mine[0] != read:
                raise Refused("you judged this drawing already; nobody judges twice")
            if not mine:
                now = self._now_after(db, "votes", attempt_id)
                vote = {"attempt_id": attempt_id, "annotator": annotator, "reading": read, "created_at": now}
                decisions.insert(db, "votes", vote)
                standings.restand(db, attempt_id)
            return _find(db, attempt_id)

    def waiting_to_be_judged(self) -> int:
        """Fooling drawings without a decision."""
        return self.totals().pending

    def hide(self, attempt_id: str, hidden: bool = True) -> Attempt:
        """A maintainer's mark: a hidden drawing counts nowhere and is shown nowhere. It can be taken off again."""
        with self._database.writing() as db:
            attempt = _find(db, attempt_id)
            row = {
                "hiding_id": str(uuid.uuid4()),
                "attempt_id": attempt_id,
                "hidden": int(hidden),
                "created_at": self._now_after(db, "hidings", attempt_id),
            }
            decisions.insert(db, "hidings", row)
            standings.restand(db, attempt_id)
        return attempt

    # -- something to play for --------------------------------------------------------------------------

    def record_likeness(self, attempt_id: str, features: bytes, is_new: bool) -> bool:
        """What a fooling drawing looks like to the round-0 network, and whether none before it looked the same.

        Without this row it scores nothing. Recorded once: the first time holds, and is what comes back.
        """
        with self._database.writing() as db:
            _find(db, attempt_id)
            db.execute(
                "INSERT OR IGNORE INTO likenesses (attempt_id, features, is_new) VALUES (?, ?, ?)",
                (attempt_id, features, int(is_new)),
            )
            standings.restand(db, attempt_id)
            held = db.execute("SELECT is_new FROM likenesses WHERE attempt_id = ?", (attempt_id,)).fetchone()
        return bool(held[0])

    def likenesses(self, label: int, *, after: int, count: int) -> list[tuple[int, bytes]]:
        """Number and features of the newest fooling drawings of a digit, oldest first, that came after a number."""
        # Left to itself SQLite goes through all drawings of the digit, which pays off the first time only: CROSS JOIN makes it
        # begin with those that came after.
        join = "CROSS JOIN" if after else "JOIN"
        with self._database.reading() as db:
            rows = db.execute(
                f"SELECT l.seq, features FROM likenesses l {join} standings s USING (attempt_id) "
                "WHERE l.seq > ? AND s.fooling = 1 AND s.label = ? ORDER BY l.seq DESC LIMIT ?",
                (after, label, count),
            ).fetchall()
        return list(reversed(rows))

    def without_likeness(self, count: int) -> list[Attempt]:
        """Fooling attempts whose likeness was not recorded yet, oldest first."""
        where = "s.fooling = 1 AND NOT EXISTS (SELECT 1 FROM likenesses l WHERE l.attempt_id = s.attempt_id)"
        with self._database.reading() as db:
            rows = db.execute(
                f"SELECT {COLUMNS} FROM {ATTEMPTS} WHERE {where} ORDER BY s.seq LIMIT ?", (count,)
            ).fetchall()
        return list(map(_attempt, rows))

    def score(self, annotator: str) -> Score:
        """How this annotator stands among all, by usable fooling drawings that are new."""
        with self._database.reading() as db:
            row = db.execute("SELECT points FROM scores WHERE annotator = ?", (annotator,)).fetchone()
            points = int(row[0]) if row else 0
            better = db.execute("SELECT count(*) FROM scores WHERE points > ?", (points,)).fetchone()[0]
            players = db.execute("SELECT count(*) FROM scores WHERE points > 0").fetchone()[0]
            waiting = db.execute(
                "SELECT count(*) FROM standings WHERE annotator = ? AND pending = 1 AND usable = 0", (annotator,)
            ).fetchone()[0]
        return Score(points, int(better) + 1 if points else None, int(players), int(waiting))

    def pair_counts(self) -> dict[tuple[int, int], int]:
        """How often a digit that was meant (first) was taken for another; pairs that never happened are left out."""
        with self._database.reading() as db:
            rows = db.execute("SELECT label, prediction, fooling FROM pair_counts WHERE fooling > 0").fetchall()
        return {(label, prediction): fooling for label, prediction, fooling in rows}

    def drawn_in_round(self, number: int) -> list[Attempt]:
        """The attempts of a round that were neither retracted nor hidden, oldest first."""
        with self._database.reading() as db:
            rows = db.execute(
                f"SELECT {COLUMNS} FROM {ATTEMPTS} WHERE s.round = ? AND s.gone = 0 ORDER BY s.seq", (number,)
            ).fetchall()
        return list(map(_attempt, rows))

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

    def used(self) -> dict[str, int]:
        """The round whose decision was the first to rest on each drawing, by attempt id."""
        with self._database.reading() as db:
            return dict(db.execute("SELECT attempt_id, round FROM uses").fetchall())

    def closed_rounds(self, newest: int = -1) -> list[ClosedRound]:
        """The newest decisions, oldest first; -1: all of them."""
        with self._database.reading() as db:
            return decisions.closed_rounds(db, newest)

    def last_closed_round(self) -> ClosedRound | None:
        with self._database.reading() as db:
            return next(iter(decisions.closed_rounds(db, 1)), None)

    def round_of_promotion(self, promotion: int) -> int:
        """The round whose decision it was; 0 for the first weights."""
        with self._database.reading() as db:
            row = db.execute(
                "SELECT number FROM rounds WHERE promotion = ? AND decision <> 'refused'", (promotion,)
            ).fetchone()
        return int(row[0]) if row else 0

    def close_round(
        self,
        decision: DecisionKind,
        reason: str,
        weights_id: str,
        figures: dict[str, Any],
        *,
        began: OpenRound,
        used: Iterable[str] = (),
        test_set: Sequence[str] = (),
    ) -> ClosedRound:
        """Close the open round: decision, promotion and frozen test set in one transaction.

        began: the open round as it was when the work for this decision started. used: ids of the drawings the
        decision rests on, train and test. test_set: ids of the round's held-out fooling drawings. Raises Refused if
        another decision was made since: then this one would rest on weights that are no longer served.
        """
        with self._database.writing() as db:
            decisions.close_round(db, decision, reason, weights_id, figures, began, used, test_set, self._now())
            (closed,) = decisions.closed_rounds(db, 1)
        return closed

    # -- totals ---------------------------------------------------------------------------------------

    def totals(self) -> RoundCounts:
        """Tries, attempts and fooling attempts over all rounds."""
        sums = "sum(tries), sum(attempt), sum(fooling), sum(verified), sum(pending)"
        with self._database.reading() as db:
            row = db.execute(f"SELECT {sums} FROM round_counts").fetchone()
        return RoundCounts(*(value or 0 for value in row))

    def recount(self) -> None:
        """Rebuild the running totals from the rows they count."""
        with self._database.writing() as db:
            standings.recount(db)

    def _now(self) -> str:
        return _written(self._clock())

    def _now_after(self, db: Connection, table: str, attempt_id: str) -> str:
        """Now, or later: what is said of a drawing counts in the order of its times, also if the clock went back."""
        last = db.execute(f"SELECT max(created_at) FROM {table} WHERE attempt_id = ?", (attempt_id,)).fetchone()[0]
        after = last and _written(datetime.fromisoformat(last) + timedelta(milliseconds=1))
        return max(self._now(), after or "")


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def _recorded_before(earlier: Attempt, strokes: str, label: int, annotator: str) -> Attempt:
    if (earlier.strokes, earlier.label, earlier.annotator) != (strokes, label, annotator):
        raise Refused(
            f"this drawing was recorded already, as a {earlier.label}; clear the canvas and draw the next one"
        )
    return earlier


def _find(db: Connection, attempt_id: str) -> Attempt:
    row = db.execute(f"SELECT {COLUMNS} FROM {ATTEMPTS} WHERE a.attempt_id = ?", (attempt_id,)).fetchone()
    if row is None:
        raise Refused(
            f"there is no attempt {attempt_id[:60]!r}; send the attempt_id that /submit or /next_to_judge gave"
        )
    return _attempt(row)


def _attempt(row: tuple[Any, ...]) -> Attempt:
    values = dict(zip((field.name for field in fields(Attempt)), row, strict=True))
    return Attempt(
        **values | {"probabilities": json.loads(values["probabilities"]), "model_wrong": bool(values["model_wrong"])}
    )


def _png(answer: Answer) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(answer.image).save(buffer, "PNG")
    return buffer.getvalue()
