"""Laws of scores: chance by the window's size and the reference's, floors, one limit for all."""

from dataclasses import replace
from math import isnan, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.core.columns import Int64Array
from stream_app.core.drift.reference import Calibration
from stream_app.core.drift.reference import Test as Tried  # pytest would take it for a test
from stream_app.core.drift.significance import (
    Floors,
    expected,
    interpolated,
    limits,
    scores,
    threshold,
)
from stream_app.core.drift.statistics.names import Statistic

TESTS = (
    Tried(0, Statistic.WASSERSTEIN),
    Tried(0, Statistic.JENSEN_SHANNON_16),
    Tried(1, Statistic.PSI_16),
    Tried(-1, Statistic.CORRELATION),
)
SIZES = np.array([100, 1_000, 10_000])
CALIBRATION = Calibration(
    tests=TESTS,
    sizes=SIZES,
    q99=np.array([3 * SIZES**-0.5, 2 * SIZES**-0.5, 50.0 / SIZES, 4 * SIZES**-0.5]),
    mean=np.array([2 * SIZES**-0.5, 1 * SIZES**-0.5, 25.0 / SIZES, 3 * SIZES**-0.5]),
    sd=np.array([0.3 * SIZES**-0.5, 0.2 * SIZES**-0.5, 5.0 / SIZES, 0.4 * SIZES**-0.5]),
    threshold=np.array([1.2, 1.4, 1.3]),
    kappa=np.array([1.0, 1.5, 1.0, 1.0]),
    target=0.01,
    repeats=2_000,
    kind="contiguous",
)
MANY = np.full(4, 10**12)


def at(rows: int, of: int = 10**12, all_rows: int | None = None) -> list[float]:
    sizes = np.full(4, rows), np.full(4, of)
    return [float(limit) for limit in limits(CALIBRATION, *sizes, all_rows or of)]


@given(st.integers(1, 10**8))
def test_what_falls_by_the_root_of_the_size_is_exact_at_any_size(rows: int) -> None:
    expected = [3 / sqrt(rows), 1.5 * 2 / sqrt(rows), 50 / rows, 4 / sqrt(rows)]
    assert at(rows) == pytest.approx(expected, rel=1e-3)


def test_a_calibrated_size_is_as_it_was_calibrated() -> None:
    for place, size in enumerate(SIZES):
        expected = CALIBRATION.q99[:, place] * CALIBRATION.kappa
        assert at(int(size)) == pytest.approx(expected.tolist(), rel=1e-6)
        assert threshold(CALIBRATION, size) == CALIBRATION.threshold[place]


def test_a_reference_as_small_as_the_window_doubles_the_variance() -> None:
    large, same = at(1_000), at(1_000, of=1_000)
    factors = [ours / without for ours, without in zip(same, large, strict=True)]
    assert factors == pytest.approx([sqrt(2), sqrt(2), 2, sqrt(2)], rel=1e-6)


def test_a_column_half_of_whose_rows_are_valid_has_the_limit_of_its_valid_rows() -> None:
    # Windows of 1,000 were drawn with their gaps: 500 valid rows are a window of 1,000.
    assert at(500, of=10**9, all_rows=2 * 10**9) == pytest.approx(at(1_000), rel=1e-3)


def read(sizes: Int64Array, line: list[float], size: float, power: float = -0.5) -> float:
    (found,) = interpolated(sizes, np.array([line]), np.array([size]), np.array([power]))
    return float(found)


def test_beyond_the_sizes_the_outer_slopes_go_on_and_thresholds_stay() -> None:
    bent = [1.0, 0.1, 0.05]
    for size, reached in ((10, 10), (100, 1.0), (10_000, 0.05), (100_000, 0.025)):
        assert read(SIZES, bent, size) == pytest.approx(reached)
    assert threshold(CALIBRATION, [1, 10**9]).tolist() == [1.2, 1.3]
    assert threshold(CALIBRATION, sqrt(100 * 1_000)) == pytest.approx(1.3)


def test_each_statistic_is_read_as_if_it_were_alone() -> None:
    lines, sizes = [[1.0, 0.1, 0.05], [0.5, 0.3, 0.2]], [50.0, 7_000.0]
    found = interpolated(SIZES, np.array(lines), np.array(sizes), np.full(2, -0.5))
    alone = [read(SIZES, line, size) for line, size in zip(lines, sizes, strict=True)]
    assert found.tolist() == alone


def test_one_size_alone_is_continued_by_the_power() -> None:
    assert read(SIZES[:1], [0.5], 25) == pytest.approx(1.0)
    assert read(SIZES[:1], [0.5], 400) == pytest.approx(0.25)
    assert read(SIZES[:1], [0.5], 200, power=-1.0) == pytest.approx(0.25)


def test_an_index_calibrated_at_one_size_falls_by_the_size_and_distances_by_its_root() -> None:
    one = replace(CALIBRATION, sizes=SIZES[:1], q99=CALIBRATION.q99[:, :1])
    limit = limits(one, np.full(4, 2_500), MANY, 10**12)
    expected = [3 / 50, 1.5 * 2 / 50, 50 / 2_500, 4 / 50]
    assert limit.tolist() == pytest.approx(expected, rel=1e-6)


def test_a_score_of_1_is_the_quantile_and_no_number_stays_none() -> None:
    limit = limits(CALIBRATION, np.full(4, 1_000), MANY, 10**12)
    values = np.array([1.0, 2.0, 0.5, np.nan]) * limit
    found = scores(CALIBRATION, values, np.full(4, 1_000), MANY, 10**12)
    assert found[:3].tolist() == pytest.approx([1.0, 2.0, 0.5])
    assert isnan(found[3])


def test_the_spread_widens_as_the_limit_and_the_mean_by_all_that_the_reference_may_be_off() -> None:
    sizes = np.full(4, 400), np.full(4, 1_200), 2_400
    mean, sd = expected(CALIBRATION, *sizes)
    unlike = limits(CALIBRATION, *sizes) / CALIBRATION.kappa
    assert (sd / unlike).tolist() == pytest.approx([0.1, 0.1, 0.1, 0.1], rel=1e-6)
    # Of 800 rows a window has, invalid ones too, and of 2,400 the reference.
    times = float(threshold(CALIBRATION, 2_400))
    root, square = 1 / np.sqrt([800, 2_400]), 1 / np.array([800, 2_400])
    assert mean.tolist() == pytest.approx(
        [
            np.hypot(2 * root[0], 3 * root[1] * times),
            np.hypot(1 * root[0], 2 * root[1] * times * CALIBRATION.kappa[1]),
            25 * square[0] + 50 * square[1] * times,
            np.hypot(3 * root[0], 4 * root[1] * times),
        ],
        rel=1e-6,
    )


def test_without_rows_on_either_side_there_is_no_limit() -> None:
    rows, of = np.array([0, 10, 10, 10]), np.array([10, 0, 10, 10])
    found = (limits(CALIBRATION, rows, of, 10), *expected(CALIBRATION, rows, of, 10))
    for each in found:
        assert np.isnan(each).tolist() == [True, True, False, False]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.06, 0.001, 0.0, 0.0], [True, True, False]),
        ([0.001, 0.03, 0.0, 0.0], [True, True, False]),
        ([0.049, 0.019, 0.0, 0.049], [False, False, False]),
        ([np.nan, 0.02, 0.0, 0.05], [True, True, True]),
        ([np.nan, np.nan, 0.0, np.nan], [False, False, False]),
    ],
)
def test_a_change_is_large_enough_by_either_statistic_of_its_column(
    values: list[float], expected: list[bool]
) -> None:
    tests = (*TESTS[:2], TESTS[3])
    assert Floors().reached(tests, np.array([values[0], values[1], values[3]])).tolist() == expected


def test_floors_are_the_operators() -> None:
    tests = replace(CALIBRATION, tests=TESTS[:2]).tests
    values = np.array([0.001, 0.001])
    assert not Floors().reached(tests, values).any()
    assert Floors(wasserstein=0.001).reached(tests, values).all()
