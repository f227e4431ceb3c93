"""Laws of the batch that follows from what a model costs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.core.cost_curve import CostCurve, warm_up_sizes

CURVES = st.dictionaries(st.integers(1, 4_096), st.floats(1e-6, 10), min_size=1).map(
    lambda points: CostCurve.of(points.items())
)
STEADY = CostCurve.of((rows, 1e-6 * rows) for rows in (1, 64, 512))
CACHED = CostCurve.of({1: 1e-4, 64: 40e-6 * 64, 128: 45e-6 * 128, 512: 50e-6 * 512}.items())


def test_where_only_the_calls_cost_the_greatest_batch_is_best() -> None:
    assert STEADY.best_rows(512) == 512


def test_a_model_that_is_slower_in_large_batches_gets_small_ones() -> None:
    assert CACHED.best_rows(512) == 64


def test_of_sizes_as_good_the_smallest_is_taken() -> None:
    slow = CostCurve.of((rows, 0.01 * rows) for rows in (1, 64, 512))
    assert slow.best_rows(512) == 1


def test_a_run_fits_into_the_time_it_is_given() -> None:
    assert CACHED.best_rows(512, within_s=1e-3) == 1
    assert STEADY.best_rows(512, within_s=100e-6) == 64


@given(CURVES, st.integers(1, 5_000), st.floats(0, 20))
def test_the_best_batch_is_allowed_and_none_costs_much_less(
    curve: CostCurve, most: int, within_s: float
) -> None:
    best = curve.best_rows(most, within_s)
    assert 1 <= best <= most
    assert best == 1 or curve.run_s(best) <= within_s


@given(CURVES, st.integers(1, 10_000))
def test_a_cost_between_two_points_lies_between_theirs(curve: CostCurve, rows: int) -> None:
    points = dict(curve.points)
    if rows in points:
        assert curve.run_s(rows) == pytest.approx(points[rows])
    elif min(points) < rows < max(points):
        below = max(size for size in points if size < rows)
        above = min(size for size in points if size > rows)
        low, high = sorted((points[below], points[above]))
        assert low * 0.999 <= curve.run_s(rows) <= high * 1.001


@given(st.integers(1, 10_000))
def test_the_warm_up_measures_one_row_and_the_greatest_batch(most: int) -> None:
    sizes = warm_up_sizes(most)
    assert sizes[0] == 1
    assert sizes[-1] == most
    assert list(sizes) == sorted(set(sizes))
    assert len(sizes) <= 12


def test_with_buckets_nothing_else_is_measured() -> None:
    assert warm_up_sizes(512, [64, 8]) == (8, 64)
