"""One's own drawings: only those, with what became of them; and withdrawing them."""

import pytest

from flagging.attempts import Refused
from flagging.publisher import PublisherState
from retrain.settings import RoundSettings
from tests.made import PLAIN, add_attempts, add_fooling, functions
from ui import mine as module
from ui.game import MAX_WITHDRAWN, Game
from ui.hub_status import in_words
from ui.mine import mine_tab, page
from ui.people import Account, Visitor

MINE, OTHERS = "browser:the-browser-of-mine", "browser:the-browser-of-others"
ME = Visitor(MINE)


@pytest.fixture
def game(home):
    return make(home)


def make(home, quorum=0):
    settings = RoundSettings(quorum=quorum, auto_retrain=False)
    return Game(home, settings, live=True, maintainer_token="a token long enough", environment={})


def ids(answer):
    return [drawing["id"] for drawing in answer["drawings"]]


def test_everything_one_submitted_is_shown_and_nothing_of_others(game):
    fooling, harmless = add_fooling(game.ledger, 1, MINE)[0], add_attempts(game.ledger, 1, label=3, annotator=MINE)[0]
    add_fooling(game.ledger, 2, OTHERS)
    answer = page(game, ME, {})
    assert ids(answer) == [harmless.attempt_id, fooling.attempt_id]
    assert [d["state"] for d in answer["drawings"]] == ["did not fool it", "counts"]
    assert fooling.annotator not in str(answer)
    assert page(game, Visitor("browser:of-nobody"), {})["drawings"] == []


def test_it_tells_what_became_of_each(home):
    game = make(home, quorum=1)
    waits, judged, back, hidden = add_fooling(game.ledger, 4, MINE)
    game.ledger.record_vote(judged.attempt_id, 1, "judge")
    game.retract(back.attempt_id, MINE)
    game.ledger.hide(hidden.attempt_id)
    told = {d["id"]: (d["state"], d["label"]) for d in page(game, ME, {})["drawings"]}
    assert told == {
        waits.attempt_id: ("to be judged", 1),
        judged.attempt_id: ("verified", 1),
        back.attempt_id: ("taken back", 1),
        hidden.attempt_id: ("hidden", 1),
    }


def test_pages_follow_each_other_and_a_page_that_is_shown_is_not_sent_again(game, monkeypatch):
    monkeypatch.setattr(module, "PER_PAGE", 3)
    made = [a.attempt_id for a in reversed(add_fooling(game.ledger, 5, MINE))]
    first = page(game, ME, {})
    rest = page(game, ME, {"before": first["next"]})
    assert (ids(first) + ids(rest), rest["next"]) == (made, None)
    assert "drawings" not in page(game, ME, {"version": first["version"]})


def test_somebody_who_signed_in_has_the_drawings_of_before_as_well(game):
    me = Visitor(MINE, Account("1111", "alice"))
    (before,) = add_fooling(game.ledger, 1, me.own)
    (now,) = add_fooling(game.ledger, 1, me.token)
    (others,) = add_fooling(game.ledger, 1, OTHERS)
    answer = page(game, me, {})
    assert (ids(answer), answer["account"]) == ([now.attempt_id, before.attempt_id], "alice")
    assert game.withdraw(me.token, me.also, [before.attempt_id, now.attempt_id])["deleted"] == 2
    assert [a.attempt_id for a in game.ledger.attempts()] == [others.attempt_id]
    add_fooling(game.ledger, 2, me.own)
    add_fooling(game.ledger, 2, me.token)
    assert game.withdraw(me.token, me.also)["deleted"] == 4


def test_withdrawing_a_drawing_of_somebody_else_deletes_nothing(game):
    (mine,) = add_fooling(game.ledger, 1, MINE)
    (others,) = add_fooling(game.ledger, 1, OTHERS)
    with pytest.raises(Refused, match="is not yours; only who drew it can withdraw it"):
        game.withdraw(MINE, (), [mine.attempt_id, others.attempt_id])
    assert game.ledger.totals().attempts == 2


@pytest.mark.parametrize("chosen", [[], "all", [1], ["\ud800"], {"a": 1}, ["id"] * (MAX_WITHDRAWN + 1), None])
def test_a_list_of_chosen_drawings_that_is_none_deletes_nothing(game, chosen):
    add_fooling(game.ledger, 1, MINE)
    server = functions(mine_tab(game))
    answer = server["withdraw"]({"token": MINE.removeprefix("browser:"), "attempt_ids": chosen}, None)
    assert "no list of 1 to" in answer["error"]
    assert game.ledger.totals().attempts == 1


@pytest.mark.parametrize("sent", [None, [], {"token": "short"}, {"token": "a-token", "before": "x"}])
def test_server_functions_answer_anything_with_a_sentence(game, sent):
    server = functions(mine_tab(game))
    assert set(server["drawings"](sent, None)) == {"error"}
    assert set(server["withdraw"](sent, None)) == {"error"}


def test_what_was_withdrawn_is_forgotten_by_the_scores_too(game):
    game.submit(PLAIN[1], 7, MINE)
    game.withdraw(MINE)
    assert game.submit(PLAIN[1], 7, OTHERS)[0]["is_new"] is True


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (PublisherState("a/b"), "Not compared with the Hub yet"),
        (
            PublisherState("a/b", published_at="2026-11-21T14:32:05+00:00"),
            "Everything is on the Hub (2026-11-21 14:32 UTC)",
        ),
        (PublisherState("a/b", 1, "2026-11-21T14:32:05.123+00:00"), "1 record not yet on the Hub, the oldest from"),
        (
            PublisherState("a/b", 12, "2026-11-21T14:32:05.123+00:00", None, "no answer"),
            "The Hub: no answer. What is",
        ),
    ],
)
def test_maintainers_are_told_how_it_stands_with_the_hub(state, says):
    assert says in in_words(vars(state))
