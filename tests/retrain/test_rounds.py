from dataclasses import replace

import numpy as np
import pytest

from evaluation.metrics import accuracy
from evaluation.test_sets import as_digits, as_drawings
from flagging.attempts import Refused
from model.clean_digits import CleanDigitsMissing
from model.weights import build_network, load_weights, save_weights
from retrain.fine_tuning import fine_tune
from retrain.gate import GateSettings
from retrain.history import History, describe_round
from retrain.mixing import bent_digits
from retrain.rounds import close_round, roll_back
from retrain.settings import FineTuningRecipe, RoundSettings
from tests.made import PLAIN, FakeAnswer, add_attempts, add_fooling
from tests.made import close as decided

SHORT = FineTuningRecipe(steps=3, clean_batch=20, drawings_batch=10, bent_drawings=20)
ANY_DROP = RoundSettings(gate=GateSettings(max_drop=0.99, max_drop_round0=0.99, max_recall_drop=0.99))


def close(ledger, home, digits, settings=ANY_DROP, recipe=SHORT, report=lambda *_: None):
    return close_round(ledger, home.weights, lambda: digits, settings, recipe, report)


def test_a_round_is_due_at_the_threshold_and_not_before(ledger):
    settings = RoundSettings(fooling_threshold=10)
    add_fooling(ledger, 9)
    add_attempts(ledger, 5, label=3)  # not fooling
    assert not settings.is_due(ledger.open_round().ready)
    add_fooling(ledger, 1)
    assert settings.is_due(ledger.open_round().ready)
    add_fooling(ledger, 3)  # two that land together jump over no threshold
    assert settings.is_due(ledger.open_round().ready)


def test_after_a_decision_a_further_full_threshold_is_needed(ledger, home, small_digits):
    settings = RoundSettings(fooling_threshold=4)
    add_fooling(ledger, 4)
    decided(ledger, "refused")
    add_fooling(ledger, 3)
    assert not settings.is_due(ledger.open_round().ready)
    add_fooling(ledger, 1)
    assert settings.is_due(ledger.open_round().ready)


def test_closing_a_round_promotes_weights_with_a_complete_card(ledger, home, small_digits):
    parent = ledger.served().weights_id
    add_fooling(ledger, 6)
    closed = close(ledger, home, small_digits)
    assert (closed.number, closed.decision, closed.promotion) == (1, "promoted", 1)
    assert ledger.served().weights_id == closed.weights_id != parent
    card = load_weights(home.weights, closed.weights_id).card
    assert (card.parent, card.round, card.seed, card.recipe["steps"]) == (parent, 1, 1, 3)
    assert card.data["fooling_drawings"] == closed.figures["training_drawings"]
    assert card.scores["clean_validation_n"] == 100
    assert closed.figures["clean_n"] == 100


def test_a_candidate_that_forgets_is_refused_and_the_served_weights_stay(ledger, home, small_digits):
    served = ledger.served()
    add_fooling(ledger, 6)
    wild = FineTuningRecipe(steps=20, clean_batch=1, drawings_batch=200, peak_rate=0.5, distillation=0, bent_drawings=0)
    closed = close(ledger, home, small_digits, RoundSettings(), wild)
    assert closed.decision == "refused"
    assert "more than the 0.3 points allowed" in closed.reason
    assert ledger.served() == served
    assert (home.weights / f"{closed.weights_id}.safetensors").exists()  # kept, to look at


def test_every_earlier_fooling_drawing_is_trained_on_again(ledger, home, small_digits):
    add_fooling(ledger, 6, annotator="first")
    first = close(ledger, home, small_digits).figures["training_drawings"]
    add_fooling(ledger, 6, annotator="second")
    both = len(list(ledger.attempts(split="train", fooling_only=True)))
    assert close(ledger, home, small_digits).figures["training_drawings"] == both >= first


def test_a_round_whose_drawings_are_all_held_out_still_closes(ledger, home, small_digits):
    number = 0
    while not any(a.split == "test" for a in ledger.attempts()):
        for attempt in list(ledger.attempts()):
            ledger.retract(attempt.attempt_id, attempt.annotator)
        add_fooling(ledger, 1, annotator=f"annotator-{(number := number + 1)}")
    closed = close(ledger, home, small_digits)
    assert (closed.decision, closed.figures["training_drawings"]) == ("promoted", 0)


def test_without_a_fooling_drawing_there_is_nothing_to_learn(ledger, home, small_digits):
    add_attempts(ledger, 5, label=3)
    with pytest.raises(Refused, match="there is no fooling drawing yet"):
        close(ledger, home, small_digits)


def test_without_clean_digits_nothing_changes(ledger, home):
    add_fooling(ledger, 2)

    def missing():
        raise CleanDigitsMissing("MNIST is not here; set HOODWINK_MNIST_DIR")

    with pytest.raises(CleanDigitsMissing):
        close_round(ledger, home.weights, missing, ANY_DROP, SHORT, lambda *_: None)
    assert ledger.closed_rounds() == []
    assert ledger.open_round().ready == 2


def test_progress_rises_to_the_end(ledger, home, small_digits):
    told = []
    add_fooling(ledger, 2)
    close(ledger, home, small_digits, report=lambda stage, progress: told.append((stage, progress)))
    assert [p for _, p in told] == sorted(p for _, p in told)
    assert {stage for stage, _ in told} >= {"fine-tuning", "scoring"}


def test_a_rollback_during_training_leaves_the_rollback_standing(ledger, home, small_digits):
    round0 = ledger.served().weights_id
    add_fooling(ledger, 2)
    close(ledger, home, small_digits)
    add_fooling(ledger, 2)

    def meanwhile(stage, progress):
        if stage == "scoring":
            roll_back(ledger, home.weights, round0)

    with pytest.raises(Refused, match="closed by somebody else meanwhile"):
        close(ledger, home, small_digits, report=meanwhile)
    assert ledger.served().weights_id == round0


def test_rolling_back_serves_earlier_weights_and_is_a_round_of_its_own(ledger, home, small_digits):
    round0 = ledger.served().weights_id
    add_fooling(ledger, 2)
    close(ledger, home, small_digits)
    closed = roll_back(ledger, home.weights, round0)
    assert (closed.number, closed.decision, closed.weights_id, closed.promotion) == (2, "rolled back", round0, 2)
    assert ledger.served().weights_id == round0


def test_rolling_back_to_weights_never_served_or_served_now_is_refused(ledger, home):
    with pytest.raises(Refused, match="were never served"):
        roll_back(ledger, home.weights, "0123456789abcdef")
    with pytest.raises(Refused, match="are served already"):
        roll_back(ledger, home.weights, ledger.served().weights_id)


def test_damaged_weights_do_not_stand_in_the_way_of_going_back(ledger, home, small_digits):
    round0 = ledger.served().weights_id
    add_fooling(ledger, 2)
    path = home.weights / f"{close(ledger, home, small_digits).weights_id}.safetensors"
    path.write_bytes(b"")
    assert roll_back(ledger, home.weights, round0).figures["clean_accuracy_before"] is None
    assert ledger.served().weights_id == round0


def test_going_back_does_not_compare_generated_figures_with_mnists(ledger, home, small_digits):
    round0 = ledger.served().weights_id
    add_fooling(ledger, 2)
    close(ledger, home, replace(small_digits, source="generated digits"))
    figures = roll_back(ledger, home.weights, round0).figures
    assert (figures["clean_accuracy_before"], figures["clean_source"]) == (None, "MNIST")


def test_a_closed_round_is_described_with_its_uncertainty(ledger, home, small_digits):
    add_fooling(ledger, 3)
    add_attempts(ledger, 1, label=3)
    ledger.record_try("left-001", "ann", 0)
    told = describe_round(close(ledger, home, small_digits))
    assert (told["mer"]["hits"], told["mer"]["n"], told["mer"]["value"]) == (3, 4, 0.75)
    assert told["mer"]["low"] == pytest.approx(0.3006, abs=1e-3)
    assert (told["fooling_per_try"]["n"], told["vmer"], told["pending"]) == (5, None, 3)


def test_fine_tuning_teaches_the_drawings_and_keeps_the_rest(home, mnist, ledger):
    """Ten fooling drawings, a tenth of the steps: the candidate reads them and still reads MNIST."""
    parent = build_network(load_weights(home.weights, ledger.served().weights_id))
    # Small nines in a corner, where MNIST has none.
    for number in range(10):
        corner = [[[20 + number + x * 0.3, 5 + y * 0.3] for x, y in stroke] for stroke in PLAIN[9]]
        ledger.record_attempt(FakeAnswer(strokes=corner), 9, "ann", f"try-{number:04d}")
    drawn = list(ledger.attempts())
    fooling, recipe = as_digits(drawn), replace(FineTuningRecipe(), steps=90)
    bent = bent_digits(as_drawings(drawn), [9] * 10, 400, recipe.bending, np.random.default_rng(1))
    none = as_digits([])
    candidate = fine_tune(parent, parent, mnist.train, bent, none, recipe, 1, lambda *_: None)
    assert accuracy(parent, fooling).value < 0.5
    assert accuracy(candidate, fooling).value > 0.8
    assert accuracy(candidate, mnist.validation).value > 0.98


def test_the_same_seed_makes_the_same_candidate(home, small_digits):
    from tests.conftest import random_weights

    parent = build_network(random_weights(home.weights, 1))
    made = [
        save_weights(
            fine_tune(parent, parent, *[small_digits.train] * 3, SHORT, 5, lambda *_: None),
            load_weights(home.weights, next(home.weights.iterdir()).stem).card,
            home.weights,
        ).id
        for _ in range(2)
    ]
    assert made[0] == made[1]


def test_a_round_on_generated_digits_says_so(ledger, home, small_digits):
    add_fooling(ledger, 3)
    closed = close(ledger, home, replace(small_digits, source="generated digits"))
    assert closed.reason.endswith("; measured on generated digits, not on MNIST")
    assert closed.figures["clean_source"] == "generated digits"
    assert load_weights(home.weights, closed.weights_id).card.data["clean"] == "generated digits"


def test_everything_the_gate_looked_at_is_recorded(ledger, home, small_digits):
    add_fooling(ledger, 6)
    gate = close(ledger, home, small_digits).figures["gate"]
    assert [check["name"] for check in gate["checks"]] == [
        "clean",
        "clean against round 0",
        "recall",
        "held-out attempts",
        "card",
    ]
    assert all(check["passed"] and check["words"] for check in gate["checks"])
    assert gate["gain"]["words"] == "gain on held-out drawings: not shown yet (n = 0)"


def test_the_matrix_holds_every_weights_against_every_frozen_test_set(ledger, home, small_digits):
    round0 = ledger.served().weights_id
    for annotator in range(12):
        add_fooling(ledger, 2, annotator=f"annotator-{annotator}")
    first = close(ledger, home, small_digits)
    for annotator in range(30):
        add_fooling(ledger, 2, annotator=f"later-{annotator}")
    second = close(ledger, home, small_digits)
    matrix = History(ledger, home.weights).matrix()
    assert [row["weights_id"] for row in matrix.weights] == [round0, first.weights_id, second.weights_id]
    assert matrix.test_sets == [1, 2]
    assert [[cell["n"] for cell in row] for row in matrix.cells] == [[len(first.test_set), len(second.test_set)]] * 3
    # Drawn against the weights of the row: wrong there by construction.
    assert [[cell["by_construction"] for cell in row] for row in matrix.cells] == [
        [True, False],
        [False, True],
        [False, False],
    ]


def test_a_cell_tells_of_the_drawings_that_are_left_or_nothing(ledger, home, small_digits):
    round0 = ledger.served().weights_id
    for annotator in range(24):
        add_fooling(ledger, 2, annotator=f"annotator-{annotator}")
    close(ledger, home, small_digits)
    history, drawn = History(ledger, home.weights), ledger.frozen_drawings(1)
    newest = build_network(load_weights(home.weights, ledger.served().weights_id))
    ((first,), (second,)) = history.matrix().cells
    assert (first["n"], second["n"]) == (len(drawn), len(drawn))
    assert second["hits"] == accuracy(newest, as_digits(drawn)).hits
    ledger.withdraw(drawn[0].annotator)
    (home.weights / f"{round0}.safetensors").write_bytes(b"damaged")
    left = len(ledger.frozen_drawings(1))
    assert 0 < left < len(drawn)
    assert [row[0]["n"] for row in history.matrix().cells] == [0, left]


def test_who_drew_and_how_long_it_took_is_told(ledger, home, small_digits):
    for number, end in enumerate((1500, 2500, 9000)):
        timed = FakeAnswer(
            strokes=[[[100, 60, 0], [100 + 20 * number, 220, end]]], weights_id=ledger.served().weights_id
        )
        ledger.record_attempt(timed, 1, f"annotator {number % 2}", f"try-{number:04d}")
    add_attempts(ledger, 1, label=3)  # not fooling, and without times
    figures = close(ledger, home, small_digits).figures
    assert (figures["annotators"], figures["seconds_until_fooled"], figures["seconds_until_fooled_n"]) == (3, 2.5, 3)
    assert (figures["confusion"][1][3], figures["confusion"][3][3]) == (3, 1)


def test_going_back_ends_a_retraining_at_once(ledger, home, small_digits):
    round0 = ledger.served().weights_id
    add_fooling(ledger, 2)
    close(ledger, home, small_digits)
    add_fooling(ledger, 2)
    steps = []

    def meanwhile(stage, progress):
        steps.append(stage)
        if stage == "fine-tuning" and steps.count(stage) == 1:
            roll_back(ledger, home.weights, round0)

    with pytest.raises(Refused, match="closed meanwhile, by going back to earlier weights"):
        close(ledger, home, small_digits, recipe=replace(SHORT, steps=500), report=meanwhile)
    assert steps.count("fine-tuning") <= 25
