"""Judging: blind readings by others decide whether a drawing counts."""

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagging.attempts import Refused
from flagging.decisions import RoundCounts
from flagging.judging import Standing, judge
from tests.made import add_attempts, add_fooling, close

NOT = None  # "not a digit"


@pytest.mark.parametrize(
    ("readings", "state", "judged_label"),
    [
        ([], "pending", None),
        ([1], "pending", None),
        ([1, 1], "verified", 1),
        ([7, 1, 1], "verified", 1),
        ([7, 7], "corrected", 7),
        ([3, 3], "rejected", 3),  # they read what the model saw
        ([NOT, NOT], "ambiguous", None),
        ([1, 7, NOT, 4, 5], "ambiguous", None),
        ([1, 7, NOT, 4], "pending", None),
        ([1, 7, NOT, 4, 1], "verified", 1),
        ([1, 1, 7, 7, 7], "verified", 1),  # decided is decided
    ],
)
def test_two_votes_that_agree_decide_and_five_without_agreement_are_ambiguous(readings, state, judged_label):
    standing = judge(label=1, prediction=3, readings=readings, quorum=2)
    assert (standing.state, standing.judged_label) == (state, judged_label)


def test_verified_and_corrected_are_fooling_and_nothing_else_is():
    fooling = {
        state for state in ("pending", "verified", "corrected", "rejected", "ambiguous") if Standing(state).is_fooling
    }
    assert fooling == {"verified", "corrected"}


@given(st.lists(st.none() | st.integers(0, 9), max_size=12), st.integers(1, 4))
def test_a_decision_comes_after_2k_plus_1_votes_at_the_latest_and_stays(readings, quorum):
    standing = judge(1, 3, readings, quorum)
    assert (standing.state == "pending") == (standing.lacking > 0)
    if len(readings) > 2 * quorum:
        assert standing.state != "pending"
    for more in (1, 3, 7, None):
        if standing.state != "pending":
            assert judge(1, 3, [*readings, more], quorum) == standing
        # `lacking` never promises a decision later than it can come.
        elif standing.lacking == 1 and max(readings, key=readings.count, default=1) == more:
            assert judge(1, 3, [*readings, more], quorum).state != "pending"


def test_a_drawing_counts_once_two_others_read_what_was_meant(ledger):
    ledger.use_quorum(2)
    (drawn,) = add_fooling(ledger, 1)
    assert ledger.open_round().ready == 0
    assert ledger.record_vote(drawn.attempt_id, 1, "judge-a").state == "pending"
    assert ledger.open_round().counts == RoundCounts(1, 1, 1, verified=0, pending=1)
    judged = ledger.record_vote(drawn.attempt_id, 1, "judge-b")
    assert (judged.state, judged.digit) == ("verified", 1)
    assert ledger.open_round().ready == 1
    assert ledger.open_round().counts == RoundCounts(1, 1, 1, verified=1, pending=0)


def test_a_corrected_drawing_is_learnt_as_what_others_read(ledger):
    ledger.use_quorum(1)
    (drawn,) = add_fooling(ledger, 1)  # meant as a 1, seen as a 3
    assert ledger.record_vote(drawn.attempt_id, 7, "judge").state == "corrected"
    (kept,) = ledger.attempts(usable_only=True)
    assert (kept.label, kept.digit) == (1, 7)


@pytest.mark.parametrize("reading", [3, "not a digit"])
def test_a_drawing_that_did_not_fool_or_is_illegible_never_counts(ledger, reading):
    ledger.use_quorum(1)
    (drawn,) = add_fooling(ledger, 1)
    assert ledger.record_vote(drawn.attempt_id, reading, "judge").state in ("rejected", "ambiguous")
    assert list(ledger.attempts(usable_only=True)) == []
    assert ledger.open_round().ready == 0


def test_with_quorum_0_a_fooling_drawing_counts_at_once_and_nobody_judges(ledger):
    (drawn,) = add_fooling(ledger, 1)
    assert ledger.open_round().ready == 1
    assert ledger.next_to_judge("judge") is None
    with pytest.raises(Refused, match="nobody judges here"):
        ledger.record_vote(drawn.attempt_id, 1, "judge")


def test_nobody_judges_their_own_or_twice(ledger):
    ledger.use_quorum(2)
    (drawn,) = add_fooling(ledger, 1)
    assert ledger.next_to_judge(drawn.annotator) is None
    with pytest.raises(Refused, match="this drawing is your own"):
        ledger.record_vote(drawn.attempt_id, 1, drawn.annotator)
    assert ledger.next_to_judge("judge").attempt_id == drawn.attempt_id
    ledger.record_vote(drawn.attempt_id, 1, "judge")
    assert ledger.next_to_judge("judge") is None
    ledger.record_vote(drawn.attempt_id, 1, "judge")  # the same request again: its answer was lost
    with pytest.raises(Refused, match="nobody judges twice"):
        ledger.record_vote(drawn.attempt_id, 7, "judge")
    assert ledger.find(drawn.attempt_id).state == "pending"


def test_the_drawing_nearest_to_a_decision_comes_first_then_the_oldest(ledger):
    ledger.use_quorum(2)
    first, second, third = add_fooling(ledger, 3)
    assert ledger.next_to_judge("me").attempt_id == first.attempt_id
    ledger.record_vote(third.attempt_id, 4, "judge")
    assert ledger.next_to_judge("me").attempt_id == third.attempt_id
    ledger.record_vote(third.attempt_id, 4, "me")
    assert ledger.next_to_judge("me").attempt_id == first.attempt_id
    ledger.record_vote(first.attempt_id, "not a digit", "me")
    assert ledger.next_to_judge("me").attempt_id == second.attempt_id


def test_what_did_not_fool_was_taken_back_or_is_hidden_is_not_up_for_judging(ledger):
    ledger.use_quorum(2)
    (harmless,) = add_attempts(ledger, 1, label=3)
    back, hidden = add_fooling(ledger, 2)
    ledger.retract(back.attempt_id, back.annotator)
    ledger.hide(hidden.attempt_id)
    assert ledger.next_to_judge("judge") is None
    for drawn in (harmless, back, hidden):
        with pytest.raises(Refused, match="not up for judging any more"):
            ledger.record_vote(drawn.attempt_id, 1, "judge")


@pytest.mark.parametrize("reading", [-1, 10, 1.0, True, "1", None, [1], "digit"])
def test_a_reading_that_is_none_is_refused(ledger, reading):
    ledger.use_quorum(2)
    (drawn,) = add_fooling(ledger, 1)
    with pytest.raises(Refused, match='send a digit, 0 to 9, or "not a digit"'):
        ledger.record_vote(drawn.attempt_id, reading, "judge")
    assert ledger.next_to_judge("judge") is not None


def test_a_drawing_verified_after_a_decision_counts_towards_the_next(ledger):
    ledger.use_quorum(1)
    early, late = add_fooling(ledger, 2)
    ledger.record_vote(early.attempt_id, 1, "judge")
    close(ledger)
    assert ledger.open_round().ready == 0
    ledger.record_vote(late.attempt_id, 1, "judge")
    assert ledger.open_round().ready == 1
    assert ledger.closed_rounds()[0].counts.verified == 2  # both fooled the weights of round 1


def test_hiding_takes_a_drawing_out_of_every_count_and_can_be_undone(ledger):
    kept, hidden = add_fooling(ledger, 2)
    ledger.hide(hidden.attempt_id)
    assert [a.attempt_id for a in ledger.attempts()] == [kept.attempt_id]
    assert [a.attempt_id for a in ledger.gallery()[0]] == [kept.attempt_id]
    assert (ledger.totals().attempts, ledger.open_round().ready) == (1, 1)
    ledger.hide(hidden.attempt_id, hidden=False)
    assert (ledger.totals().attempts, ledger.open_round().ready) == (2, 2)


def test_another_quorum_judges_the_votes_there_are_anew(ledger):
    ledger.use_quorum(2)
    (drawn,) = add_fooling(ledger, 1)
    ledger.record_vote(drawn.attempt_id, 1, "judge")
    ledger.use_quorum(1)
    assert ledger.find(drawn.attempt_id).state == "verified"
    # Switched off, judging leaves the states as they are, and everything counts.
    add_fooling(ledger, 1)
    ledger.use_quorum(0)
    assert ledger.find(drawn.attempt_id).state == "verified"
    assert ledger.open_round().ready == 2


def test_totals_with_votes_hidings_and_scores_can_be_rebuilt(home, ledger):
    ledger.use_quorum(1)
    drawn = [*add_fooling(ledger, 4), *add_fooling(ledger, 3, annotator="other")]
    for attempt, reading in zip(drawn, [1, 7, 3, "not a digit", 1, 1], strict=False):
        ledger.record_vote(attempt.attempt_id, reading, "judge")
    for number, attempt in enumerate(drawn):
        ledger.record_likeness(attempt.attempt_id, b"", is_new=number % 2 == 0)
    ledger.hide(drawn[5].attempt_id)
    ledger.retract(drawn[0].attempt_id, drawn[0].annotator)
    close(ledger)

    def all_of_it():
        scores = [ledger.score(a.annotator) for a in drawn]
        return ledger.open_round(), ledger.closed_rounds(), ledger.totals(), scores, ledger.pair_counts()

    before = all_of_it()
    with sqlite3.connect(home.ledger_path) as db:
        db.execute("DELETE FROM standings")
        db.execute("DELETE FROM scores")
        db.execute("DELETE FROM pair_counts")
        db.execute("UPDATE round_counts SET tries = 99, verified = 99, usable = 99")
    db.close()
    ledger.recount()
    assert all_of_it() == before


def test_a_score_counts_new_drawings_that_are_usable(ledger):
    ledger.use_quorum(1)
    mine, yours = add_fooling(ledger, 3, annotator="me"), add_fooling(ledger, 2, annotator="you")
    for attempt in [*mine, *yours]:
        ledger.record_likeness(attempt.attempt_id, b"", is_new=attempt.attempt_id != mine[1].attempt_id)
    assert ledger.score(mine[0].annotator).rank is None
    assert ledger.score(mine[0].annotator).waiting == 3
    for attempt in [*mine, yours[0]]:
        ledger.record_vote(attempt.attempt_id, 1, "judge")
    assert (ledger.score(mine[0].annotator).points, ledger.score(mine[0].annotator).rank) == (2, 1)
    assert (ledger.score(yours[0].annotator).points, ledger.score(yours[0].annotator).rank) == (1, 2)
    assert ledger.score(yours[0].annotator).players == 2


def test_the_gallery_filters_and_turns_pages(ledger):
    threes = add_attempts(ledger, 3, label=4, prediction=9)
    ones = add_fooling(ledger, 4)
    page, more = ledger.gallery(count=5)
    assert [a.attempt_id for a in page] == [a.attempt_id for a in [*reversed(ones), threes[2]]]
    rest, end = ledger.gallery(count=5, before=more)
    assert [a.attempt_id for a in rest] == [threes[1].attempt_id, threes[0].attempt_id]
    assert end is None
    assert len(ledger.gallery(label=4)[0]) == 3
    assert ledger.gallery(round_number=2)[0] == []
    assert len(ledger.gallery(state="pending")[0]) == 7


def test_a_withdrawal_moves_the_totals_by_what_it_deletes(ledger):
    mine, yours = add_fooling(ledger, 3, annotator="me"), add_fooling(ledger, 2, annotator="you")
    ledger.record_try("left-001", mine[0].annotator, 0)
    ledger.withdraw(mine[0].annotator)
    after = ledger.totals(), ledger.open_round(), ledger.pair_counts(), ledger.score(yours[0].annotator)
    assert after[0] == RoundCounts(tries=2, attempts=2, fooling=2, pending=2)
    ledger.recount()
    assert (ledger.totals(), ledger.open_round(), ledger.pair_counts(), ledger.score(yours[0].annotator)) == after


def test_a_withdrawal_takes_the_votes_on_its_drawings_with_it(ledger):
    ledger.use_quorum(1)
    (mine,) = add_fooling(ledger, 1, annotator="me")
    ledger.record_vote(mine.attempt_id, 1, "judge")
    ledger.record_likeness(mine.attempt_id, b"", is_new=True)
    close(ledger)
    assert ledger.withdraw(mine.annotator) == 1
    assert ledger.totals() == RoundCounts()
    assert ledger.score(mine.annotator).points == 0
    assert ledger.pair_counts() == {}
