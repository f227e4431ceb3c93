"""Laws of correlation: numpy's, about the reference's means; nothing without spread."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.core.columns import Int64Array
from stream_app.core.drift.reference import COARSE_MOST, COARSE_UNIT
from stream_app.core.drift.statistics.correlation import correlation_change, correlations


def co_moments(coarse: Int64Array) -> Int64Array:
    products = coarse.T @ coarse
    return np.asarray(products[np.triu_indices(coarse.shape[1])], np.int64)


def drawn(seed: int, rows: int, correlation: float, columns: int = 8) -> Int64Array:
    """Coarse values of standard normal columns, of which the first two are correlated."""
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(rows, columns))
    values[:, 1] = correlation * values[:, 0] + (1 - correlation**2) ** 0.5 * values[:, 1]
    coarse = np.rint(values * COARSE_UNIT).clip(-COARSE_MOST, COARSE_MOST)
    return coarse.astype(np.int64)


@given(st.integers(0, 10**6), st.integers(2, 12), st.integers(3, 500))
def test_with_its_mirror_image_a_window_has_the_correlations_of_numpy(
    seed: int, columns: int, rows: int
) -> None:
    coarse = drawn(seed, rows, 0.6, columns)
    around_zero = np.concatenate([coarse, -coarse])
    expected = np.corrcoef(around_zero, rowvar=False)
    assert correlations(co_moments(around_zero)) == pytest.approx(expected, abs=1e-9)


@given(st.integers(0, 10**6))
def test_the_greatest_change_is_that_of_the_matrices_and_names_its_pair(seed: int) -> None:
    reference = co_moments(drawn(seed, 5_000, 0.1))
    windows = np.array([co_moments(drawn(seed + k, 200, 0.3)) for k in (1, 2, 3)])
    change = correlation_change(reference, windows, np.array([200, 200, 200]))
    apart = np.abs(correlations(windows) - correlations(reference))
    assert change.greatest.tolist() == apart.max(axis=(1, 2)).tolist()
    at = (np.arange(3), change.first, change.second)
    assert apart[at].tolist() == change.greatest.tolist()
    assert (change.first < change.second).all()


def test_the_pair_whose_correlation_changed_is_found() -> None:
    reference = co_moments(drawn(1, 20_000, 0.3))
    change = correlation_change(reference, co_moments(drawn(2, 5_000, 0.6)), np.array(5_000))
    assert (int(change.first), int(change.second)) == (0, 1)
    assert float(change.greatest) == pytest.approx(0.3, abs=0.05)


def test_one_pair_of_eight_columns_is_seen_at_500_rows() -> None:
    reference = co_moments(drawn(1, 50_000, 0.3))
    rows = np.full(300, 500)
    quiet = np.array([co_moments(drawn(10 + k, 500, 0.3)) for k in range(300)])
    loud = np.array([co_moments(drawn(1_000 + k, 500, 0.5)) for k in range(300)])
    limit = np.quantile(correlation_change(reference, quiet, rows).greatest, 0.99)
    assert (correlation_change(reference, loud, rows).greatest > limit).mean() > 0.85


def test_a_column_without_spread_correlates_with_nothing() -> None:
    coarse = drawn(3, 100, 0.5, 3)
    coarse[:, 2] = 0
    matrix = correlations(co_moments(coarse))
    assert matrix[2].tolist() == [0, 0, 0]
    assert not np.isnan(matrix).any()
    change = correlation_change(co_moments(coarse), co_moments(coarse), np.array(100))
    assert change.greatest == 0


def test_a_column_that_lost_its_spread_changed_in_pairs_and_not_with_itself() -> None:
    coarse = drawn(3, 1_000, 0.5, 3)
    stuck = coarse.copy()
    stuck[:, 0] = 0
    change = correlation_change(co_moments(coarse), co_moments(stuck), np.array(1_000))
    assert (int(change.first), int(change.second)) == (0, 1)
    assert float(change.greatest) == pytest.approx(0.5, abs=0.1)


def test_a_window_without_rows_is_no_number() -> None:
    reference = co_moments(drawn(3, 100, 0.5, 3))
    windows = np.stack([np.zeros_like(reference), reference])
    greatest = correlation_change(reference, windows, np.array([0, 100])).greatest
    assert np.isnan(greatest).tolist() == [True, False]
