"""Who is there: tokens nobody can claim, what only a session gives, and what it opens."""

import time
from types import SimpleNamespace

import gradio as gr
import pytest

from flagging.attempts import Refused
from retrain.settings import RoundSettings
from tests.made import PLAIN, add_fooling, functions
from ui.api import _token
from ui.browser import visitor
from ui.gallery import gallery
from ui.game import Game
from ui.judge import judge_tab
from ui.people import Account, Visitor, account_of

TOKEN = "a token long enough"
ALICE, BOB = Account("1111", "Alice"), Account("2222", "bob")


@pytest.fixture
def game(home):
    return make(home)


def make(home, **others):
    settings = RoundSettings(quorum=2, auto_retrain=False)
    given = {"sign_in": True, "maintainers": frozenset({"aLICE"})} | others
    return Game(home, settings, live=True, maintainer_token=TOKEN, environment={}, **given)


def request(account=None, headers=None, expires_in=3600.0):
    """What Gradio hands to a server function of a page whose application has sessions."""
    session = {}
    if account:
        userinfo = {"sub": account.user_id, "preferred_username": account.name}
        session["oauth_info"] = {"userinfo": userinfo, "expires_at": time.time() + expires_in}
    return SimpleNamespace(session=session, headers=headers or {}, scope={})


def test_an_account_is_what_the_session_says():
    assert account_of(request()) is None
    assert account_of(request(ALICE)) == ALICE
    wrapped = gr.Request(request=request(ALICE))  # as an endpoint gets it
    assert account_of(wrapped) == ALICE


def test_an_expired_session_is_nobody():
    assert account_of(request(ALICE, expires_in=-1)) is None
    forever = request(ALICE)
    forever.session["oauth_info"]["expires_at"] = None
    assert account_of(forever) == ALICE


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
def test_what_another_site_makes_a_browser_send_is_nobodys(site):
    assert account_of(request(ALICE, {"sec-fetch-site": site})) is None
    assert account_of(request(ALICE, {"sec-fetch-site": "same-origin"})) == ALICE


def test_no_token_that_a_caller_chooses_is_that_of_an_account(game):
    claimed = "hub:11112222"
    browser = visitor(game, {"token": claimed}, request())
    header = _token(SimpleNamespace(headers={"x-hoodwink-annotator": claimed}, session_hash="s"))
    session = _token(SimpleNamespace(headers={}, session_hash=claimed))
    assert [browser.token, header, session] == [f"browser:{claimed}", f"header:{claimed}", f"session:{claimed}"]
    assert not any(game.may_judge(token) for token in (browser.token, header, session))


def test_where_nobody_can_sign_in_no_session_is_looked_at(home):
    game = make(home, sign_in=False)
    assert visitor(game, {"token": "browser-of-alice"}, None) == Visitor("browser:browser-of-alice")
    assert game.may_judge("browser:browser-of-alice")
    assert not game.is_maintainer(ALICE)


def test_only_votes_of_people_who_signed_in_are_taken(game):
    (drawn,) = add_fooling(game.ledger, 1)
    server = functions(judge_tab(game))
    data = {"token": "some-browser", "attempt_id": drawn.attempt_id, "reading": 1}
    assert server["vote"](data, request())["error"].startswith("sign in with Hugging Face to judge")
    assert server["next_drawing"](data, request()) == {"sign_in": True, "waiting": 1}
    with pytest.raises(Refused, match="sign in with Hugging Face to judge"):
        game.next_to_judge("session:a-client")
    assert game.ledger.find(drawn.attempt_id).lacking == 2
    assert server["next_drawing"](data, request(BOB))["attempt_id"] == drawn.attempt_id
    assert server["vote"](data, request(BOB))["lacking"] == 1
    # The same person at another browser has voted already.
    assert server["vote"]({**data, "token": "other-browser", "reading": 2}, request(BOB))["error"].startswith(
        "you judged"
    )


def test_nobody_judges_what_they_drew_before_they_signed_in(game):
    me = Visitor("browser:of-bob-1", BOB)
    game.submit(PLAIN[1], 7, me.own)
    (mine,) = game.ledger.attempts()
    (other,) = add_fooling(game.ledger, 1)
    assert game.next_to_judge(me.token, (), me.also)["attempt_id"] == other.attempt_id
    with pytest.raises(Refused, match="this drawing is your own"):
        game.judge(mine.attempt_id, 7, me.token, me.also)


def test_maintainers_by_name_need_no_token_and_nobody_else_does_without(game):
    (drawn,) = add_fooling(game.ledger, 1)
    server = functions(gallery(game))
    hiding = {"attempt_id": drawn.attempt_id, "hidden": True}
    for stranger in (request(), request(BOB), request(Account("3", "alice2")), request(ALICE, expires_in=-1)):
        assert "needs the maintainer token" in server["hide"](hiding, stranger)["error"]
    for start in (lambda who: game.retrain("", who), lambda who: game.rollback(None, "0123456789abcdef", who)):
        for stranger in (None, BOB):
            with pytest.raises(Refused, match="needs the maintainer token"):
                start(stranger)
    assert server["hide"](hiding, request(Account("1", "alice")))["hidden"] is True
    assert server["hide"]({**hiding, "hidden": False, "token": TOKEN}, request(BOB))["hidden"] is False
    with pytest.raises(Refused, match="no weights|never served|not"):
        game.rollback(None, "0123456789abcdef", ALICE)


def test_a_drawing_of_before_signing_in_can_still_be_taken_back(game):
    me = Visitor("browser:of-bob-1", BOB)
    before = game.submit(PLAIN[1], 7, me.own)[0]["attempt_id"]
    assert game.retract(before, me.token, me.also)["retracted"] is True
    with pytest.raises(Refused, match="not yours"):
        game.retract(before, "browser:of-another", (ALICE.token,))
