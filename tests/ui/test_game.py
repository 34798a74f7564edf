import pytest

from flagging.attempts import Refused
from model.weights import WeightsDamaged
from retrain.settings import RoundSettings
from tests.conftest import random_weights
from tests.made import PLAIN, add_fooling
from ui.game import Game

TOKEN = "the-token-of-this-browser"


@pytest.fixture
def game(home):
    return Game(home, RoundSettings(auto_retrain=False), live=True, maintainer_token="secret")


def promote(game, home, seed=1):
    weights = random_weights(home.weights, seed)
    game.ledger.close_round("promoted", "good", weights.id, {}, began=game.ledger.open_round())
    return weights


def test_it_serves_a_promotion_as_soon_as_it_looks(game, home):
    weights = promote(game, home)
    assert game.status()["weights_id"] != weights.id
    game.look()
    assert game.status()["weights_id"] == game.answer(PLAIN[1]).weights_id == weights.id


def test_damaged_weights_are_never_served(game, home):
    served = game.served.weights_id
    weights = promote(game, home)
    path = home.weights / f"{weights.id}.safetensors"
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(WeightsDamaged):
        game.look()
    assert game.answer(PLAIN[1]).weights_id == served


def test_a_second_start_serves_what_was_promoted_last(game, home):
    weights = promote(game, home)
    assert Game(home, RoundSettings(), live=True, maintainer_token="x").served.weights_id == weights.id


def test_a_shown_prediction_makes_a_try_once_however_often_it_is_asked(game):
    for _ in range(3):
        game.predict(PLAIN[1], TOKEN)
    game.predict(PLAIN[2], TOKEN)
    assert game.status()["tries"] == 2


def test_with_live_off_predictions_are_hidden_until_submission(home):
    game = Game(home, RoundSettings(auto_retrain=False), live=False, maintainer_token="x")
    with pytest.raises(Refused, match="predictions are hidden until a drawing is submitted"):
        game.predict(PLAIN[1], TOKEN)
    result, _ = game.submit(PLAIN[1], 1, TOKEN)
    assert "prediction" in result
    assert game.status()["tries"] == 1


def test_a_due_round_starts_one_worker_and_a_failure_waits_for_the_next_fooling_drawing(home, monkeypatch):
    game = Game(home, RoundSettings(fooling_threshold=3), live=True, maintainer_token="x")
    started = []
    monkeypatch.setattr(game.worker, "start", lambda *, now: started.append(now) or True)
    add_fooling(game.ledger, 2)
    game.look()
    assert started == []
    add_fooling(game.ledger, 1)
    for _ in range(3):
        game.look()
    assert started == [False]
    add_fooling(game.ledger, 1)
    game.look()
    assert started == [False, False]


def test_without_auto_retrain_nothing_starts_by_itself(game, monkeypatch):
    monkeypatch.setattr(game.worker, "start", lambda *, now: pytest.fail("it started"))
    add_fooling(game.ledger, 50)
    game.look()


@pytest.mark.parametrize("token", ["", "wrong", None, 7, "sécret"])
def test_a_wrong_maintainer_token_opens_nothing(game, token):
    with pytest.raises(Refused, match="needs the maintainer token"):
        game.retrain(token)


def test_the_annotator_is_never_kept_as_they_are(game):
    game.submit(PLAIN[1], 1, TOKEN)
    (attempt,) = game.ledger.attempts()
    assert TOKEN not in attempt.annotator
    assert game.withdraw(TOKEN) == {"deleted": 1}
    assert game.status()["attempts"] == 0
