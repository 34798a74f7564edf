import threading

import pytest
import torch

from model.network import as_pixels
from model.served import ServedModel
from model.strokes import StrokesRefused, check_strokes
from model.weights import build_network
from tests.conftest import random_weights
from tests.made import PLAIN


def test_an_answer_says_what_was_seen_and_by_whom(tmp_path):
    weights = random_weights(tmp_path, 1)
    answer = ServedModel(weights, promotion=4).answer(PLAIN[3])
    logits = build_network(weights)(as_pixels(torch.from_numpy(answer.image).unsqueeze(0)))
    assert answer.prediction == int(logits.argmax())
    assert answer.confidence == max(answer.probabilities)
    assert torch.tensor(answer.probabilities).sum() == pytest.approx(1)
    assert (answer.weights_id, answer.promotion, answer.strokes) == (weights.id, 4, PLAIN[3])


def test_a_drawing_off_the_canvas_is_refused(tmp_path):
    with pytest.raises(StrokesRefused, match="nothing of the drawing lies on the canvas"):
        ServedModel(random_weights(tmp_path, 1), 0).answer([[[-100, -100]]])


def test_answered_together_they_are_answered_as_alone(tmp_path):
    served = ServedModel(random_weights(tmp_path, 1), 3)
    off = [[[-100, -100]]]
    together = served.answer_each([check_strokes(strokes) for strokes in (*PLAIN.values(), off)])
    assert isinstance(together.pop(), StrokesRefused)
    for strokes, answer in zip(PLAIN.values(), together, strict=True):
        alone = served.answer(strokes)
        assert (answer.image == alone.image).all()
        assert answer.probabilities == pytest.approx(alone.probabilities, abs=1e-6)
        assert (answer.strokes, answer.prediction, answer.promotion) == (strokes, alone.prediction, 3)


def test_answers_during_swaps_are_whole(tmp_path):
    """Eight threads ask while the weights are swapped: each answer belongs to the weights it names."""
    made = [random_weights(tmp_path, seed) for seed in (1, 2)]
    expected = {w.id: ServedModel(w, 0).answer(PLAIN[5]).probabilities for w in made}
    served = ServedModel(made[0], 0)
    stop, wrong, seen = threading.Event(), [], set()

    def ask():
        while not stop.is_set():
            answer = served.answer(PLAIN[5])
            seen.add(answer.weights_id)
            if answer.probabilities != expected[answer.weights_id] or answer.promotion % 2 != (
                answer.weights_id == made[1].id
            ):
                wrong.append(answer)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for promotion in range(1, 101):
        served.swap(made[promotion % 2], promotion)
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert seen == set(expected)
