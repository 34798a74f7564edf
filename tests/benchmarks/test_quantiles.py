import pytest

from benchmarks.quantiles import Spread, quantile, times


def test_a_quantile_is_a_value_that_was_measured():
    values = [5.0, 1.0, 3.0, 2.0, 4.0]
    assert [quantile(values, share) for share in (0.2, 0.5, 0.9, 1.0)] == [1.0, 3.0, 5.0, 5.0]


def test_of_a_hundred_values_the_99th_is_the_second_largest():
    assert quantile([float(n) for n in range(1, 101)], 0.99) == 99.0


def test_a_spread_tells_median_and_worst():
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(n=3, median=2.0, p90=3.0, p99=3.0, worst=3.0)


def test_nothing_measured_is_no_result():
    with pytest.raises(ValueError, match="nothing was measured"):
        Spread.of([])


def test_ratios_are_as_exact_as_they_need_to_be():
    assert (times(1.234), times(63.7)) == ("1.23 x", "64 x")
