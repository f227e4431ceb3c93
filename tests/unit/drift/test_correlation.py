"""Laws of correlation: numpy's; nothing without spread, nothing of columns that only moved."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.core.columns import Int64Array
from stream_app.core.drift.reference import COARSE_MOST, COARSE_UNIT, CoMoments, Float64Array
from stream_app.core.drift.statistics.correlation import Change, Correlations


def summed(*windows: Int64Array) -> CoMoments:
    """Of one window, or of many."""
    places = np.triu_indices(windows[0].shape[1])
    products = [(coarse.T @ coarse)[places] for coarse in windows]
    sums, rows = [coarse.sum(axis=0) for coarse in windows], list(map(len, windows))
    if len(windows) == 1:
        return CoMoments(products[0], sums[0], np.array(rows[0]))
    return CoMoments(np.array(products), np.array(sums), np.array(rows))


def correlations(together: CoMoments) -> Float64Array:
    return Correlations(together).matrices


def correlation_change(reference: CoMoments, current: CoMoments) -> Change:
    return Correlations(current).change_from(Correlations(reference))


def drawn(
    seed: int, rows: int, correlation: float, columns: int = 8, *, moved: float = 0.0
) -> Int64Array:
    """Coarse values of standard normal columns; the first two are correlated, and may be moved."""
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(rows, columns))
    values[:, 1] = correlation * values[:, 0] + (1 - correlation**2) ** 0.5 * values[:, 1]
    values[:, :2] += moved
    coarse = np.rint(values * COARSE_UNIT).clip(-COARSE_MOST, COARSE_MOST)
    return coarse.astype(np.int64)


@given(st.integers(0, 10**6), st.integers(2, 12), st.integers(3, 500), st.floats(-6, 6))
def test_correlations_are_those_of_numpy(seed: int, columns: int, rows: int, by: float) -> None:
    coarse = drawn(seed, rows, 0.6, columns, moved=by)
    expected = np.corrcoef(coarse, rowvar=False)
    assert correlations(summed(coarse)) == pytest.approx(expected, abs=1e-9)


@given(st.integers(0, 10**6), st.integers(-COARSE_MOST, COARSE_MOST))
def test_where_values_lie_says_nothing_to_the_last_bit(seed: int, by: int) -> None:
    coarse = np.random.default_rng(seed).integers(-3, 4, (50, 3))
    moved = correlations(summed(coarse + by))
    assert moved.tolist() == correlations(summed(coarse)).tolist()


@given(st.integers(0, 10**6))
def test_the_greatest_change_is_that_of_the_matrices_and_names_its_pair(seed: int) -> None:
    reference = summed(drawn(seed, 5_000, 0.1))
    windows = summed(*(drawn(seed + k, 200, 0.3) for k in (1, 2, 3)))
    change = correlation_change(reference, windows)
    apart = np.abs(correlations(windows) - correlations(reference))
    assert change.greatest.tolist() == apart.max(axis=(1, 2)).tolist()
    at = (np.arange(3), change.first, change.second)
    assert apart[at].tolist() == change.greatest.tolist()
    assert (change.first < change.second).all()


def test_the_pair_whose_correlation_changed_is_found() -> None:
    change = correlation_change(summed(drawn(1, 20_000, 0.3)), summed(drawn(2, 5_000, 0.6)))
    assert (int(change.first), int(change.second)) == (0, 1)
    assert float(change.greatest) == pytest.approx(0.3, abs=0.05)


def test_one_pair_of_eight_columns_is_seen_at_500_rows_and_a_move_of_both_is_not() -> None:
    reference = summed(drawn(1, 50_000, 0.3))

    def found(first: int, correlation: float, moved: float = 0.0) -> Float64Array:
        windows = (drawn(first + k, 500, correlation, moved=moved) for k in range(300))
        return correlation_change(reference, summed(*windows)).greatest

    quiet, loud = found(10, 0.3), found(1_000, 0.5)
    limit = np.quantile(quiet, 0.99)
    assert (loud > limit).mean() > 0.85
    for moved in (found(10, 0.3, moved=0.5), found(10, 0.3, moved=-2.0)):
        assert np.median(moved) == pytest.approx(np.median(quiet), rel=0.02)
        assert (moved > limit).mean() <= 0.02


def test_a_column_without_spread_correlates_with_nothing_wherever_it_lies() -> None:
    coarse = drawn(3, 100, 0.5, 3)
    for stuck in (0, 1_777, -COARSE_MOST):
        coarse[:, 2] = stuck
        matrix = correlations(summed(coarse))
        assert matrix[2].tolist() == [0, 0, 0]
        assert not np.isnan(matrix).any()
        assert correlation_change(summed(coarse), summed(coarse)).greatest == 0


def test_a_column_that_lost_its_spread_changed_in_pairs_and_not_with_itself() -> None:
    coarse = drawn(3, 1_000, 0.5, 3)
    stuck = coarse.copy()
    stuck[:, 0] = 700
    change = correlation_change(summed(coarse), summed(stuck))
    assert (int(change.first), int(change.second)) == (0, 1)
    assert float(change.greatest) == pytest.approx(0.5, abs=0.1)


def test_a_window_without_rows_is_no_number() -> None:
    whole = drawn(3, 100, 0.5, 3)
    greatest = correlation_change(summed(whole), summed(whole[:0], whole)).greatest
    assert np.isnan(greatest).tolist() == [True, False]


def test_of_as_many_rows_as_a_window_may_have_nothing_is_too_large() -> None:
    """Two values, as far from the mean as they may be, of 2^40 rows."""
    rows, most = 1 << 40, COARSE_MOST
    one = np.array([[most, most, -most], [most, -most, most]])
    many = CoMoments(*(each * (rows // 2) for each in summed(one)))
    assert correlations(many).tolist() == correlations(summed(one)).tolist()
