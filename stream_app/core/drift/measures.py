"""The statistics that may raise an alert, of windows against a reference.

Decides which statistics a column has, and that a window is measured as its calibration was: both
are done here. Refuses to know what chance allows (``significance.py``).

Two a numeric column, since they fail in opposite places: the Wasserstein distance sees a small
shift and a few far values, Jensen-Shannon a value that is stuck; between them nothing is left to
the usual others. For all correlated columns together, the greatest change of a correlation.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stream_app.core.columns import Int64Array
from stream_app.core.drift.column_counts import ColumnCounts
from stream_app.core.drift.reference import Column, CoMoments, Float64Array, Kind, Test
from stream_app.core.drift.statistics.correlation import Correlations
from stream_app.core.drift.statistics.jensen_shannon import jensen_shannon
from stream_app.core.drift.statistics.names import Statistic
from stream_app.core.drift.statistics.wasserstein import wasserstein

ALL_COLUMNS = -1
"""In the place of a test's column."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What was counted of windows, or of a reference.

    Attributes:
        counts: int64, shape ``(..., cells)``: of all columns' bins, one column after another.
        together: Of the correlated columns; of fewer than two, unused.
    """

    counts: Int64Array
    together: CoMoments


def alerting_tests(columns: Sequence[Column], correlated: Sequence[int]) -> tuple[Test, ...]:
    """What is tested, in order; not what the reference has no value, or no spread, to test by."""
    tests: list[Test] = []
    for index, column in enumerate(columns):
        if not column.valid:
            continue
        if column.kind is not Kind.NUMERIC:
            tests.append(Test(index, Statistic.JENSEN_SHANNON))
            continue
        if column.moments is not None and column.moments.sd > 0:
            tests.append(Test(index, Statistic.WASSERSTEIN))
        tests.append(Test(index, Statistic.JENSEN_SHANNON_16))
    if len(correlated) > 1:
        tests.append(Test(ALL_COLUMNS, Statistic.CORRELATION))
    return tuple(tests)


def firsts_of(columns: Sequence[Column]) -> Int64Array:
    """Where each column's bins begin in a tally, and where the last ends; ``columns + 1``."""
    return np.cumsum([0, *(column.bins for column in columns)], dtype=np.int64)


def measured(
    tests: Sequence[Test],
    columns: Sequence[Column],
    reference: Tally,
    windows: Tally,
    positions: Sequence[Float64Array],
) -> Float64Array:
    """Each test's statistic of each window.

    Args:
        tests: As :func:`alerting_tests` names them.
        columns: Of the reference.
        reference: Of one reference, or of one for each window.
        windows: One or many.
        positions: Of each column, where its bins lie: float64, shape ``(bins,)`` or
            ``(..., bins)``; of one that is not numeric, anything.

    Returns:
        float64, shape ``(..., tests)``; NaN where a window has no rows to measure.
    """
    firsts = firsts_of(columns)
    values = np.empty((*windows.together.rows.shape, len(tests)))
    for at, test in enumerate(tests):
        if test.column == ALL_COLUMNS:
            change = Correlations(windows.together).change_from(Correlations(reference.together))
            values[..., at] = change.greatest
            continue
        column, cells = columns[test.column], slice(firsts[test.column], firsts[test.column + 1])
        values[..., at] = measured_column(
            test,
            column,
            ColumnCounts(column, reference.counts[..., cells]),
            ColumnCounts(column, windows.counts[..., cells]),
            positions[test.column],
        )
    return values


def measured_column(
    test: Test,
    column: Column,
    reference: ColumnCounts,
    current: ColumnCounts,
    positions: Float64Array,
) -> Float64Array:
    """One test's statistic of one column.

    Args:
        test: Of this column.
        column: Of the reference.
        reference: Of one reference, or of one for each window.
        current: Of windows.
        positions: Where bins lie; only for the Wasserstein distance.

    Returns:
        float64, shape ``(...)``.

    Raises:
        ValueError: The statistic is none of a column that may raise an alert.
    """
    match Statistic(test.statistic):
        case Statistic.WASSERSTEIN:
            sd = column.moments.sd if column.moments else 0.0
            return wasserstein(reference.bins, current.bins, positions, sd)
        case Statistic.JENSEN_SHANNON_16:
            return jensen_shannon(reference.groups, current.groups)
        case Statistic.JENSEN_SHANNON:
            return jensen_shannon(reference.bins, current.bins)
        case other:
            raise ValueError(f"{other} is no test of a column")
