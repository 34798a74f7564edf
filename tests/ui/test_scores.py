"""Points, rank and targets."""

import pytest

from evaluation.test_sets import as_digits
from flagging.home import Home
from model.weights import load_weights
from tests.made import PLAIN, FakeAnswer, add_attempts, add_fooling
from ui.scores import LEAST_TRIED, Scores


@pytest.fixture
def scores(home, ledger) -> Scores:
    return Scores(ledger, home.weights)


def fool(ledger, strokes, annotator="ann", label=1, prediction=3):
    answer = FakeAnswer(prediction, 0, ledger.served().weights_id, strokes)
    return ledger.record_attempt(answer, label, ledger.annotator(annotator), f"try-{ledger.totals().tries:06d}")


def moved(strokes, by):
    return [[[x + by, y + by] for x, y in stroke] for stroke in strokes]


def test_a_copy_scores_nothing_whoever_draws_it(ledger, scores):
    first = fool(ledger, PLAIN[8])
    assert scores.note(first)
    assert not scores.note(fool(ledger, moved(PLAIN[8], 1)))
    assert not scores.note(fool(ledger, PLAIN[8], annotator="somebody else"))
    assert scores.note(fool(ledger, PLAIN[4]))  # another shape
    assert scores.note(fool(ledger, PLAIN[8], label=2))  # the same, meant as another digit
    assert ledger.score(first.annotator).points == 3


def test_the_same_attempt_is_noted_once(ledger, scores):
    attempt = fool(ledger, PLAIN[8])
    assert scores.note(attempt)
    assert scores.note(attempt)
    assert ledger.score(attempt.annotator).points == 1


def test_two_servers_on_one_folder_know_of_each_others_drawings(home, ledger, scores):
    assert scores.note(fool(ledger, PLAIN[8]))
    other = Scores(Home(home.folder, home.annotator_key).open_ledger(), home.weights)
    assert not other.note(fool(ledger, PLAIN[8]))
    assert other.note(fool(ledger, PLAIN[4]))
    assert not scores.note(fool(ledger, PLAIN[4]))


def test_drawings_recorded_without_a_score_get_one_later(ledger, scores):
    drawn = add_fooling(ledger, 3)
    assert ledger.score(drawn[0].annotator).points == 0
    scores.note_missed()
    assert ledger.score(drawn[0].annotator).points == 3
    assert ledger.without_likeness(10) == []


def test_a_retracted_drawing_scores_nothing(ledger, scores):
    attempt = fool(ledger, PLAIN[8])
    scores.note(attempt)
    ledger.retract(attempt.attempt_id, attempt.annotator)
    assert ledger.score(attempt.annotator).points == 0


def test_after_a_withdrawal_copies_still_score_nothing(ledger, scores):
    gone = fool(ledger, PLAIN[8], annotator="gone")
    scores.note(gone)
    ledger.withdraw(gone.annotator)
    scores.forget()
    assert scores.note(fool(ledger, PLAIN[4]))
    assert not scores.note(fool(ledger, PLAIN[4]))
    assert scores.note(fool(ledger, PLAIN[8]))  # the one before it is gone for good


def test_the_rank_counts_those_with_more_points(ledger, scores):
    # Each another digit, so that no two are alike.
    for label, annotator, count in ((4, "a", 3), (2, "b", 2), (7, "c", 2), (9, "d", 1)):
        for attempt in add_attempts(ledger, count, label=label, annotator=annotator):
            scores.note(attempt)
    ranks = {name: scores.score_of(ledger.annotator(name)) for name in "abcde"}
    assert [ranks[name]["rank"] for name in "abcde"] == [1, 2, 2, 4, None]
    assert ranks["a"]["players"] == 4


def test_targets_are_pairs_that_fooled_it_least_often(ledger, scores):
    for meant in range(10):
        for seen in range(10):
            if meant != seen and (meant, seen) != (4, 9):
                for number in range(2):
                    fool(ledger, [[[10, 10], [20 + meant, 200 + seen + number]]], label=meant, prediction=seen)
    targets = [scores.score_of("me")["target"] for _ in range(200)]
    assert {(t["label"], t["prediction"]) for t in targets} >= {(4, 9)}
    assert len({(t["label"], t["prediction"]) for t in targets}) > LEAST_TRIED  # ties fall as they may
    assert [(t["label"], t["prediction"]) for t in targets].count((4, 9)) > 5
    assert all(t["label"] != t["prediction"] for t in targets)


def test_likeness_is_measured_on_what_the_model_sees(home, ledger, scores):
    attempt = fool(ledger, PLAIN[8])
    scores.note(attempt)
    ((_, features),) = ledger.likenesses(1, after=0, count=10)
    assert len(features) == 50 * 4
    assert as_digits([attempt]).images.shape == (1, 28, 28)
    assert load_weights(home.weights, ledger.promotions()[0].weights_id).card.round == 0
