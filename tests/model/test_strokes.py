import hashlib
import json
import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.strokes import EDGE, MAX_POINTS, PEN_RADIUS, StrokesRefused, check_strokes, rasterise, rasterise_each
from tests.made import PLAIN, bent


def image_of(strokes):
    return rasterise(check_strokes(strokes))


def by_definition(strokes):
    """Every pixel's distance to every segment, one by one."""
    image = np.zeros((28, 28))
    for row in range(28):
        for column in range(28):
            x, y = column + 0.5, row + 0.5
            nearest = math.inf
            for stroke in strokes:
                points = [(p[0] / 10, p[1] / 10) for p in stroke]
                for (ax, ay), (bx, by) in zip(points, points[1:] or points, strict=False):
                    square = (bx - ax) ** 2 + (by - ay) ** 2
                    t = 0 if square == 0 else min(1, max(0, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / square))
                    nearest = min(nearest, math.hypot(x - ax - t * (bx - ax), y - ay - t * (by - ay)))
            image[row, column] = min(1, max(0, (PEN_RADIUS + EDGE / 2 - nearest) / EDGE))
    return image * 255


@pytest.mark.parametrize(
    "strokes",
    [
        *PLAIN.values(),
        [[[140, 140]]],
        [[[-50, 140], [330, 150]], [[13, 7, 0], [13, 7, 5], [14, 250, 30]]],
        [[[-279, -279], [559, 559]]],
    ],
)
def test_the_image_is_the_distance_to_the_nearest_line(strokes):
    assert np.abs(image_of(strokes).astype(float) - by_definition(strokes)).max() <= 0.51


coordinate = st.floats(-280, 560, allow_nan=False) | st.integers(-280, 560)
drawings = st.lists(
    st.lists(st.tuples(coordinate, coordinate).map(list), min_size=1, max_size=8), min_size=1, max_size=4
)


@given(drawings)
def test_any_drawing_gives_an_image_near_its_definition(strokes):
    image = image_of(strokes)
    assert image.shape == (28, 28)
    assert image.dtype == np.uint8
    assert np.abs(image.astype(float) - by_definition(strokes)).max() <= 0.51


@given(st.lists(drawings, min_size=1, max_size=5))
def test_drawn_together_they_are_what_they_are_one_by_one(many):
    checked = [check_strokes(strokes) for strokes in many]
    assert (rasterise_each(checked) == np.stack([rasterise(drawing) for drawing in checked])).all()


def test_the_bytes_never_change_without_a_new_version():
    rng = random.Random(7)
    images = b"".join(image_of(bent(PLAIN[digit], rng)).tobytes() for digit in range(10))
    assert hashlib.sha256(images).hexdigest()[:16] == "b3a48b955b131761"


def test_strokes_read_back_from_json_give_the_same_bytes():
    strokes = bent(PLAIN[3], random.Random(1))
    assert (image_of(json.loads(json.dumps(strokes))) == image_of(strokes)).all()


def test_ten_units_are_one_pixel():
    here = image_of([[[100, 100], [150, 130]]])
    right_and_down = image_of([[[110, 120], [160, 150]]])
    assert (np.roll(here, (2, 1), axis=(0, 1)) == right_and_down).all()


def test_a_dot_is_a_round_spot():
    spot = image_of([[[140, 140]]])
    assert spot[13:15, 13:15].min() > 250
    assert (spot == spot.T).all()
    assert (spot == spot[::-1, ::-1]).all()
    assert 0.9 < spot.sum() / 255 / (math.pi * PEN_RADIUS**2) < 1.15


def test_times_do_not_change_the_image():
    assert (image_of([[[10, 20, 0], [200, 220, 80]]]) == image_of([[[10, 20], [200, 220]]])).all()


def test_a_point_in_the_middle_of_a_line_changes_nothing():
    assert (image_of([[[40, 40], [240, 40]]]) == image_of([[[40, 40], [140, 40], [240, 40]]])).all()


def test_what_lies_off_the_canvas_is_not_seen():
    assert not image_of([[[-200, -200], [-100, -200]]]).any()


def test_ten_thousand_points_are_drawn():
    spiral = [[[140 + i / 100 * math.cos(i / 50), 140 + i / 100 * math.sin(i / 50)] for i in range(MAX_POINTS)]]
    assert image_of(spiral).mean() > 100


def test_a_scribble_all_over_the_canvas_is_refused_by_its_length():
    zigzag = [[[280 * (i % 2), i % 280] for i in range(MAX_POINTS)]]
    with pytest.raises(StrokesRefused, match="units long; a drawing has at most 200000"):
        check_strokes(zigzag)


NESTED: list = []
for _ in range(900):
    NESTED = [NESTED]


@pytest.mark.parametrize(
    ("strokes", "says"),
    [
        (None, "strokes are null"),
        ("7", "strokes are text '7'"),
        ({}, "strokes are {}"),
        ([], "there are no strokes; draw a digit first"),
        ([[]], "stroke 1 has no points"),
        ([[[1, 2]], []], "stroke 2 has no points"),
        ([7], "stroke 1 is 7"),
        ([[7]], "a point of stroke 1 is 7"),
        ([[[1]]], r"a point of stroke 1 is \[1\]"),
        ([[[1, 2, 3, 4]]], "send"),
        ([[["1", 2]]], "all numbers"),
        ([[[True, 2]]], "all numbers"),
        ([[[None, 2]]], "all numbers"),
        ([[[float("nan"), 2]]], "x and y lie between 0 and 280"),
        ([[[math.inf, 2]]], "x and y lie between 0 and 280"),
        ([[[1e9, 2]]], "x and y lie between 0 and 280"),
        ([[[10**400, 2]]], "x and y lie between 0 and 280"),
        ([[[1, 2, -1]]], "milliseconds from 0 up"),
        ([[[1, 2, float("nan")]]], "milliseconds from 0 up"),
        ([[[1, 2]]] * 501, "501 strokes"),
        ([[[1, 2]] * (MAX_POINTS + 1)], "more than 10000 points"),
        ([[[1, 2]] * 6000, [[1, 2]] * 6000], "more than 10000 points"),
        (NESTED, "stroke 1"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_what_is_no_drawing_is_refused_in_a_sentence(strokes, says):
    with pytest.raises(StrokesRefused, match=says) as refusal:
        check_strokes(strokes)
    assert len(str(refusal.value)) < 250
