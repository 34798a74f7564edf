"""Plots as SVG: what is drawn where, and what is said of it."""

import re

from ui.numbers import percent
from ui.plots import HEIGHT, Point, Series, plot, scale_of


def whole(points, **more):
    return plot("Fooled", "% of attempts", ["1", "2", "3"], [Series("MER", points)], percent, **more)


def test_without_a_point_there_are_no_empty_axes():
    assert whole([]) == ""


def test_a_plot_has_a_title_names_of_its_axes_and_every_value_in_words():
    svg = whole([Point(0, 0.34, 0.28, 0.41, "round 1: 34 %"), Point(2, 0.05, text="round 3: 5 %")])
    assert "<figcaption>Fooled</figcaption>" in svg
    assert 'role="img" aria-label="Fooled, % of attempts, by round. MER: round 1: 34 %, round 3: 5 %"' in svg
    assert ">% of attempts</text>" in svg
    assert ">round</text>" in svg
    assert "<title>round 1: 34 %</title>" in svg


def test_an_interval_is_drawn_from_its_low_to_its_high_end():
    scale = scale_of([Point(0, 0.5, 0.0, 1.0)], True, 1.0)
    assert (scale.y(0.0), scale.y(1.0)) == (172.0, 10.0)
    svg = whole([Point(0, 0.5, 0.0, 1.0)], highest=1.0)
    assert re.search(r'class="whisker" d="M[\d.]+ 172\.0V10\.0', svg)
    assert "whisker" not in whole([Point(0, 0.5)])


def test_ticks_are_round_numbers_that_hold_everything():
    scale = scale_of([Point(0, 3.6), Point(1, 16.8, 9.9, 29.0)], True, None)
    assert scale.ticks == [0, 10, 20, 30]
    close = scale_of([Point(0, 0.9945, 0.9929, 0.9958), Point(1, 0.9916)], False, 1.0)
    assert close.low <= 0.9916
    assert close.high >= 0.9958
    assert len(close.ticks) <= 6


def test_an_axis_goes_no_further_than_the_highest_possible_value():
    scale = scale_of([Point(0, 0.9, 0.6, 0.98)], True, 1.0)
    assert scale.high == 1.0


def test_values_that_are_all_the_same_still_make_a_plot():
    for value in (0.0, 0.5, 1.0, 4.0):
        for from_zero in (True, False):
            svg = whole([Point(0, value), Point(1, value)], from_zero=from_zero)
            assert all(0 <= float(y) <= HEIGHT for y in re.findall(r'cy="([\d.-]+)"', svg)), value


def test_many_rounds_thin_out_their_names_and_not_their_points():
    names = [str(n) for n in range(1, 61)]
    svg = plot("Fooled", "%", names, [Series("MER", [Point(i, 0.1) for i in range(60)])], percent)
    assert svg.count('y="187"') == 12
    assert svg.count("<circle") == 60
    assert 'class="value"' not in svg


def test_series_differ_by_mark_and_line_and_have_a_key():
    svg = plot(
        "Fooled",
        "%",
        ["1", "2"],
        [Series("MER", [Point(0, 0.5)]), Series("vMER", [Point(0, 0.4)], "square", "second")],
        percent,
    )
    assert "MER</li>" in svg
    assert "vMER</li>" in svg
    assert '<circle class="mark"' in svg
    assert '<rect class="mark"' in svg


def test_words_from_elsewhere_are_escaped():
    svg = plot("<b>", "a&b", ["1"], [Series("s", [Point(0, 1, text='"><script>')])], percent)
    assert "<script>" not in svg
    assert "<figcaption>&lt;b&gt;</figcaption>" in svg
