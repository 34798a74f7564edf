"""The batched attacks against loops over one image and one candidate at a time, as robustcheck 1.1.0 is written.

Both draw the same random numbers, so that every query and every pixel must agree.
"""

import numpy as np
import pytest
import torch

from evaluation.black_box import EpsilonGreedy, EvoBA, SimBA, attack_images
from evaluation.queries import Draws, Pixels, below, fraction, values

UNIT = Pixels(0, 1, whole=False)
SHAPE = (2, 6, 7)  # channels, height, width
LAYER = torch.nn.Linear(2 * 6 * 7, 4)
with torch.no_grad():
    LAYER.weight[:] = torch.randn(4, 84, generator=torch.Generator().manual_seed(3)) * 0.4
    LAYER.bias[:] = 0


def model(images):
    return LAYER(images.flatten(1))


class OneImage:
    """One image under attack, with robustcheck's predict and its count."""

    def __init__(self, image, label, number, seed):
        self.image, self.label, self.queries, self.step = image.clone(), label, 0, -1
        self.draws = Draws(seed, np.array([number]))

    @torch.no_grad()
    def predict(self, image):
        self.queries += 1
        return torch.softmax(model(image[None]), 1)[0]

    def bits(self, count):
        self.step += 1
        return self.draws.bits(np.array([0]), self.step, count)[0]

    def with_pixel(self, place, bits):
        image = self.image.clone()
        image.view(2, -1)[:, below(place, 42)] = torch.from_numpy(values(bits, UNIT))
        return image


def evoba(it, attack):
    probabilities = it.predict(it.image)
    for _ in range(attack.steps):
        bits = it.bits(attack.generation * 3).reshape(-1, 3)
        offspring = [it.with_pixel(each[0], each[1:]) for each in bits]
        answers = [it.predict(each) for each in offspring]
        best = int(np.argmax([1 - float(answer[it.label]) for answer in answers]))
        it.image, probabilities = offspring[best], answers[best]
        if int(probabilities.argmax()) != it.label:
            return


def epsilon_greedy(it, attack):
    now = it.predict(it.image)
    squares = [
        [r * 7 + c for r in range(y, min(y + 4, 6)) for c in range(x, min(x + 4, 7))] for y in (0, 4) for x in (0, 4)
    ]
    paid, tried = [0.0] * 4, [0] * 4
    for _ in range(attack.steps):
        bits = it.bits(5)
        best = [group for group in range(4) if paid[group] == max(paid)]
        explores = fraction(bits[0]) < attack.epsilon
        group = int(below(bits[1], 4)) if explores else best[int(below(bits[1], len(best)))]
        place = squares[group][int(below(bits[2], len(squares[group])))]
        candidate = it.image.clone()
        candidate.view(2, -1)[:, place] = torch.from_numpy(values(bits[3:], UNIT))
        answer = it.predict(candidate)
        reward = float(now[it.label] - answer[it.label])
        if reward > 0:
            it.image, now = candidate, answer
        tried[group] += 1
        paid[group] += (reward - paid[group]) / tried[group]
        if int(now.argmax()) != it.label:
            return


def simba(it, attack):
    now, left = it.predict(it.image), list(range(84))
    while left and it.step + 1 < attack.steps and int(now.argmax()) == it.label:
        picked = int(below(it.bits(1)[0], len(left)))
        entry, left[picked] = left[picked], left[-1]
        left.pop()
        for move in (attack.epsilon, -attack.epsilon):
            candidate = it.image.clone()
            candidate.view(-1)[entry] = (candidate.view(-1)[entry] + move).clamp(0, 1)
            answer = it.predict(candidate)
            if answer[it.label] < now[it.label]:
                it.image, now = candidate, answer
                break


@pytest.mark.parametrize(
    ("attack", "loop"),
    [
        (EvoBA(generation=6, steps=30), evoba),
        (EpsilonGreedy(epsilon=0.3, steps=200, patch=4), epsilon_greedy),
        (SimBA(epsilon=0.4, steps=100), simba),
    ],
    ids=["evoba", "epsilon-greedy", "simba"],
)
def test_all_at_once_is_what_one_by_one_is(attack, loop):
    images = torch.rand(25, *SHAPE, generator=torch.Generator().manual_seed(1))
    labels = model(images).argmax(1)
    labels[::6] = (labels[::6] + 1) % 4  # misread, not attacked
    attacked = attack_images(model, images, labels, attack, seed=9)
    assert attacked.fooled.sum() >= 3
    for number in attacked.correct.nonzero()[:, 0].tolist():
        it = OneImage(images[number], int(labels[number]), number, seed=9)
        loop(it, attack)
        assert it.queries == attacked.queries[number], number
        assert torch.equal(it.image, attacked.best[number]), number
