import pytest

from evaluation.extras import ExtraMissing, need
from evaluation.spread import spread


def test_the_interval_is_students():
    figures = spread([1.0, 2.0, 3.0])  # mean 2, deviation 1; t(0.975, 2) = 4.302653, / sqrt(3)
    assert (figures.mean, figures.low, figures.high) == pytest.approx((2.0, -0.484138, 4.484138), abs=1e-6)
    assert not figures.excludes_zero
    assert spread([1.0, 1.1, 1.2]).excludes_zero
    assert spread([-1.0, -1.1, -1.2]).excludes_zero


def test_one_seed_shows_nothing():
    figures = spread([5.0])
    assert (figures.mean, figures.low, figures.high, figures.n) == (5.0, None, None, 1)
    assert not figures.excludes_zero


def test_no_seed_is_refused():
    with pytest.raises(ValueError, match="run at least one seed"):
        spread([])


def test_a_missing_extra_is_named_with_the_command_that_brings_it():
    with pytest.raises(ExtraMissing, match=r"^notthere is not installed; run `pip install -r requirements-eval"):
        need("notthere.sub")
