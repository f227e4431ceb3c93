"""What a window says of drift: its counts turned into numbers for people, once and at the end.

Decides what stands in a window record. The same counts give the same report, since nothing else
goes in. Refuses to know when a window is told of (``closing.py``) and what follows from it
(``rules.py``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isnan, nan

import numpy as np

from stream_app.core.columns import Int64Array
from stream_app.core.drift.column_counts import ColumnCounts
from stream_app.core.drift.layout import Layout
from stream_app.core.drift.measures import ALL_COLUMNS, measured_column
from stream_app.core.drift.reference import SCORE_BINS, Float64Array, Reference, Test
from stream_app.core.drift.report_column import outer_means, report_column, sides_of
from stream_app.core.drift.significance import Floors, expected, limits, threshold
from stream_app.core.drift.statistics.accuracy import (
    estimated_accuracy,
    estimated_confusion,
    estimated_roc_auc,
)
from stream_app.core.drift.statistics.correlation import Correlations
from stream_app.core.drift.statistics.names import Statistic
from stream_app.core.drift.statistics.wasserstein import positions_of
from stream_app.core.drift.window_hash import window_hashes
from stream_app.core.drift.window_report import (
    AccuracyReport,
    CorrelationReport,
    Measured,
    Status,
    WindowHead,
    WindowReport,
)

_UNCALIBRATED = "none"


@dataclass(frozen=True, slots=True)
class WindowCounts:
    """A window, or a roll-up, as it was counted.

    Attributes:
        head: Which.
        state: int64, shape ``(size,)``.
    """

    head: WindowHead
    state: Int64Array


def report_window(layout: Layout, counts: WindowCounts, min_rows: int) -> WindowReport:
    """Tell of a window.

    Args:
        layout: Of the stream's reference.
        counts: Of the window.
        min_rows: With fewer a window is not judged; its statistics are told all the same.
    """
    reference, state, head = layout.reference, counts.state, counts.head
    rows = head.rows
    columns = tuple(
        ColumnCounts(side.column, layout.counts(state, at), like=side.counts)
        for at, side in enumerate(sides_of(layout))
    )
    watched = len(reference.correlated) > 1
    correlations = Correlations(layout.together(state)) if watched else None
    tested = _tested(layout, state, columns, correlations)
    worst = max(
        (pair for pair in tested if not isnan(pair[1].score)),
        key=lambda pair: pair[1].score,
        default=None,
    )
    status = Status.OK if rows >= min_rows else Status.INSUFFICIENT
    calibration = reference.calibration
    known = calibration is not None and rows > 0
    return WindowReport(
        head=head,
        reference_rows=reference.rows,
        status=status if rows else Status.EMPTY,
        calibration=_UNCALIBRATED if calibration is None else calibration.kind,
        threshold=float(threshold(calibration, rows)) if calibration and known else nan,
        greatest=nan if worst is None else worst[1].score,
        worst_column=_column_name(reference, worst[0]) if worst else "",
        worst_statistic=worst[1].name if worst else "",
        hashes=window_hashes(layout, state, head.start_ms, head.length_ms, rows, head.letters),
        columns=tuple(
            report_column(layout, state, at, own, [m for t, m in tested if t.column == at], rows)
            for at, own in enumerate(columns)
        ),
        correlation=_correlation(
            layout, correlations, [m for t, m in tested if t.column == ALL_COLUMNS]
        ),
        accuracy=_accuracy(layout, state),
    )


def _column_name(reference: Reference, test: Test) -> str:
    return "" if test.column == ALL_COLUMNS else reference.columns[test.column].name


def _tested(
    layout: Layout,
    state: Int64Array,
    columns: Sequence[ColumnCounts],
    correlations: Correlations | None,
) -> list[tuple[Test, Measured]]:
    """The statistics that may raise an alert, with what chance allows."""
    reference, calibration = layout.reference, layout.reference.calibration
    if calibration is None:
        return []
    tests, sides = calibration.tests, sides_of(layout)
    values, rows, of = np.empty(len(tests)), [], []
    for at, test in enumerate(tests):
        if test.column != ALL_COLUMNS:
            values[at] = _value(layout, state, columns[test.column], test)
            rows.append(columns[test.column].rows)
            of.append(sides[test.column].counts.rows)
        elif correlations is not None:
            values[at] = correlations.change_from(_reference_correlations(layout)).greatest
            rows.append(int(correlations.rows))
            of.append(reference.co_rows)
    with np.errstate(invalid="ignore", divide="ignore"):
        sizes = np.array(rows), np.array(of), reference.rows
        allowed, (noise, spread) = limits(calibration, *sizes), expected(calibration, *sizes)
        scores = values / allowed
    large = Floors().reached(tests, values)
    return [
        (
            test,
            Measured(
                name=Statistic(test.statistic),
                value=float(values[at]),
                q99=float(allowed[at]),
                noise=float(noise[at]),
                score=float(scores[at]),
                spread=float(spread[at]),
                is_large=bool(large[at]),
            ),
        )
        for at, test in enumerate(tests)
    ]


def _value(layout: Layout, state: Int64Array, counts: ColumnCounts, test: Test) -> float:
    side, positions = sides_of(layout)[test.column], np.empty(0)
    if test.statistic == Statistic.WASSERSTEIN:
        below, above = outer_means(layout, state, test.column)
        positions = positions_of(side.column.means, np.array(below), np.array(above))
    return float(measured_column(test, side.column, side.counts, counts, positions))


@lru_cache(maxsize=64)
def _reference_correlations(layout: Layout) -> Correlations:
    return Correlations(layout.reference.together)


def _correlation(
    layout: Layout, current: Correlations | None, tested: list[Measured]
) -> CorrelationReport | None:
    if not tested or current is None:
        return None
    columns, before = layout.reference.columns, _reference_correlations(layout)
    change, rows = current.change_from(before), int(current.rows)
    first, second = int(change.first), int(change.second)
    names = [columns[column].name for column in layout.reference.correlated]
    return CorrelationReport(
        rows=rows,
        first=names[first] if rows > 0 else "",
        second=names[second] if rows > 0 else "",
        current=float(current.matrices[first, second]) if rows > 0 else nan,
        reference=float(before.matrices[first, second]) if rows > 0 else nan,
        statistic=tested[0],
    )


def _accuracy(layout: Layout, state: Int64Array) -> AccuracyReport | None:
    scores = layout.reference.scores
    if scores is None:
        return None
    counts = state[layout.scores :].reshape(-1, SCORE_BINS)
    is_binary = len(counts) == 2
    total = int(scores.counts.sum())
    with np.errstate(invalid="ignore", divide="ignore"):
        return AccuracyReport(
            rows=int(counts.sum()),
            accuracy=float(estimated_accuracy(counts, scores.probability)),
            reference_accuracy=int(scores.right.sum()) / total if total else nan,
            f1=_first(estimated_confusion(counts, scores.probability).f1) if is_binary else nan,
            roc_auc=_first(estimated_roc_auc(counts, scores.probability)) if is_binary else nan,
        )


def _first(number: Float64Array) -> float:
    return float(number)
