"""Drawings that come in the same moment are answered together."""

import asyncio
from dataclasses import dataclass

import pytest

from model.strokes import StrokesRefused
from tests.made import run
from ui.together import MOST, MOST_SEGMENTS, Together


@dataclass(frozen=True)
class Sketch:
    name: object
    segments: int = 10


class Model:
    """Answers a drawing with its name; refuses "blank", fails on "broken"."""

    def __init__(self):
        self.asked = []

    def answer_each(self, drawings):
        names = [drawing.name for drawing in drawings]
        self.asked.append(names)
        if "broken" in names:
            raise RuntimeError("broken")
        return [StrokesRefused("blank") if name == "blank" else name for name in names]


def answered(*names, segments=10):
    """What each is told, and what the model was asked, all at once each time."""
    model = Model()

    async def play():
        together = Together(model.answer_each)
        return await asyncio.gather(
            *(together.answer(Sketch(name, segments)) for name in names), return_exceptions=True
        )

    return run(play), model.asked


def test_what_comes_together_is_answered_together_each_with_its_own():
    assert answered(1, 2, 3) == ([1, 2, 3], [[1, 2, 3]])


def test_never_more_than_so_many_at_once_and_nobody_is_left_out():
    many = list(range(2 * MOST + 3))
    told, asked = answered(*many)
    assert told == many
    assert [len(each) for each in asked] == [MOST, MOST, 3]


def test_of_longer_drawings_fewer_are_answered_together():
    told, asked = answered(1, 2, 3, 4, 5, segments=MOST_SEGMENTS // 2)
    assert (told, asked) == ([1, 2, 3, 4, 5], [[1, 2], [3, 4], [5]])
    assert answered(1, 2, segments=2 * MOST_SEGMENTS) == ([1, 2], [[1], [2]])


def test_a_refused_one_is_no_matter_for_the_others():
    (one, blank, two), asked = answered(1, "blank", 2)
    assert (one, two, len(asked)) == (1, 2, 1)
    assert isinstance(blank, StrokesRefused)


def test_who_comes_one_round_later_is_answered_with_those_before():
    model = Model()

    async def play():
        together = Together(model.answer_each)

        async def later(name, rounds):
            for _ in range(rounds):
                await asyncio.sleep(0)
            return await together.answer(Sketch(name))

        assert await asyncio.gather(*(later(n, n) for n in range(4))) == [0, 1, 2, 3]
        assert await together.answer(Sketch(4)) == 4

    run(play)
    assert model.asked == [[0, 1, 2, 3], [4]]


def test_a_failure_is_told_to_each_and_the_next_are_answered():
    model = Model()

    async def play():
        together = Together(model.answer_each)
        failed = await asyncio.gather(
            together.answer(Sketch("broken")), together.answer(Sketch(1)), return_exceptions=True
        )
        assert [str(each) for each in failed] == ["broken", "broken"]
        assert await together.answer(Sketch(2)) == 2

    run(play)


def test_who_has_gone_keeps_nobody_waiting():
    async def play():
        together = Together(Model().answer_each)
        gone, stays = asyncio.create_task(together.answer(Sketch(1))), asyncio.create_task(together.answer(Sketch(2)))
        await asyncio.sleep(0)
        gone.cancel()
        assert await asyncio.wait_for(stays, 5) == 2
        with pytest.raises(asyncio.CancelledError):
            await gone

    run(play)
