"""Laws of calibration's kernels: they count what numpy counts, of rows that a window has often."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_app.core.drift.draw_kernels import count_bins, sum_products
from stream_app.core.drift.reference import COARSE_MOST


@given(st.integers(0, 10**6), st.integers(1, 40), st.integers(1, 6))
def test_bins_are_counted_as_often_as_the_window_has_their_rows(
    seed: int, rows: int, columns: int
) -> None:
    generator = np.random.default_rng(seed)
    times = generator.integers(0, 4, rows)
    bins = generator.integers(-1, 5, (rows, columns)).astype(np.int16)
    counts = np.zeros(5 * columns, np.int64)
    count_bins(times, bins, 5 * np.arange(columns), counts)
    repeated = np.repeat(bins, times, axis=0)
    expected = [np.bincount(column[column >= 0], minlength=5) for column in repeated.T]
    assert counts.tolist() == np.concatenate(expected).tolist()


@given(st.integers(0, 10**6), st.integers(1, 40), st.integers(0, 6))
def test_values_and_products_are_summed_over_usable_rows_without_rounding(
    seed: int, rows: int, columns: int
) -> None:
    generator = np.random.default_rng(seed)
    times = generator.integers(0, 10**6, rows) * generator.integers(0, 2, rows)
    coarse = generator.integers(-COARSE_MOST, COARSE_MOST + 1, (rows, columns))
    usable = np.flatnonzero(generator.integers(0, 2, rows))
    sums, products = np.zeros(columns), np.zeros(columns * (columns + 1) // 2)
    sum_products(times, coarse.astype(np.int16), usable, sums, products)
    some = coarse[usable]
    assert sums.tolist() == (times[usable] @ some).tolist()
    expected = (some.T * times[usable]) @ some
    assert products.tolist() == expected[np.triu_indices(columns)].tolist()
