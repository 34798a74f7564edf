import json
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime

import pytest

from flagging.attempts import Refused
from flagging.database import LedgerUnavailable
from flagging.decisions import RoundCounts
from flagging.home import Home, kept_key
from flagging.ledger import Ledger
from tests.made import FakeAnswer, add_attempts, add_fooling, close


def test_an_attempt_is_kept_with_everything_that_answered_it(ledger):
    answer = FakeAnswer(prediction=3, promotion=0, weights_id=ledger.served().weights_id)
    recorded = ledger.record_attempt(answer, 1, ledger.annotator("somebody"), "try-0001")
    (kept,) = ledger.attempts()
    assert kept == recorded
    assert (kept.label, kept.prediction, kept.model_wrong) == (1, 3, True)
    assert json.loads(kept.strokes) == answer.strokes
    assert kept.image.startswith(b"\x89PNG")
    assert kept.probabilities == list(answer.probabilities)
    assert (kept.promotion, kept.round, kept.raster_version) == (0, 1, 1)
    assert datetime.fromisoformat(kept.created_at).tzinfo == UTC


@pytest.mark.parametrize("label", [-1, 10, 12, "seven", "7", None, True, 3.0, [1], {}])
def test_a_label_that_is_no_digit_is_refused_and_nothing_recorded(ledger, label):
    with pytest.raises(Refused, match="choose the digit you meant to draw, 0 to 9"):
        ledger.record_attempt(FakeAnswer(), label, "ann", "try-0001")
    assert ledger.totals() == RoundCounts(0, 0, 0)


def test_a_repeated_request_counts_once(ledger):
    first = ledger.record_attempt(FakeAnswer(), 1, "ann", "try-0001")
    assert ledger.record_attempt(FakeAnswer(), 1, "ann", "try-0001") == first
    assert ledger.totals() == RoundCounts(tries=1, attempts=1, fooling=1, pending=1)


def test_a_try_is_not_submitted_a_second_time_as_something_else(ledger):
    ledger.record_attempt(FakeAnswer(), 1, "ann", "try-0001")
    for answer, label in ((FakeAnswer(), 2), (FakeAnswer(strokes=[[[1, 2]]]), 1)):
        with pytest.raises(Refused, match="this drawing was recorded already, as a 1; clear the canvas"):
            ledger.record_attempt(answer, label, "ann", "try-0001")
    assert ledger.totals().attempts == 1


@pytest.mark.parametrize("decision", ["promoted", "refused", "rolled back"])
def test_a_drawing_begun_before_a_decision_and_submitted_after_it_is_a_try_of_both_rounds(ledger, decision):
    ledger.record_try("try-0001", "ann", 0)
    ledger.close_round(decision, "for the test", "feedfeedfeedfeed", {}, began=ledger.open_round())
    served = ledger.served()
    ledger.record_attempt(FakeAnswer(promotion=served.number, weights_id=served.weights_id), 1, "ann", "try-0001")
    assert ledger.open_round().counts == RoundCounts(tries=1, attempts=1, fooling=1, pending=1)
    assert ledger.closed_rounds()[0].counts == RoundCounts(tries=1)
    before = ledger.open_round(), ledger.closed_rounds()
    ledger.recount()
    assert (ledger.open_round(), ledger.closed_rounds()) == before


def test_nobody_submits_somebody_elses_try(ledger):
    ledger.record_try("try-0001", "ann", 0)
    with pytest.raises(Refused, match="belongs to another annotator"):
        ledger.record_attempt(FakeAnswer(), 1, "bob", "try-0001")


def test_a_drawing_that_was_left_is_a_try(ledger):
    ledger.record_try("left-001", "ann", 0)
    ledger.record_try("left-001", "ann", 0)
    ledger.record_attempt(FakeAnswer(), 3, "ann", "done-001")
    assert ledger.totals() == RoundCounts(tries=2, attempts=1, fooling=0)


def test_a_retracted_attempt_stays_but_counts_nowhere(ledger):
    (attempt,) = add_fooling(ledger, 1)
    for _ in range(2):
        ledger.retract(attempt.attempt_id, attempt.annotator)
    assert ledger.totals() == RoundCounts(tries=1, attempts=0, fooling=0)
    assert ledger.open_round().ready == 0
    assert list(ledger.attempts()) == []


def test_only_who_drew_it_takes_it_back(ledger):
    (attempt,) = add_fooling(ledger, 1)
    with pytest.raises(Refused, match="this attempt is not yours"):
        ledger.retract(attempt.attempt_id, "somebody else")
    with pytest.raises(Refused, match="there is no attempt 'nonsense'"):
        ledger.retract("nonsense", attempt.annotator)
    assert ledger.open_round().ready == 1


def test_a_decision_opens_the_next_round_and_starts_counting_anew(ledger):
    add_fooling(ledger, 3)
    began = ledger.open_round()
    assert (began.number, began.ready) == (1, 3)
    used = [a.attempt_id for a in ledger.attempts()]
    ledger.close_round("promoted", "good", "feedfeedfeedfeed", {"seconds": 1}, began=began, used=used)
    now = ledger.open_round()
    assert (now.number, now.promotion, now.weights_id, now.ready) == (2, 1, "feedfeedfeedfeed", 0)
    assert now.counts == RoundCounts()
    (closed,) = ledger.closed_rounds()
    assert (closed.number, closed.counts, closed.figures) == (1, RoundCounts(3, 3, 3, pending=3), {"seconds": 1})
    assert ledger.last_closed_round() == closed


def test_what_came_while_a_model_was_trained_counts_towards_the_next(ledger):
    used = [a.attempt_id for a in add_fooling(ledger, 3)]
    began = ledger.open_round()
    late = add_fooling(ledger, 2)
    ledger.close_round("promoted", "good", "feedfeedfeedfeed", {}, began=began, used=used)
    assert ledger.open_round().ready == 2
    assert ledger.closed_rounds()[0].counts.fooling == 5  # the weights of round 1 were wrong five times
    ledger.retract(late[0].attempt_id, late[0].annotator)
    assert ledger.open_round().ready == 1


def test_retracting_a_drawing_that_was_learnt_from_takes_nothing_from_the_next_round(ledger):
    used, *_ = add_fooling(ledger, 3)
    close(ledger)
    add_fooling(ledger, 2)
    ledger.retract(used.attempt_id, used.annotator)
    assert ledger.open_round().ready == 2


def test_a_refusal_keeps_the_weights_and_asks_for_as_many_again(ledger):
    served = ledger.served()
    add_fooling(ledger, 3)
    close(ledger, "refused")
    assert ledger.served() == served
    assert (ledger.open_round().number, ledger.open_round().ready) == (2, 0)


def test_rolling_back_uses_no_drawing(ledger):
    round0 = ledger.served().weights_id
    close(ledger)
    add_fooling(ledger, 2)
    close(ledger, "rolled back", round0)
    assert [p.weights_id for p in ledger.promotions()] == [round0, "feedfeedfeedfeed", round0]
    assert [p.number for p in ledger.promotions()] == [0, 1, 2]
    assert ledger.open_round().ready == 2


def test_two_decisions_on_one_round_do_not_both_stand(ledger):
    began = ledger.open_round()
    ledger.close_round("promoted", "first", "feedfeedfeedfeed", {}, began=began)
    with pytest.raises(Refused, match="round 1 was closed by somebody else meanwhile"):
        ledger.close_round("promoted", "second", "beefbeefbeefbeef", {}, began=began)
    assert ledger.served().weights_id == "feedfeedfeedfeed"


def test_a_drawing_answered_just_before_a_swap_is_charged_to_the_weights_that_answered(ledger):
    before = FakeAnswer(promotion=0, weights_id=ledger.served().weights_id)
    ledger.close_round("promoted", "good", "feedfeedfeedfeed", {}, began=ledger.open_round())
    attempt = ledger.record_attempt(before, 1, "ann", "try-0001")
    assert (attempt.round, attempt.promotion) == (1, 0)
    assert ledger.closed_rounds()[0].counts.fooling == 1
    assert ledger.open_round().counts.attempts == 0
    assert ledger.open_round().ready == 1  # nobody has learnt from it yet


def test_the_test_set_of_a_round_is_frozen_by_ids(ledger):
    for number in range(40):
        add_fooling(ledger, 1, annotator=f"annotator-{number}")
    held_out = [a.attempt_id for a in ledger.attempts(split="test", fooling_only=True)]
    closed = close(ledger)
    add_fooling(ledger, 10, annotator="later")
    assert ledger.closed_rounds() == [closed]
    assert closed.test_set == held_out
    assert 0 < len(held_out) < 40


def test_a_fifth_is_held_out_and_one_hands_variants_stay_together(ledger):
    splits = {}
    for number in range(400):
        a, b = add_attempts(ledger, 2, annotator=f"annotator-{number}")
        assert a.split == b.split
        splits[number] = a.split
    assert 50 < list(splits.values()).count("test") < 110


def test_annotators_are_hashes_that_depend_on_the_key(tmp_path, ledger):
    other = Home(tmp_path / "elsewhere").open_ledger(create=True)
    assert ledger.annotator("me") == ledger.annotator("me") != other.annotator("me")
    assert "me" not in ledger.annotator("me")
    assert Home(tmp_path / "elsewhere").open_ledger().annotator("me") == other.annotator("me")


def test_a_person_is_shown_all_their_own_drawings_in_pages_whatever_became_of_them(ledger):
    mine, account = ledger.annotator("mine"), ledger.annotator("account")
    here = add_fooling(ledger, 3, annotator="mine")
    there = add_attempts(ledger, 3, label=3, annotator="account")  # they did not fool it
    add_fooling(ledger, 2, annotator="somebody else")
    ledger.retract(here[0].attempt_id, mine)
    ledger.hide(here[1].attempt_id)
    page, following = ledger.drawn_by(mine, account, count=4)
    rest, end = ledger.drawn_by(mine, account, before=following, count=4)
    assert [d.attempt.attempt_id for d in page + rest] == [a.attempt_id for a in reversed(here + there)]
    assert (len(page), len(rest), end) == (4, 2, None)
    marks = {d.attempt.attempt_id: (d.retracted, d.hidden) for d in page + rest if d.retracted or d.hidden}
    assert marks == {here[0].attempt_id: (True, False), here[1].attempt_id: (False, True)}
    assert len(ledger.drawn_by(account)[0]) == 3
    assert ledger.drawn_by("nobody") == ([], None)


def test_a_space_needs_a_key_that_outlives_its_disk(tmp_path):
    space = {"HOODWINK_HOME": str(tmp_path), "SPACE_ID": "alice/hoodwink"}
    with pytest.raises(ValueError, match="HOODWINK_ANNOTATOR_KEY is not set; a Space forgets its disk"):
        Home.from_environment(space)
    assert Home.from_environment(space | {"HOODWINK_ANNOTATOR_KEY": "k" * 16}).annotator_key == b"k" * 16


def test_the_key_is_made_once_and_readable_by_its_owner_only(tmp_path):
    keys = {kept_key(tmp_path) for _ in range(2)}
    assert len(keys) == 1
    assert (tmp_path / "annotator.key").stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.iterdir()] == ["annotator.key"]


def test_the_running_totals_can_be_rebuilt_from_the_rows(home, ledger):
    add_attempts(ledger, 3)
    add_attempts(ledger, 2, label=3)
    close(ledger)
    late = add_fooling(ledger, 4)
    ledger.retract(late[0].attempt_id, late[0].annotator)
    ledger.record_try("left-001", "ann", 1)
    before = ledger.open_round(), ledger.closed_rounds(), ledger.totals()
    with sqlite3.connect(home.ledger_path) as db:
        db.execute("UPDATE round_counts SET tries = 99, attempt = 99, fooling = 99, ready = 99")
    db.close()
    ledger.recount()
    assert (ledger.open_round(), ledger.closed_rounds(), ledger.totals()) == before


def test_a_withdrawal_really_deletes(home, ledger):
    mine = FakeAnswer(strokes=[[[77.125, 60], [140, 220]]])
    ledger.record_attempt(mine, 1, ledger.annotator("me"), "mine-0001")
    add_fooling(ledger, 1, annotator="you")
    assert ledger.withdraw(ledger.annotator("me")) == 1
    assert ledger.totals() == RoundCounts(tries=1, attempts=1, fooling=1, pending=1)
    ledger.close()
    for file in home.folder.glob("ledger.sqlite*"):
        assert b"77.125" not in file.read_bytes()


def test_tidying_brings_what_was_recorded_into_the_file_itself(home, ledger, tmp_path):
    add_fooling(ledger, 30)

    def in_the_file_alone():
        (tmp_path / "copy.sqlite").write_bytes(home.ledger_path.read_bytes())
        with closing(sqlite3.connect(tmp_path / "copy.sqlite")) as db:
            return db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] and len(
                db.execute("SELECT 1 FROM attempts").fetchall()
            )

    assert in_the_file_alone() == 0
    ledger.tidy()
    assert in_the_file_alone() == ledger.totals().attempts == 30


def test_a_copy_that_somebody_s_reading_kept_is_overwritten_once_they_have_ended(home, ledger, monkeypatch):
    add_fooling(ledger, 1, annotator="me")
    monkeypatch.setattr("flagging.database.BUSY_SECONDS", 0.05)
    ledger.close()
    reader = sqlite3.connect(home.ledger_path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM attempts").fetchone()
    assert ledger.withdraw(ledger.annotator("me")) == 1
    assert not ledger.forget()
    reader.execute("COMMIT")
    reader.close()
    assert ledger.forget()
    assert all(b"PNG" not in file.read_bytes() for file in home.folder.iterdir() if file.is_file())


def test_threads_and_processes_write_at_once_and_lose_nothing(home, ledger):
    code = (
        "import sys; from pathlib import Path; from flagging.home import Home; from tests.made import add_fooling\n"
        f"add_fooling(Home(Path({str(home.folder)!r}), {home.annotator_key!r}).open_ledger(), 50, annotator=sys.argv[1])"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code, f"process-{i}"]) for i in range(2)]
    threads = [
        threading.Thread(target=lambda i=i: [add_fooling_and_close(ledger, i) for _ in range(1)]) for i in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [process.wait(60) for process in processes] == [0, 0]
    assert ledger.totals() == RoundCounts(200, 200, 200, pending=200)
    assert len(list(ledger.attempts())) == 200


def add_fooling_and_close(ledger: Ledger, number: int) -> None:
    add_fooling(ledger, 25, annotator=f"thread-{number}")
    ledger.close()


def test_a_ledger_that_cannot_be_written_says_so_and_keeps_what_it_has(ledger, home, monkeypatch):
    add_fooling(ledger, 1)
    monkeypatch.setattr("flagging.database.BUSY_SECONDS", 0.05)
    ledger.close()
    blocker = sqlite3.connect(home.ledger_path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerUnavailable, match=r"ledger\.sqlite could not be used .*locked.* nothing was saved"):
        add_fooling(ledger, 1, annotator="late")
    blocker.execute("ROLLBACK")
    blocker.close()
    assert len(add_fooling(ledger, 1, annotator="late")) == 1
    assert ledger.totals().attempts == 2


def test_a_file_that_is_no_ledger_is_named(tmp_path):
    (tmp_path / "ledger.sqlite").write_bytes(b"something else entirely" * 100)
    with pytest.raises(LedgerUnavailable, match=r"ledger\.sqlite could not be used \(file is not a database\)"):
        Home(tmp_path).open_ledger()


def test_a_ledger_of_a_newer_version_is_left_alone(home, ledger):
    with sqlite3.connect(home.ledger_path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(LedgerUnavailable, match="written by a newer Hoodwink"):
        home.open_ledger()


def test_without_a_ledger_the_commands_say_what_to_do(home):
    with pytest.raises(Refused, match="start the app once or set HOODWINK_HOME"):
        home.open_ledger()


@pytest.mark.parametrize("moment", range(0, 200, 20))
def test_a_killed_writer_leaves_every_acknowledged_attempt_once(home, moment):
    """A process prints each attempt_id it was given; it is killed; every printed id must be there, whole."""
    code = (
        "import sys; from pathlib import Path; from flagging.home import Home; from tests.made import add_fooling\n"
        f"ledger = Home(Path({str(home.folder)!r}), {home.annotator_key!r}).open_ledger(create=True); ledger.start('0123456789abcdef')\n"
        "for i in range(10**6): print(add_fooling(ledger, 1)[0].attempt_id, flush=True)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    told = [process.stdout.readline().strip() for _ in range(5 + moment)]
    process.kill()
    told += [line for line in process.stdout.read().split("\n")[:-1] if len(line) == 36]
    process.stdout.close()
    process.wait()
    kept = [attempt.attempt_id for attempt in home.open_ledger().attempts()]
    assert set(told) <= set(kept)
    assert len(kept) == len(set(kept)) <= len(told) + 1
    assert home.open_ledger().totals().attempts == len(kept)
