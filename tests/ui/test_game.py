import threading

import pytest

from flagging.attempts import Refused
from flagging.database import LedgerUnavailable
from model.weights import WeightsDamaged
from retrain.settings import RoundSettings
from tests.conftest import random_weights
from tests.made import PLAIN, add_fooling
from ui.game import Game

TOKEN = "the-token-of-this-browser"


@pytest.fixture
def game(home):
    return make(home)


def make(home, settings=RoundSettings(auto_retrain=False), live=True, token="a token long enough"):  # noqa: B008
    return Game(home, settings, live=live, maintainer_token=token, environment={})


def promote(game, home, seed=1):
    weights = random_weights(home.weights, seed)
    game.ledger.close_round("promoted", "good", weights.id, {}, began=game.ledger.open_round())
    return weights


def test_it_serves_a_promotion_as_soon_as_it_looks(game, home):
    weights = promote(game, home)
    assert game.status()["weights_id"] != weights.id
    game.catch_up()
    assert game.status()["weights_id"] == game.answer(PLAIN[1]).weights_id == weights.id


def test_two_that_catch_up_at_once_serve_the_weights_the_promotion_names(game, home):
    """A rollback and the watcher do: the number of one promotion must never stand beside the weights of another."""
    for round_number in range(20):
        threads = [threading.Thread(target=game.catch_up) for _ in range(4)]
        weights = promote(game, home, seed=round_number % 3 + 1)
        for thread in threads:
            thread.start()
        weights = promote(game, home, seed=round_number % 3 + 4)
        for thread in threads:
            thread.join()
        game.catch_up()
        assert (game.served.weights_id, game.served.promotion) == (weights.id, game.ledger.served().number)


def damage(home, weights_id):
    path = home.weights / f"{weights_id}.safetensors"
    packed = bytearray(path.read_bytes())
    packed[len(packed) // 2] ^= 1
    path.write_bytes(packed)


def test_damaged_weights_are_not_served_at_a_start_but_the_newest_whole_ones_before(game, home):
    first, second, third, fourth = game.served.weights_id, *(promote(game, home, seed) for seed in (1, 2, 3))
    damage(home, third.id)
    damage(home, fourth.id)
    again = make(home)
    assert (again.served.weights_id, again.served.promotion) == (second.id, 4)
    assert again.ledger.served().weights_id == second.id
    closed = again.ledger.last_closed_round()
    assert (closed.number, closed.decision, closed.promotion) == (4, "rolled back", 4)
    assert closed.reason == (
        f"the weights {fourth.id} were damaged, so the game went back to the weights of round {second.card.round}"
    )
    assert make(home).served.promotion == 4
    assert first != second.id


def test_damaged_shipped_weights_are_mended_at_a_start(game, home):
    served = game.served.weights_id
    damage(home, served)
    again = make(home)
    assert (again.served.weights_id, again.served.promotion) == (served, 0)
    assert again.ledger.closed_rounds() == []


def test_a_promotion_damaged_before_it_is_served_is_taken_back(game, home):
    served = game.served.weights_id
    damage(home, promote(game, home).id)
    game.catch_up()
    assert (game.served.weights_id, game.served.promotion) == (served, game.ledger.served().number) == (served, 2)
    game.catch_up()
    assert game.ledger.served().number == 2


def test_weights_that_cannot_be_read_just_now_are_no_reason_to_go_back(game, home):
    weights = promote(game, home)
    (home.weights / f"{weights.id}.safetensors").unlink()
    (home.weights / f"{weights.id}.safetensors").mkdir()  # as good as any error but a missing file
    with pytest.raises(WeightsDamaged, match="cannot be read"):
        game.catch_up()
    assert game.ledger.served().weights_id == weights.id


def test_without_any_whole_weights_it_says_so(game, home, monkeypatch):
    for name in ("model.weights", "retrain.rounds", "ui.game"):
        monkeypatch.setattr(f"{name}.install_shipped", lambda folder: game.served.weights_id)
    weights = promote(game, home)
    damage(home, weights.id)
    damage(home, game.served.weights_id)
    with pytest.raises(WeightsDamaged, match=r"is damaged: its bytes hash to \w{16}; delete it or restore it"):
        make(home)
    assert game.ledger.served().weights_id == weights.id


def test_a_short_maintainer_token_is_refused(home):
    with pytest.raises(ValueError, match="HOODWINK_MAINTAINER_TOKEN has 5 characters"):
        make(home, token="guess")


def test_counts_that_cannot_be_read_do_not_deny_what_is_recorded(game, monkeypatch):
    def broken():
        raise LedgerUnavailable("locked")

    monkeypatch.setattr(game.ledger, "open_round", broken)
    assert game.submit(PLAIN[1], 1, TOKEN)[0]["label"] == 1
    assert game.ledger.totals().attempts == 1


def test_a_second_start_serves_what_was_promoted_last(game, home):
    weights = promote(game, home)
    assert make(home).served.weights_id == weights.id


def test_a_shown_prediction_makes_a_try_once_however_often_it_is_asked(game):
    for _ in range(3):
        game.predict(PLAIN[1], TOKEN)
    game.predict(PLAIN[2], TOKEN)
    assert game.status()["tries"] == 2


def test_with_live_off_predictions_are_hidden_until_submission(home):
    game = make(home, live=False)
    with pytest.raises(Refused, match="predictions are hidden until a drawing is submitted"):
        game.predict(PLAIN[1], TOKEN)
    result, _ = game.submit(PLAIN[1], 1, TOKEN)
    assert "prediction" in result
    assert game.status()["tries"] == 1


def test_a_due_round_starts_one_worker_and_a_failure_waits_for_the_next_fooling_drawing(home, monkeypatch):
    game = make(home, RoundSettings(fooling_threshold=3))
    started = []
    monkeypatch.setattr(game.worker, "start", lambda *, now: started.append(now) or True)
    add_fooling(game.ledger, 2)
    game.catch_up()
    assert started == []
    add_fooling(game.ledger, 1)
    for _ in range(3):
        game.catch_up()
    assert started == [False]
    add_fooling(game.ledger, 1)
    game.catch_up()
    assert started == [False, False]


def test_without_auto_retrain_nothing_starts_by_itself(game, monkeypatch):
    monkeypatch.setattr(game.worker, "start", lambda *, now: pytest.fail("it started"))
    add_fooling(game.ledger, 50)
    game.catch_up()


@pytest.mark.parametrize("token", ["", "wrong", None, 7, "sécret"])
def test_a_wrong_maintainer_token_opens_nothing(game, token):
    with pytest.raises(Refused, match="needs the maintainer token"):
        game.retrain(token)


def test_the_annotator_is_never_kept_as_they_are(game):
    game.submit(PLAIN[1], 1, TOKEN)
    (attempt,) = game.ledger.attempts()
    assert TOKEN not in attempt.annotator
    assert game.withdraw(TOKEN)["deleted"] == 1
    assert game.status()["attempts"] == 0
