"""Explain: heat and what was seen before, as the server tells it."""

import base64
import json

import numpy as np
import pytest
import torch

from evaluation.grad_cam import heat_map
from flagging.attempts import Refused
from flagging.database import LedgerUnavailable
from flagging.decisions import RoundCounts
from retrain.rounds import roll_back
from retrain.settings import RoundSettings
from tests.conftest import random_weights
from tests.made import PLAIN, run
from ui.draw import draw_tab
from ui.explain import Explainer
from ui.game import Game

TOKEN, TRY = "the-token-of-this-browser", "a-try-of-the-tests"


@pytest.fixture
def game(home):
    return make(home)


def make(home, live=True):
    return Game(home, RoundSettings(auto_retrain=False), live=live, maintainer_token="t" * 20, environment={})


def promote(game, home, seed=1):
    weights = random_weights(home.weights, seed)
    game.ledger.close_round("promoted", "good", weights.id, {}, began=game.ledger.open_round())
    game.catch_up()
    return weights


def explain(game, strokes=PLAIN[7], digit=None, before=False):
    return Explainer(game).explain(strokes, digit, before, TOKEN, TRY)


def test_the_heat_is_grad_cam_of_the_digit_that_is_seen(game):
    answer = game.answer(PLAIN[7])
    told = explain(game)
    expected = heat_map(game.served.current.network, torch.from_numpy(answer.image), answer.prediction)
    sent = np.frombuffer(base64.b64decode(told["heat"]), np.uint8).reshape(28, 28)
    assert (sent == (expected * 255).round().numpy()).all()
    assert sent.max() == 255
    assert (told["digit"], told["weights_id"], told["before"]) == (answer.prediction, answer.weights_id, None)
    json.dumps(told)


def test_another_digit_has_another_heat(game):
    seen = game.answer(PLAIN[7]).prediction
    other = explain(game, digit=(seen + 1) % 10)
    assert other["digit"] == (seen + 1) % 10
    assert other["heat"] != explain(game)["heat"]


def test_before_tells_what_the_weights_of_the_round_before_see(game, home):
    then = game.answer(PLAIN[7])
    promote(game, home)
    told = explain(game)["before"]
    assert told == {"round": 1, "prediction": then.prediction, "confidence": then.confidence}


def test_the_heat_of_the_weights_before_is_theirs(game, home):
    was, heat = game.answer(PLAIN[7]), explain(game, digit=3)["heat"]
    promote(game, home)
    told = explain(game, digit=3, before=True)
    assert (told["heat"], told["weights_id"], told["of_before"]) == (heat, was.weights_id, True)
    assert explain(game, digit=3)["heat"] != heat


def test_before_moves_on_with_the_next_promotion_and_a_rollback(game, home):
    explainer = Explainer(game)
    shipped = game.served.weights_id
    ask = lambda: explainer.explain(PLAIN[7], None, True, TOKEN, TRY)  # noqa: E731
    assert ask()["before"] is None
    first = promote(game, home, 1)
    assert (ask()["weights_id"], ask()["before"]["round"]) == (shipped, 1)
    second = promote(game, home, 2)
    assert (ask()["weights_id"], ask()["before"]["round"]) == (first.id, 2)
    roll_back(game.ledger, home.weights, first.id)
    game.catch_up()
    assert (ask()["weights_id"], ask()["before"]["round"]) == (second.id, 3)


def test_weights_of_before_are_read_once_a_promotion(game, home, monkeypatch):
    promote(game, home)
    asked = []
    real = game.served_before
    monkeypatch.setattr(game, "served_before", lambda now: asked.append(now) or real(now))
    explainer = Explainer(game)
    for _ in range(3):
        explainer.explain(PLAIN[7], None, False, TOKEN, TRY)
    assert len(asked) == 1


@pytest.mark.parametrize("harm", [lambda p: p.unlink(), lambda p: p.write_bytes(p.read_bytes()[:-9])])
def test_weights_of_before_that_are_missing_or_damaged_leave_the_line_out(game, home, harm):
    path = home.weights / f"{game.served.weights_id}.safetensors"
    promote(game, home)
    harm(path)
    told = explain(game, before=True)
    assert (told["before"], told["of_before"], told["weights_id"]) == (None, False, game.served.weights_id)


def test_a_ledger_that_cannot_be_read_leaves_the_line_out_until_it_can(game, home, monkeypatch):
    promote(game, home)
    explainer = Explainer(game)
    explainer.explain(PLAIN[7], None, False, TOKEN, TRY)
    second = promote(game, home, 2)

    def broken(_):
        raise LedgerUnavailable("locked")

    with monkeypatch.context() as patched:
        patched.setattr(game, "served_before", broken)
        told = explainer.explain(PLAIN[7], None, False, TOKEN, TRY)
        assert (told["before"], told["weights_id"]) == (None, second.id)
    assert explainer.explain(PLAIN[7], None, False, TOKEN, TRY)["before"]["round"] == 2


def test_being_told_makes_a_drawing_a_try(game):
    explain(game)
    explain(game)
    assert game.ledger.totals() == RoundCounts(tries=1)


def test_nothing_is_told_while_predictions_are_hidden(home):
    with pytest.raises(Refused, match="predictions are hidden until"):
        explain(make(home, live=False))


@pytest.mark.parametrize("digit", [10, -1, True, "3", 3.0, [3]])
def test_other_than_a_digit_is_refused(game, digit):
    with pytest.raises(Refused, match="choose the one to explain, 0 to 9"):
        explain(game, digit=digit)


@pytest.mark.parametrize("sent", [None, [], {}, {"token": TOKEN}, {"token": TOKEN, "try_id": TRY, "strokes": [[]]}])
def test_the_server_function_answers_nonsense_with_a_sentence(game, sent):
    functions = {function.__name__: function for function in draw_tab(game).server_fns}
    answer = run(functions["explain"], sent, None)
    assert list(answer) == ["error"]
    assert len(answer["error"]) > 20


def test_other_than_yes_or_no_to_before_is_refused(game):
    with pytest.raises(Refused, match="send true for the weights served before"):
        explain(game, before="yes")
