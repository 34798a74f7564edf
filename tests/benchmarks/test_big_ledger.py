"""The made ledger is one the game could have kept: its totals are right, and the ledger reads it."""

import json
import sqlite3
from contextlib import closing

import pytest

from benchmarks.big_ledger import make
from flagging import standings
from flagging.home import Home
from model.served import ServedModel
from model.weights import load_weights

CACHES = ("uses", "standings", "round_counts", "scores", "pair_counts")


@pytest.fixture(scope="module")
def made(pen_digits, tmp_path_factory) -> Home:
    home = Home(tmp_path_factory.mktemp("big"), b"the key of the tests")
    make(home, attempts=2000, rounds=5)
    return home


def totals(db: sqlite3.Connection) -> dict[str, list[tuple]]:
    return {table: sorted(db.execute(f"SELECT * FROM {table}").fetchall(), key=repr) for table in CACHES}


def test_its_totals_are_those_of_a_recount(made):
    with closing(sqlite3.connect(made.ledger_path, isolation_level=None)) as db:
        before = totals(db)
        db.execute("BEGIN")
        standings.recount(db)
        assert totals(db) == before
        db.execute("ROLLBACK")


def test_the_ledger_reads_it(made):
    ledger = made.open_ledger()
    counts = ledger.totals()
    assert (counts.tries, len(ledger.closed_rounds()), ledger.open_round().number) == (3200, 5, 6)
    assert counts.attempts == 2000 - 2000 // 211 - 2000 // 997
    assert counts.fooling == pytest.approx(2000 / 12, abs=3)
    assert 0 < ledger.open_round().ready < counts.fooling
    assert all(closed.test_set for closed in ledger.closed_rounds())
    assert [closed.promotion for closed in ledger.closed_rounds()] == [1, 2, 3, 4, 5]
    ledger.close()


def test_its_attempts_are_what_the_served_weights_answer(made):
    ledger = made.open_ledger()
    served = ServedModel(load_weights(made.weights, ledger.served().weights_id), 5)
    for attempt in list(ledger.attempts())[:300:17]:
        answer = served.answer(json.loads(attempt.strokes))
        assert answer.prediction == attempt.prediction
        assert answer.probabilities == pytest.approx(attempt.probabilities, abs=1e-3)
        assert attempt.split == ledger._split(attempt.annotator, attempt.label, attempt.round)
    ledger.close()


def test_what_is_recorded_in_it_counts(made):
    ledger = made.open_ledger()
    served = ServedModel(load_weights(made.weights, ledger.served().weights_id), 5)
    drawing = next(iter(ledger.attempts()))
    before = ledger.totals().attempts
    attempt = ledger.record_attempt(served.answer(json.loads(drawing.strokes)), 7, "somebody", "a-try-of-the-test")
    assert (attempt.round, ledger.totals().attempts) == (6, before + 1)
    assert ledger.without_likeness(10) == [attempt] * attempt.model_wrong
    ledger.close()


def test_a_folder_that_holds_a_ledger_is_left_alone(made):
    with pytest.raises(ValueError, match="give a new folder"):
        make(made, attempts=10)
