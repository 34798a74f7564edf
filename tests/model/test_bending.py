"""Bent drawings: the same digit, written a little differently."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.bending import AMOUNTS, Bending, as_strokes, bend, random_amounts
from model.strokes import check_strokes, rasterise
from tests.made import PLAIN

EVERYTHING = Bending(shift=20, rotation_degrees=10, slant=0.2, scale=0.2, stretch=0.1, jitter=6, lift=15)


def amounts(**by):
    names = ("right", "down", "turn", "slant", "scale", "stretch", "gap", "place")
    values = np.zeros(AMOUNTS)
    for name, value in by.items():
        values[names.index(name)] = value
    return values


@pytest.mark.parametrize("digit", range(10))
def test_no_amount_gives_the_drawing_back(digit):
    drawing = check_strokes(PLAIN[digit])
    bent = bend(drawing, EVERYTHING, np.zeros(AMOUNTS))
    assert np.allclose(bent.points, drawing.points)
    assert as_strokes(bent) == [[list(map(float, point)) for point in stroke] for stroke in PLAIN[digit]]


def test_each_change_does_what_its_name_says():
    seven = check_strokes([[[100, 100], [180, 100], [140, 180]]])
    moved = bend(seven, Bending(shift=10), amounts(right=1, down=-0.5))
    assert np.allclose(moved.points - seven.points, [10, -5])
    larger = bend(seven, Bending(scale=0.5), amounts(scale=1))
    assert np.allclose(np.ptp(larger.points, axis=0), [120, 120])
    wider = bend(seven, Bending(stretch=0.5), amounts(stretch=1))
    assert np.allclose(np.ptp(wider.points, axis=0), [120, 80])
    leaning = bend(seven, Bending(slant=0.25), amounts(slant=1))
    assert np.allclose(leaning.points[:, 0] - seven.points[:, 0], [10, 10, -10])  # the top to the right
    turned = bend(seven, Bending(rotation_degrees=90), amounts(turn=1))
    assert np.allclose(turned.points, [[180, 100], [180, 180], [100, 140]])


def test_lifting_the_pen_leaves_a_gap_in_the_line():
    line = check_strokes([[[20 + x, 140] for x in range(0, 241, 5)]])
    lifted = bend(line, Bending(lift=42), amounts(gap=1, place=0))
    first, second = as_strokes(lifted)
    assert (first[-1], second[0]) == ([115, 140], [165, 140])
    assert len(as_strokes(bend(line, Bending(lift=42), amounts(gap=-1)))) == 1


@given(st.integers(0, 9), st.integers(0, 10_000))
def test_whatever_the_amounts_the_result_is_a_drawing(digit, seed):
    drawing = check_strokes(PLAIN[digit])
    bent = bend(drawing, EVERYTHING, random_amounts(np.random.default_rng(seed)))
    assert rasterise(bent).max() > 0
    again = check_strokes(as_strokes(bent))  # what a browser would send
    assert (rasterise(again) == rasterise(bent)).all()


@pytest.mark.parametrize("wrong", [{"shift": -1}, {"scale": 1.0}, {"stretch": 1.2}])
def test_a_range_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match="keep|use 0"):
        Bending(**wrong)
