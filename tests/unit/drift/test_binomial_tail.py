"""Laws of the binomial tail: scipy's, up to ten million rows, and to the smallest double."""

from itertools import pairwise
from math import exp, isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from stream_app.core.drift.statistics.binomial_tail import (
    binomial_tail,
    log_binomial_tail,
    smoothed_rate,
)

rates = st.floats(-16, -0.01).map(lambda power: 10**power) | st.floats(0.001, 0.999)


@given(st.integers(1, 10**7), rates, st.floats(-12, 30), st.data())
def test_the_tail_is_that_of_scipy(
    rows: int, rate: float, deviations: float, data: st.DataObject
) -> None:
    sd = (rows * rate * (1 - rate)) ** 0.5
    near = min(rows, max(0, round(rows * rate + deviations * sd)))
    count = data.draw(st.just(near) | st.integers(0, min(rows, near + 50)))
    expected = stats.binom.sf(count - 1, rows, rate)
    if expected > 1e-290:
        assert binomial_tail(count, rows, rate) == pytest.approx(expected, rel=1e-8)


@given(st.integers(1, 400), st.floats(0.001, 0.999))
def test_tails_are_sums_of_probabilities(rows: int, rate: float) -> None:
    counts = np.arange(rows + 1)
    expected = stats.binom.pmf(counts, rows, rate)[::-1].cumsum()[::-1]
    assert binomial_tail(counts, rows, rate) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("deviations", [0.5, 2.0, 5.0])
@pytest.mark.parametrize("rate", [0.01, 0.3, 0.9])
def test_ten_million_rows_leave_all_digits(rate: float, deviations: float) -> None:
    rows = 10**7
    count = int(rows * rate + deviations * (rows * rate * (1 - rate)) ** 0.5)
    expected = stats.beta.cdf(rate, count, rows - count + 1)
    assert binomial_tail(count, rows, rate) == pytest.approx(expected, rel=3e-10)


def test_far_out_the_logarithm_goes_on_where_a_double_ends() -> None:
    assert binomial_tail(10**6, 10**7, 0.01) == 0
    expected = stats.binom.logpmf(10**6, 10**7, 0.01)
    assert log_binomial_tail(10**6, 10**7, 0.01) == pytest.approx(expected, rel=1e-6)
    assert log_binomial_tail(5, 4, 0.5) == -np.inf


def test_arguments_are_broadcast_and_no_rows_are_no_number() -> None:
    tails = binomial_tail(np.array([[0], [1]]), np.array([0, 1, 2]), 0.25)
    assert tails.shape == (2, 3)
    assert isnan(tails[0, 0])
    assert tails[:, 1:].ravel().tolist() == pytest.approx([1, 1, 0.25, 0.4375])


def test_a_defect_that_the_reference_never_had_is_rare_and_not_impossible() -> None:
    rate = smoothed_rate(0, 1_000)
    assert 0 < rate < 0.001
    assert binomial_tail(1, 1_000, rate) > 0.3
    assert binomial_tail(20, 1_000, rate) < 1e-10
    assert smoothed_rate(1_000, 1_000) < 1


@given(st.integers(1, 10**6), st.floats(0.0001, 0.9999))
def test_more_defects_are_less_likely_around_the_mean_too(rows: int, rate: float) -> None:
    mean = int(rows * rate)
    logs = [log_binomial_tail(k, rows, rate) for k in range(max(0, mean - 2), mean + 4)]
    assert all(later <= before for before, later in pairwise(logs))
    assert exp(logs[0]) <= 1
