"""What a round learns from: never a test drawing, nor one like it; never one annotator's flood."""

import json
import random
from collections import Counter

import pytest
import torch

from evaluation.test_sets import as_digits
from flagging.callback import LedgerCallback
from model.likeness import features_of, near
from model.served import ServedModel
from model.weights import build_network, load_weights
from retrain.fine_tuning import fine_tune
from retrain.gate import GateSettings
from retrain.mixing import capped, held_out_of, mix
from retrain.rounds import close_round
from retrain.settings import FineTuningRecipe, RoundSettings
from tests.made import PLAIN, FakeAnswer, add_fooling

ANY_HARM = GateSettings(max_drop=0.99, max_drop_round0=0.99, max_recall_drop=0.99)
PLAIN_RECIPE = FineTuningRecipe(steps=2, clean_batch=20, drawings_batch=10, bent_drawings=0)


def round0(home, ledger):
    return build_network(load_weights(home.weights, ledger.promotions()[0].weights_id))


def draw(ledger, strokes, annotator, label=1, prediction=3):
    served = ledger.served()
    answer = FakeAnswer(prediction, served.number, served.weights_id, strokes)
    number = ledger.totals().tries
    return ledger.record_attempt(answer, label, ledger.annotator(annotator), f"try-{number:06d}")


def annotators_of(ledger, split, count=1, label=1):
    """Annotators whose drawings of a digit fall on this side in the open round."""
    found, number = [], 0
    while len(found) < count:
        name = f"somebody-{(number := number + 1)}"
        if ledger._split(ledger.annotator(name), label, ledger.open_round().number) == split:
            found.append(name)
    return found


def jittered(strokes, seed, by=1.0):
    rng = random.Random(seed)
    return [[[x + rng.uniform(-by, by), y + rng.uniform(-by, by)] for x, y in stroke] for stroke in strokes]


@pytest.mark.parametrize("first", ["train", "test"])
def test_of_two_drawings_alike_across_the_split_the_older_one_stays(home, ledger, first):
    other = {"train": "test", "test": "train"}[first]
    (one,), (two,) = annotators_of(ledger, first), annotators_of(ledger, other)
    older = draw(ledger, PLAIN[8], one)
    draw(ledger, jittered(PLAIN[8], 1), two)
    mixed = mix(ledger, round0(home, ledger), 1, 1.0)
    kept = mixed.train if first == "train" else mixed.held_out
    assert [a.attempt_id for a in kept] == [older.attempt_id]
    assert (mixed.held_out if first == "train" else mixed.train) == []
    assert (mixed.near_duplicates, len(mixed.used)) == (1, 2)


def test_what_a_round_used_first_stays_on_its_side(home, ledger, small_digits):
    """A test drawing that was frozen keeps a later, older-looking copy out of training for good."""
    (tester,), (learner,) = annotators_of(ledger, "test"), annotators_of(ledger, "train")
    ledger.use_quorum(1)
    early = draw(ledger, PLAIN[8], learner)  # drawn first, verified only after the test drawing was frozen
    frozen = draw(ledger, jittered(PLAIN[8], 1), tester)
    ledger.record_vote(frozen.attempt_id, 1, "judge")
    closed = close_round(ledger, home.weights, lambda: small_digits, RoundSettings(), PLAIN_RECIPE, lambda *_: None)
    assert closed.test_set == [frozen.attempt_id]
    ledger.record_vote(early.attempt_id, 1, "judge")
    mixed = mix(ledger, round0(home, ledger), 2, 1.0)
    assert (mixed.train, mixed.near_duplicates) == ([], 1)


def test_a_test_drawing_that_did_not_fool_guards_its_copies_too(home, ledger):
    (tester,), (learner,) = annotators_of(ledger, "test"), annotators_of(ledger, "train")
    draw(ledger, PLAIN[8], tester, prediction=1)  # the model was right
    draw(ledger, PLAIN[8], learner)
    mixed = mix(ledger, round0(home, ledger), 1, 1.0)
    assert (mixed.train, mixed.near_duplicates) == ([], 1)


def test_a_frozen_test_drawing_that_is_hidden_still_guards_its_copies(home, ledger, small_digits):
    (tester,), (learner,) = annotators_of(ledger, "test"), annotators_of(ledger, "train")
    frozen = draw(ledger, PLAIN[8], tester)
    close_round(ledger, home.weights, lambda: small_digits, RoundSettings(), PLAIN_RECIPE, lambda *_: None)
    ledger.hide(frozen.attempt_id)
    (learner,) = annotators_of(ledger, "train")
    draw(ledger, PLAIN[8], learner)
    assert mix(ledger, round0(home, ledger), 2, 1.0).train == []


def test_attempts_that_did_not_fool_are_learnt_too_but_no_copy_of_a_test_drawing(home, ledger):
    (tester,), (learner,) = annotators_of(ledger, "test"), annotators_of(ledger, "train")
    draw(ledger, PLAIN[8], tester)
    copy = draw(ledger, jittered(PLAIN[8], 1), learner, prediction=1)
    other = draw(ledger, PLAIN[4], learner, prediction=1)
    mixed = mix(ledger, round0(home, ledger), 1, 1.0)
    assert [a.attempt_id for a in mixed.harmless] == [other.attempt_id] != [copy.attempt_id]


@pytest.mark.parametrize("prediction", [1, 3], ids=["did not fool", "fooled"])
@pytest.mark.parametrize("then", ["stays", "is hidden", "is retracted"])
def test_nothing_like_a_drawing_that_was_learnt_becomes_a_test_drawing(home, ledger, small_digits, prediction, then):
    (learner,) = annotators_of(ledger, "train")
    learnt = draw(ledger, PLAIN[8], learner, prediction=prediction)
    draw(ledger, PLAIN[4], learner)
    close_round(ledger, home.weights, lambda: small_digits, RoundSettings(gate=ANY_HARM), PLAIN_RECIPE, lambda *_: None)
    if then == "is hidden":
        ledger.hide(learnt.attempt_id)
    if then == "is retracted":
        ledger.retract(learnt.attempt_id, learnt.annotator)
    (tester,) = annotators_of(ledger, "test")
    draw(ledger, jittered(PLAIN[8], 1), tester)
    assert mix(ledger, round0(home, ledger), 2, 1.0).held_out == []
    assert held_out_of(ledger, round0(home, ledger), 2) == []


def test_a_passer_by_caps_nobody(ledger):
    drawn = [a for name, count in {"a": 40, "b": 1, "c": 1}.items() for a in add_fooling(ledger, count, annotator=name)]
    assert capped(drawn, 0.2) == drawn


def test_drawings_that_differ_stay_whatever_their_side(home, ledger):
    for name in (*annotators_of(ledger, "train", 3), *annotators_of(ledger, "test", 2)):
        add_fooling(ledger, 2, annotator=name)
    mixed = mix(ledger, round0(home, ledger), 1, 1.0)
    assert (len(mixed.train), len(mixed.held_out), mixed.near_duplicates) == (6, 4, 0)


@pytest.mark.parametrize(
    ("counts", "kept"),
    [
        ({"a": 50, "b": 1}, {"a": 50, "b": 1}),  # two annotators: as it comes
        ({"a": 50, "b": 5, "c": 5}, {"a": 5, "b": 5, "c": 5}),  # three: a third each at the most
        ({"a": 50, "b": 10, "c": 10, "d": 10, "e": 10}, {"a": 10, "b": 10, "c": 10, "d": 10, "e": 10}),
        ({"a": 50, **{f"n{i}": 10 for i in range(8)}}, {"a": 20, **{f"n{i}": 10 for i in range(8)}}),
        ({"a": 20, **{f"n{i}": 1 for i in range(8)}}, {"a": 20, **{f"n{i}": 1 for i in range(8)}}),  # one is active
        ({}, {}),
    ],
)
def test_no_annotator_has_more_than_a_fifth_of_a_rounds_training_drawings(ledger, counts, kept):
    drawn = [a for name, count in counts.items() for a in add_fooling(ledger, count, annotator=name)]
    chosen = capped(drawn, 0.2)
    assert Counter(a.annotator for a in chosen) == {ledger.annotator(name): count for name, count in kept.items()}
    # Their newest, in the order they were drawn.
    seqs = [drawn.index(a) for a in chosen]
    assert seqs == sorted(seqs)
    for name, count in counts.items():
        mine = [a for a in drawn if a.annotator == ledger.annotator(name)]
        assert [a for a in chosen if a.annotator == ledger.annotator(name)] == mine[count - kept[name] :]


def test_over_the_whole_pipeline_nothing_like_a_test_drawing_is_ever_trained_on(
    home, ledger, small_digits, pen_digits, monkeypatch
):
    """Real pen strokes through the callback, three rounds, copies by other annotators in every round."""
    trained: list[torch.Tensor] = []

    def spy(parent, first, clean, fooling, harmless, recipe, seed, report):
        trained.append(torch.cat([fooling.images, harmless.images]))
        return fine_tune(parent, first, clean, fooling, harmless, recipe, seed, report)

    monkeypatch.setattr("retrain.rounds.fine_tune", spy)
    settings = RoundSettings(gate=ANY_HARM)
    rng = random.Random(3)
    pool = iter(rng.sample([d for d in pen_digits if d.writer <= 24], 700))
    seen = []
    for number in range(3):
        served = ServedModel(load_weights(home.weights, ledger.served().weights_id), ledger.served().number)
        callback = LedgerCallback(served.answer, ledger)
        for digit in [next(pool) for _ in range(110)]:
            callback.submit(digit.strokes, digit.label, f"writer {digit.writer}")
            seen.append(digit)
        # Others send drawings of any round again: as they were, and a little changed.
        for copy in rng.sample(seen, 40):
            callback.submit(copy.strokes, copy.label, f"copier {rng.randrange(20)} of {number}")
            callback.submit(jittered(copy.strokes, rng.random()), copy.label, f"tracer {rng.randrange(20)} of {number}")
        close_round(ledger, home.weights, lambda: small_digits, settings, PLAIN_RECIPE, lambda *_: None)
    frozen = {attempt_id for closed in ledger.closed_rounds() for attempt_id in closed.test_set}
    test = as_digits([a for a in ledger.attempts(split="test") if a.attempt_id in frozen])
    assert len(test) > 10
    assert all(len(images) > 20 for images in trained)
    network = round0(home, ledger)
    for images in trained:
        assert not near(features_of(network, images), features_of(network, test.images)).any()
        same = [torch.equal(image, held_out) for held_out in test.images for image in images[::7]]
        assert not any(same)
    assert sum(closed.figures["near_duplicates_left_out"] for closed in ledger.closed_rounds()) > 0
    # Held-out drawings carry the test mark from birth.
    assert frozen <= {a.attempt_id for a in ledger.attempts(split="test")}


def test_what_is_learnt_is_drawn_anew_from_the_strokes(ledger):
    (attempt,) = add_fooling(ledger, 1)
    digits = as_digits([attempt])
    answer = FakeAnswer(strokes=json.loads(attempt.strokes))
    assert (digits.images[0].numpy() == answer.image).all()
    assert digits.labels.tolist() == [1]
