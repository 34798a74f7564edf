"""The gallery's server functions: pages, filters, what is told of a drawing, and hiding."""

import json

import pytest

from flagging.attempts import Refused
from retrain.settings import RoundSettings
from tests.made import add_attempts, add_fooling, close
from ui import gallery as module
from ui.gallery import gallery, page, thinned
from ui.game import Game

TOKEN = "a token long enough"
NO_SESSION = None  # a request that is never looked at: nobody can sign in here


@pytest.fixture
def game(home):
    return Game(home, RoundSettings(auto_retrain=False), live=True, maintainer_token=TOKEN, environment={})


@pytest.fixture
def server(game):
    """The functions a browser can call."""
    return {function.__name__: function for function in gallery(game).server_fns}


def ids(answer):
    return [drawing["id"] for drawing in answer["drawings"]]


def test_it_shows_fooling_drawings_newest_first_and_no_others(game):
    first, second = add_fooling(game.ledger, 2)
    add_attempts(game.ledger, 3, label=4, prediction=4)
    answer = page(game.ledger, {})
    assert ids(answer) == [second.attempt_id, first.attempt_id]
    assert answer["next"] is None


def test_what_is_told_of_a_drawing_has_nothing_of_its_annotator(game):
    (attempt,) = add_fooling(game.ledger, 1)
    (told,) = page(game.ledger, {})["drawings"]
    assert told == {
        "id": attempt.attempt_id,
        "strokes": json.loads(attempt.strokes),
        "label": 1,
        "prediction": 3,
        "share": 0.91,
        "state": "counts",
        "judged_label": None,
        "round": 1,
        "weights_id": attempt.weights_id,
        "created_at": attempt.created_at,
    }
    assert attempt.annotator not in json.dumps(told)


def test_what_others_are_to_read_blind_is_shown_without_what_was_meant_or_seen(game):
    game.ledger.use_quorum(1)
    judged, pending = add_fooling(game.ledger, 2)
    game.ledger.record_vote(judged.attempt_id, 1, "judge")
    told = {drawing["id"]: drawing for drawing in page(game.ledger, {})["drawings"]}
    assert [told[pending.attempt_id][name] for name in ("label", "prediction", "share")] == [None, None, None]
    assert (told[judged.attempt_id]["label"], told[judged.attempt_id]["prediction"]) == (1, 3)
    # Nor does the filter by digit tell it.
    assert ids(page(game.ledger, {"label": 1})) == [judged.attempt_id]


def test_pages_follow_each_other_without_gap_or_repetition(game, monkeypatch):
    monkeypatch.setattr(module, "PER_PAGE", 4)
    made = [a.attempt_id for a in reversed(add_fooling(game.ledger, 10))]
    seen, before = [], None
    for size in (4, 4, 2):
        answer = page(game.ledger, {"before": before})
        assert len(answer["drawings"]) == size
        seen += ids(answer)
        before = answer["next"]
    assert (seen, before) == (made, None)


def test_it_filters_by_digit_round_and_state(game):
    game.ledger.use_quorum(1)
    (one,) = add_attempts(game.ledger, 1, label=1)
    (four,) = add_attempts(game.ledger, 1, label=4)
    game.ledger.record_vote(four.attempt_id, 4, game.ledger.annotator("bob"))
    close(game.ledger)
    (late,) = add_attempts(game.ledger, 1, label=4)
    assert ids(page(game.ledger, {"label": 4})) == [four.attempt_id]  # the other is to be read blind
    assert ids(page(game.ledger, {"label": 4, "round": 1})) == [four.attempt_id]
    assert ids(page(game.ledger, {"state": "pending"})) == [late.attempt_id, one.attempt_id]
    assert ids(page(game.ledger, {"state": "verified"})) == [four.attempt_id]
    assert ids(page(game.ledger, {"label": 7})) == []


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({"label": 10}, "label is 10; send a digit, 0 to 9"),
        ({"label": True}, "label is True; send a digit"),
        ({"label": "4"}, "label is '4'; send a digit"),
        ({"round": 0}, "round is 0; send a whole number from 1"),
        ({"round": 1.0}, "round is 1.0; send a whole number"),
        ({"before": -1}, "before is -1; send a whole number from 0"),
        ({"before": 10**30}, "before is 1000"),
        ({"state": "hidden"}, "state is 'hidden'; choose one of pending, verified, corrected, rejected, ambiguous"),
        ({"state": ["pending"]}, r"state is \['pending'\]; choose one of"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(game, sent, sentence):
    with pytest.raises(Refused, match=sentence):
        page(game.ledger, sent)


@pytest.mark.parametrize("data", [None, 7, "x", [1]])
def test_server_functions_answer_anything_with_a_sentence(server, data):
    assert server["drawings"](data) == {"error": "the page sent something unexpected; reload it"}
    assert "needs the maintainer token" in server["hide"](data, NO_SESSION)["error"]


def test_the_same_page_is_not_sent_twice(game):
    (attempt,) = add_fooling(game.ledger, 1)
    answer = page(game.ledger, {})
    assert page(game.ledger, {"version": answer["version"]}) == {"version": answer["version"]}
    game.ledger.hide(attempt.attempt_id)
    assert page(game.ledger, {"version": answer["version"]})["drawings"] == []


def test_hiding_needs_the_token_and_deletes_nothing(game, server):
    first, second = add_fooling(game.ledger, 2)
    sent = {"attempt_id": first.attempt_id, "hidden": True}
    for token in (None, "", "wrong", 7):
        assert "needs the maintainer token" in server["hide"]({**sent, "token": token}, NO_SESSION)["error"]
    assert len(page(game.ledger, {})["drawings"]) == 2
    assert server["hide"]({**sent, "token": TOKEN}, NO_SESSION) == {"attempt_id": first.attempt_id, "hidden": True}
    assert ids(page(game.ledger, {})) == [second.attempt_id]
    assert game.status()["fooling"] == 1
    assert game.ledger.find(first.attempt_id).strokes == first.strokes
    server["hide"]({**sent, "token": TOKEN, "hidden": False}, NO_SESSION)
    assert len(page(game.ledger, {})["drawings"]) == 2


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"attempt_id": None}, "attempt_id is None; send one that the gallery shows"),
        ({"attempt_id": "no such"}, "there is no attempt 'no such'"),
        ({"hidden": "yes"}, "hidden is 'yes'; send true to hide the drawing"),
        ({"hidden": None}, "hidden is None"),
    ],
)
def test_hiding_what_makes_no_sense_is_refused_in_a_sentence(game, server, change, sentence):
    (attempt,) = add_fooling(game.ledger, 1)
    answer = server["hide"]({"token": TOKEN, "attempt_id": attempt.attempt_id, "hidden": True} | change, NO_SESSION)
    assert sentence in answer["error"]
    assert len(page(game.ledger, {})["drawings"]) == 1


def test_long_drawings_are_sent_thinned_with_the_ends_of_their_strokes():
    line = [[float(x), 0.0, x] for x in range(1000)]
    thin = thinned([line, [[5.0, 5.0, 1000]]])
    assert len(thin[0]) <= 402
    assert (thin[0][0], thin[0][-1], thin[1]) == (line[0], line[-1], [[5.0, 5.0, 1000]])
    dots = [[[float(x), 0.0]] for x in range(10_000)]
    assert len(thinned(dots)) == 400
    assert thinned([line[:50]]) == [line[:50]]
