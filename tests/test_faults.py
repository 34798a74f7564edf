"""The faults, as `python -m benchmarks.faults` makes them: its checks notice what they are for."""

import random
import sqlite3
from collections import Counter

import pytest

from benchmarks.faults import checks
from benchmarks.faults.__main__ import Found, Result, as_section, from_figures, joined, shared_out
from benchmarks.faults.kinds import KINDS, STAGES, Kind
from benchmarks.faults.players import Book, Told
from benchmarks.faults.session import DidNotCome, Session
from model.served import Snapshot
from model.weights import load_weights
from tests.conftest import random_weights
from tests.made import PLAIN, add_attempts, add_fooling, close


@pytest.fixture
def played(ledger):
    """A ledger, and the book of those who played: everything acknowledged as it is."""
    attempts = [*add_attempts(ledger, 4, label=3), *add_fooling(ledger, 3)]
    close(ledger, "refused")
    attempts += add_fooling(ledger, 2, annotator="another")
    book = Book()
    with sqlite3.connect(ledger._database._path) as db:
        tries = dict(db.execute("SELECT attempt_id, try_id FROM attempts"))
    for a in attempts:
        book.sent[tries[a.attempt_id]] = a.label
        book.told[a.attempt_id] = Told(a.attempt_id, tries[a.attempt_id], a.label, a.prediction, a.weights_id, None)
    return book


def problems(home, book):
    return checks.check_ledger(home.ledger_path, book.told, book.retracted, book)


def broken(home, *statements):
    db = sqlite3.connect(home.ledger_path, isolation_level=None)
    for statement in statements:
        db.execute(statement)
    db.close()


def test_a_sound_ledger_has_no_problem(home, ledger, played):
    taken = next(iter(played.told.values()))
    ledger.retract(taken.attempt_id, ledger.find(taken.attempt_id).annotator)
    played.retracted.add(taken.attempt_id)
    assert problems(home, played) == []


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("DELETE FROM attempts WHERE seq = 2", "was acknowledged and is not in the ledger"),
        ("UPDATE attempts SET label = 7 WHERE seq = 1", "was sent as a 3 and recorded as a 7"),
        ("UPDATE attempts SET weights_id = 'other' WHERE seq = 1", "not as it was acknowledged"),
        ("UPDATE attempts SET weights_id = 'other' WHERE seq = 1", "1 attempts were answered by weights that were not"),
        ("UPDATE attempts SET try_id = (SELECT try_id FROM attempts WHERE seq = 1) WHERE seq = 2", "recorded 2 times"),
        ("UPDATE round_counts SET fooling = fooling + 1 WHERE round = 1", "round_counts says"),
        ("UPDATE standings SET ready = 0", "standings says"),
        ("DELETE FROM uses", "uses says"),
        ("UPDATE pair_counts SET fooling = 9", "pair_counts says"),
        ("INSERT INTO scores VALUES ('somebody', 4)", "scores says"),
        ("UPDATE promotions SET number = 2", "promotions are numbered [2]"),
        ("UPDATE rounds SET number = 2", "rounds are numbered [2]"),
        ("UPDATE rounds SET decision = 'promoted'", "was promoted, the promotions []"),
    ],
)
def test_a_ledger_that_is_not_as_it_should_be_is_noticed(home, played, statement, says):
    constraint = "PRAGMA ignore_check_constraints = ON"
    broken(home, constraint, statement)
    assert any(says in problem for problem in problems(home, played))


def test_an_attempt_nobody_sent_and_one_that_was_refused_are_noticed(home, played):
    first, second, *_ = list(played.sent)
    del played.sent[first]
    played.refused.add(second)
    said = problems(home, played)
    assert any("was sent by nobody" in problem for problem in said)
    assert f"try {second} was refused, and is in the ledger" in said


def test_a_retraction_that_was_lost_is_noticed(home, played):
    played.retracted.add(next(iter(played.told)))
    assert any("was taken back, and counts" in problem for problem in problems(home, played))


def test_a_damaged_ledger_is_noticed(home, ledger, played):
    ledger.close()
    broken(home, "PRAGMA wal_checkpoint(TRUNCATE)")
    packed = bytearray(home.ledger_path.read_bytes())
    root = sqlite3.connect(home.ledger_path).execute(
        "SELECT rootpage FROM sqlite_master WHERE name = 'standings_by_annotator'"
    )
    page = 4096 * (root.fetchone()[0] - 1)
    packed[page + 3 : page + 5] = b"\0\0"  # an index that has lost its entries
    home.ledger_path.write_bytes(packed)
    assert any("the ledger is damaged" in problem for problem in problems(home, played))


def test_a_damaged_weights_file_and_another_one_served_are_noticed(home, ledger):
    served = ledger.served()
    status = {"promotion": served.number, "weights_id": served.weights_id}
    assert checks.check_served(home.folder, status) == []
    (said,) = checks.check_served(home.folder, status | {"weights_id": "feedfeedfeedfeed"})
    assert "the newest promotion is" in said
    path = home.weights / f"{served.weights_id}.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    (said,) = checks.check_served(home.folder, status)
    assert "the served weights are not whole" in said


def test_an_answer_of_other_weights_than_said_is_noticed(home, ledger):
    snapshot = Snapshot.of(load_weights(home.weights, ledger.served().weights_id), 0)
    seen = snapshot.answer(PLAIN[1]).prediction
    told = Told("id", "try", 1, seen, ledger.served().weights_id, PLAIN[1])
    assert checks.check_answer(snapshot, told) == []
    other = Snapshot.of(random_weights(home.weights, 3), 0)
    drawing = next(
        PLAIN[d] for d in range(10) if other.answer(PLAIN[d]).prediction != snapshot.answer(PLAIN[d]).prediction
    )
    told = Told("id", "try", 1, snapshot.answer(drawing).prediction, "these", drawing)
    (said,) = checks.check_answer(other, told)
    assert "weights these read attempt id as a" in said


def test_a_fault_that_goes_wrong_is_a_problem_and_misses_what_was_asked(monkeypatch):
    def fails(session):
        raise DidNotCome("within 1 s it did not come about that it mended")

    class Broken:
        apps = [object()]  # noqa: RUF012

        def problems(self):
            return ["attempt 1 was acknowledged and is not in the ledger"]

    from benchmarks.faults.__main__ import make

    found = Found()
    make(Broken(), Kind("server killed", fails, 1), found)
    assert found.problems == [
        "server killed: within 1 s it did not come about that it mended",
        "server killed: attempt 1 was acknowledged and is not in the ledger",
    ]
    section = as_section(Result(1, {"server killed": found}))
    assert [row.what for row in section.missed] == ["server killed", "all problems"]


def test_a_stage_no_worker_was_killed_at_is_missed():
    kinds = {f"worker killed at: {stage}": Found(1, 1) for stage in STAGES}
    result = Result(1, kinds)
    result.stages.update(STAGES[1:])
    assert [row.ours for row in as_section(result).missed] == [f"{len(STAGES) - 1} of {len(STAGES)}"]


@pytest.mark.parametrize("faults", [10, len(KINDS), 50, 500])
def test_faults_are_shared_out_by_share_and_every_kind_has_one(faults):
    shared = shared_out(faults, KINDS)
    assert len(shared) == faults
    assert len(set(shared)) == min(faults, len(KINDS))


def test_a_session_keeps_whole_copies_and_damages_what_it_says(home, ledger):
    session = Session(random.Random(1))
    try:
        weights = random_weights(session.home.weights, 1)
        for _ in range(5):
            session.damage(weights.id)
            assert checks.check_file(session.home.folder, weights.id)
            random_weights(session.home.weights, 1)
    finally:
        session.__exit__(None, None, None)


def test_runs_on_several_folders_are_summed_up_as_one():
    def one(seed, problems):
        result = Result(
            seed, {"server killed": Found(2, 2, problems)}, Counter(written=1), 10, 1, 2, Counter(promoted=3)
        )
        result.closings = Found(0, 1, [])
        result.seconds = 10.0 * seed
        return from_figures(as_section(result).figures)

    whole = joined([one(1, []), one(2, ["server killed: lost"])])
    assert (whole.seed, whole.attempts, whole.refused, whole.answers_lost, whole.seconds) == (1, 20, 2, 4, 20.0)
    assert whole.kinds["server killed"] == Found(4, 4, ["server killed: lost"])
    assert (whole.closings.checks, whole.stages, whole.rounds) == (2, {"written": 2}, {"promoted": 6})
    assert as_section(whole).broken
