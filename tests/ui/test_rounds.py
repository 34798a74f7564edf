"""The Rounds tab as the server makes it: from the ledger to HTML."""

import re

import pytest

from flagging.attempts import Refused
from retrain.rounds import roll_back
from retrain.settings import RoundSettings
from tests.conftest import random_weights
from tests.made import add_attempts, add_fooling
from ui import rounds as tab
from ui.game import Game
from ui.rounds import Overview

WRONG = "accuracy on clean validation fell from 0.9950 to 0.9540 against the served weights, more than the 0.3 points <allowed>"
PASSED = {"name": "recall", "passed": True, "words": "no digit's recall on clean validation fell"}
FIGURES = {
    "clean_accuracy_before": 0.9945,
    "clean_accuracy_after": 0.9933,
    "clean_n": 10000,
    "clean_source": "MNIST",
    "annotators": 2,
    "seconds_until_fooled": 2.4,
    "seconds_until_fooled_n": 3,
    "training_drawings": 4,
    "gate": {"promoted": True, "checks": [PASSED], "gain": {"words": "gain on held-out drawings: not shown yet (n = 0)"}},
}  # fmt: skip
REFUSED = FIGURES | {
    "clean_accuracy_after": 0.954,
    "gate": {"promoted": False, "checks": [{"name": "clean", "passed": False, "words": WRONG}, PASSED], "gain": None},
}


@pytest.fixture
def game(home):
    return make(home)


def make(home, **settings):
    return Game(
        home, RoundSettings(auto_retrain=False, **settings), live=True, maintainer_token="t" * 20, environment={}
    )


def close(game, decision="promoted", reason="no harm found", weights_id="feedfeedfeedfeed", **figures):
    base = REFUSED if decision == "refused" else FIGURES
    began = game.ledger.open_round()
    return game.ledger.close_round(decision, reason, weights_id, base | figures, began=began)


def sections(game):
    return Overview(game).since(None)["sections"]


def text(html):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).replace("&rarr;", "→").strip()


def test_with_nothing_drawn_there_is_one_friendly_sentence_and_nothing_else(game):
    shown = sections(game)
    assert "Nothing was drawn yet" in shown.pop("invite")
    assert set(shown.values()) == {""}
    assert Overview(game).confusion(None) == ""
    assert Overview(game).matrix() == ""


def test_in_the_first_round_it_says_how_many_are_missing_and_shows_the_open_round(game):
    add_fooling(game.ledger, 4)
    shown = sections(game)
    assert "6 more fooling drawings, and the model learns" in shown["invite"]
    assert shown["plots"] == ""
    assert "Round 1 is open 4 of the 10 fooling drawings that start the next retraining" in text(shown["headline"])
    assert "open 100 % 51 to 100 % 4 of 4" in text(shown["table"])


def test_rounds_come_newest_first_and_the_open_one_before_them(game):
    for _ in range(3):
        close(game)
    assert re.findall(r'<tbody data-round="(\d)"', sections(game)["table"]) == ["4", "3", "2", "1"]


def test_a_row_holds_every_figure_of_its_round(game):
    add_fooling(game.ledger, 3)
    add_attempts(game.ledger, 9, label=4, prediction=4, annotator="bob")
    game.ledger.record_try("left-without-a-word", game.ledger.annotator("ann"), 0)
    close(game)
    row = text(sections(game)["table"].split("<tbody")[2])
    assert "promoted 25 % 8.9 to 53 % 3 of 12" in row  # MER
    assert "23 % 8.2 to 50 % 3 of 13" in row  # per try
    assert " 12 2 2.4 s of 3 99.45 % → 99.33 %" in row


def test_a_refusal_shows_its_reason_and_which_check_failed_escaped(game):
    add_fooling(game.ledger, 3)
    close(game, "refused", reason=WRONG)
    shown = sections(game)["table"]
    assert "<allowed>" not in shown
    assert "Refused: accuracy on clean validation fell from 0.9950 to 0.9540" in text(shown).replace(" :", ":")
    assert "2 checks, 1 failed" in shown
    assert '<li class="failed"><b>✗ failed</b> clean: accuracy' in shown
    assert '<li class="passed"><b>✓ passed</b> recall: no digit&#x27;s recall' in shown
    assert "the candidate's" in shown


def test_the_headline_sums_up(game):
    for count in (3, 1):
        add_fooling(game.ledger, count)
        add_attempts(game.ledger, 3, label=4, prediction=4)
        close(game)
    close(game, "refused")
    said = text(sections(game)["headline"])
    assert "2 promoted 1 refused" in said
    assert "50 % → 25 % of drawings fooled it (MER), round 1 → round 2" in said
    assert "99.45 % → 99.33 % clean accuracy, start → now, on MNIST test digits" in said


def test_a_round_that_was_rolled_back_says_so(game, home):
    round0 = game.ledger.served().weights_id
    weights = random_weights(home.weights, 1)
    close(game, weights_id=weights.id)
    roll_back(game.ledger, home.weights, round0)
    shown = sections(game)
    assert "rolled back: a maintainer went back to the weights of round 0" in text(shown["table"]).lower().replace(
        " :", ":"
    )
    assert "1 rolled back" in shown["headline"]


def test_without_judges_there_is_no_vmer_and_with_them_it_shows_how_many_are_pending(home):
    game = make(home, quorum=1)
    first, *_ = add_fooling(game.ledger, 4)
    game.ledger.record_vote(first.attempt_id, 1, game.ledger.annotator("bob"))
    assert "25 % 4.6 to 70 % 3 pending" in text(sections(game)["table"])
    close(game, quorum=1)
    shown = sections(game)
    assert "vMER" in shown["plots"]
    game.ledger.use_quorum(0)
    assert "nobody judges" in sections(game)["table"]


def test_going_back_to_weights_measured_on_mnist_is_not_plotted_beside_generated_digits(game):
    close(game, clean_source="generated digits", clean_accuracy_before=0.99, clean_accuracy_after=0.992)
    close(game, "rolled back", clean_source="MNIST", clean_accuracy_before=None, clean_accuracy_after=0.9945)
    shown = sections(game)
    assert "99.45" not in shown["plots"]
    assert "99.00 % → 99.20 %" in text(shown["headline"])


def test_generated_digits_are_never_passed_off_as_mnist(game):
    assert sections(game)["note"] == ""
    close(game, clean_source="generated digits")
    shown = sections(game)
    assert (
        "MNIST was out of reach in round 1, so clean accuracy was measured there on generated digits" in shown["note"]
    )
    assert "on generated digits, not MNIST" in shown["headline"]
    assert "on generated digits" in shown["table"]
    assert "Clean accuracy (generated digits)" in shown["plots"]
    close(game, clean_source="generated digits")
    assert "in rounds 1 to 2, so" in sections(game)["note"]
    close(game)
    close(game, clean_source="generated digits")
    assert "in rounds 1, 2, 4, so" in sections(game)["note"]


def test_plots_show_intervals_and_refused_candidates_apart(game):
    for decision in ("promoted", "refused"):
        add_fooling(game.ledger, 2)
        add_attempts(game.ledger, 3, label=4, prediction=4)
        close(game, decision)
    shown = sections(game)
    plots = shown["plots"]
    assert "round 1: 40 % (2 of 5; 95 % interval 12 to 77 %)" in plots
    assert "round 1: 2.5 tries (5 tries, 2 fooling; 95 % interval 1.3 to 8.5)" in plots
    assert "at the start: 99.45 % of 10,000 MNIST" in plots
    assert "after round 1, promoted: 99.33 % of 10,000 MNIST" in plots
    assert "refused candidate</li>" in plots
    assert "Drawing time until fooled" in shown["further"]


def test_a_round_nobody_fooled_or_drew_in_has_gaps_and_no_error(game):
    add_attempts(game.ledger, 3, label=4, prediction=4)
    close(game)
    close(game, clean_accuracy_before=None, clean_accuracy_after=None, annotators=None, seconds_until_fooled=None)
    shown = sections(game)
    assert "Tries until it was fooled" not in shown["plots"]
    assert text(shown["table"]).count("–") == 0  # as an entity
    assert shown["table"].count("&ndash;") >= 5


def test_what_is_seen_already_is_not_sent_again_until_something_moves(game):
    seen = Overview(game)
    version = seen.since(None)["version"]
    assert seen.since(version) == {"version": version}
    attempt = add_fooling(game.ledger, 1)[0]
    moved = seen.since(version)
    assert "sections" in moved
    game.ledger.hide(attempt.attempt_id)
    assert "sections" in seen.since(moved["version"])


def test_confusion_is_of_one_round_or_of_all_the_open_one_too(game):
    add_attempts(game.ledger, 2, label=4, prediction=9)
    close(game, confusion=[[2 if (meant, saw) == (4, 9) else 0 for saw in range(10)] for meant in range(10)])
    add_attempts(game.ledger, 3, label=4, prediction=9)
    seen = Overview(game)
    assert "saw 9: 2 times" in seen.confusion(1)
    assert "saw 9: 3 times" in seen.confusion(2)
    assert "saw 9: 5 times" in seen.confusion(None)
    assert seen.since(None)["drawn"] == [1, 2]


@pytest.mark.parametrize("number", [0, 3, -1, True, "1", [1], 1.5])
def test_no_such_round_is_a_sentence(game, number):
    close(game)
    with pytest.raises(Refused, match="there is no round .*; choose one of 1 to 2"):
        Overview(game).confusion(number)


def test_an_open_round_too_large_to_look_through_joins_when_it_is_closed(game, monkeypatch):
    monkeypatch.setattr(tab, "MOST_OPEN", 3)
    add_fooling(game.ledger, 4)
    answer = Overview(game).since(None)
    assert answer["drawn"] == []
    assert "joins here when it is closed" in answer["sections"]["left-out"]
    assert "4 of 4" in answer["sections"]["table"]


def test_the_matrix_is_worked_out_once_and_again_after_a_withdrawal(game, home, monkeypatch):
    attempts = [a for name in "abcdefghijklmnop" for a in add_fooling(game.ledger, 5, annotator=name)]
    held_out = [a for a in attempts if a.split == "test"]
    names = sorted({a.annotator for a in held_out})
    assert len(names) > 1
    weights, ids = random_weights(home.weights, 1), [a.attempt_id for a in held_out]
    game.ledger.close_round("promoted", "good", weights.id, {}, began=game.ledger.open_round(), test_set=ids)
    monkeypatch.setattr(game.history, "matrix", counted := Counted(game.history.matrix))
    seen = Overview(game)
    assert f"n = {len(ids)}<" in seen.matrix()
    assert seen.matrix() == seen.matrix()
    assert counted.times == 1
    gone = game.ledger.withdraw(names[0])
    assert f"n = {len(ids) - gone}<" in seen.matrix()
    assert counted.times == 2


class Counted:
    def __init__(self, work):
        self.work, self.times = work, 0

    def __call__(self):
        self.times += 1
        return self.work()
