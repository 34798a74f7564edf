"""Judging as page and API do it: blind, recorded once, counted at once."""

import threading

import pytest

from flagging.attempts import Refused
from retrain.settings import RoundSettings
from tests.made import add_fooling
from ui.game import MAX_SKIPPED, Game

B, C = "browser:the-token-of-b", "browser:the-token-of-c"


@pytest.fixture
def game(home):
    return make(home)


def make(home, quorum=2, threshold=10):
    settings = RoundSettings(fooling_threshold=threshold, quorum=quorum)
    return Game(home, settings, live=True, maintainer_token="a token long enough", environment={})


def test_what_is_shown_before_a_vote_is_the_strokes_and_nothing_that_was_said_of_them(game):
    (drawn,) = add_fooling(game.ledger, 1)
    shown = game.next_to_judge(B)
    assert set(shown) == {"attempt_id", "strokes", "waiting", "quorum"}
    assert (shown["attempt_id"], shown["waiting"], shown["quorum"]) == (drawn.attempt_id, 1, 2)
    assert [len(stroke) for stroke in shown["strokes"]] == [2]


def test_a_vote_says_what_was_recorded_and_neither_label_nor_prediction(game):
    (drawn,) = add_fooling(game.ledger, 1)  # meant as a 1
    assert game.judge(drawn.attempt_id, 1, B) == {
        "attempt_id": drawn.attempt_id,
        "reading": 1,
        "state": "pending",
        "lacking": 1,
        "waiting": 1,
    }
    settled = game.judge(drawn.attempt_id, 1, C)
    assert (settled["state"], settled["lacking"], settled["waiting"]) == ("verified", 0, 0)
    assert game.status()["ready"] == 1


def test_nobody_is_shown_their_own_or_one_they_read(game):
    mine = add_fooling(game.ledger, 1, annotator=B)[0]
    assert game.next_to_judge(B) == {"attempt_id": None, "strokes": None, "waiting": 1, "quorum": 2}
    assert game.next_to_judge(C)["attempt_id"] == mine.attempt_id
    game.judge(mine.attempt_id, "not a digit", C)
    assert game.next_to_judge(C)["attempt_id"] is None
    with pytest.raises(Refused, match="this drawing is your own"):
        game.judge(mine.attempt_id, 1, B)


def test_a_drawing_that_was_skipped_is_not_shown_again_and_has_no_vote(game):
    first, second = add_fooling(game.ledger, 2)
    assert game.next_to_judge(B, [first.attempt_id])["attempt_id"] == second.attempt_id
    assert game.next_to_judge(B, [first.attempt_id, second.attempt_id])["attempt_id"] is None
    assert game.next_to_judge(B)["attempt_id"] == first.attempt_id
    assert game.ledger.find(first.attempt_id).lacking == 2


@pytest.mark.parametrize("skipped", [None, "all", [1], ["x" * 101], ["\ud800"], ["id"] * (MAX_SKIPPED + 1), {"a": 1}])
def test_a_list_of_skipped_drawings_that_is_none_is_refused(game, skipped):
    with pytest.raises(Refused, match="the drawings to skip are no list"):
        game.next_to_judge(B, skipped)


@pytest.mark.parametrize("reading", [10, -1, 1.0, True, "7", "", None, [7], "x" * 10_000])
def test_a_reading_that_is_none_is_refused_and_nothing_is_recorded(game, reading):
    (drawn,) = add_fooling(game.ledger, 1)
    with pytest.raises(Refused, match='send a digit, 0 to 9, or "not a digit"'):
        game.judge(drawn.attempt_id, reading, B)
    assert game.next_to_judge(B)["attempt_id"] == drawn.attempt_id


@pytest.mark.parametrize("attempt_id", [None, 7, ["id"], "\ud800", "nonsense"])
def test_an_id_of_no_drawing_is_refused_in_a_sentence(game, attempt_id):
    with pytest.raises(Refused, match=r"/next_to_judge gave|there is no drawing 'nonsense'"):
        game.judge(attempt_id, 7, B)


def test_with_quorum_0_nothing_is_shown_and_it_says_why(home):
    game = make(home, quorum=0)
    (drawn,) = add_fooling(game.ledger, 1)
    assert game.next_to_judge(B) == {"attempt_id": None, "strokes": None, "waiting": 0, "quorum": 0}
    with pytest.raises(Refused, match="nobody judges here"):
        game.judge(drawn.attempt_id, 1, B)


def test_the_vote_that_makes_a_round_due_starts_it(home, monkeypatch):
    monkeypatch.setattr("ui.game.LOOK_EVERY_SECONDS", 600)  # only the vote can wake the watcher
    game = make(home, threshold=1)
    (drawn,) = add_fooling(game.ledger, 1)
    looked, started = threading.Semaphore(0), threading.Event()
    look = game.catch_up
    monkeypatch.setattr(game, "catch_up", lambda: (look(), looked.release()))
    monkeypatch.setattr(game.worker, "start", lambda *, now: started.set() or True)
    game.start()
    try:
        assert looked.acquire(timeout=60)
        game.judge(drawn.attempt_id, 1, B)
        assert not started.is_set()
        game.judge(drawn.attempt_id, 1, C)
        assert started.wait(60)
    finally:
        game.stop()
