"""What a window says of drift: its counts turned into numbers for people, once and at the end.

Decides what stands in a window record. The same counts give the same report, since nothing else
goes in. Refuses to know when a window is told of (``closing.py``) and what follows from it
(``rules.py``).
"""

from dataclasses import dataclass
from math import isnan, nan

import numpy as np

from stream_app.core.columns import Int64Array
from stream_app.core.drift.layout import Layout
from stream_app.core.drift.measures import ALL_COLUMNS, measured_column
from stream_app.core.drift.reference import SCORE_BINS, Float64Array, Reference, Test
from stream_app.core.drift.report_column import outer_means, report_column
from stream_app.core.drift.significance import Floors, limits, threshold
from stream_app.core.drift.statistics.accuracy import (
    estimated_accuracy,
    estimated_confusion,
    estimated_roc_auc,
)
from stream_app.core.drift.statistics.correlation import correlation_change, correlations
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
    tested = _tested(layout, state)
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
            report_column(layout, state, at, [m for test, m in tested if test.column == at], rows)
            for at in range(len(reference.columns))
        ),
        correlation=_correlation(layout, state, [m for t, m in tested if t.column == ALL_COLUMNS]),
        accuracy=_accuracy(layout, state),
    )


def _column_name(reference: Reference, test: Test) -> str:
    return "" if test.column == ALL_COLUMNS else reference.columns[test.column].name


def _tested(layout: Layout, state: Int64Array) -> list[tuple[Test, Measured]]:
    """The statistics that may raise an alert, with what chance allows."""
    reference, calibration = layout.reference, layout.reference.calibration
    if calibration is None:
        return []
    tests = calibration.tests
    values = np.array([_value(layout, state, test) for test in tests])
    rows = np.array([_valid(layout, state, test) for test in tests], dtype=np.int64)
    of = np.array([_reference_valid(reference, test) for test in tests], dtype=np.int64)
    with np.errstate(invalid="ignore", divide="ignore"):
        allowed = limits(calibration, rows, of, reference.rows)
        scores = values / allowed
    large = Floors().reached(tests, values)
    return [
        (test, Measured(Statistic(test.statistic), value, q99=q99, score=score, is_large=is_large))
        for test, value, q99, score, is_large in zip(
            tests, values.tolist(), allowed.tolist(), scores.tolist(), large.tolist(), strict=True
        )
    ]


def _value(layout: Layout, state: Int64Array, test: Test) -> float:
    if test.column == ALL_COLUMNS:
        change = correlation_change(layout.reference.together, layout.together(state))
        return float(change.greatest)
    column, positions = layout.reference.columns[test.column], np.empty(0)
    if test.statistic == Statistic.WASSERSTEIN:
        below, above = outer_means(layout, state, test.column)
        positions = positions_of(column.means, np.array(below), np.array(above))
    return float(
        measured_column(test, column, column.counts, layout.counts(state, test.column), positions)
    )


def _valid(layout: Layout, state: Int64Array, test: Test) -> int:
    if test.column == ALL_COLUMNS:
        return int(state[layout.co_rows])
    return int(layout.counts(state, test.column).sum())


def _reference_valid(reference: Reference, test: Test) -> int:
    is_all = test.column == ALL_COLUMNS
    return reference.co_rows if is_all else reference.columns[test.column].valid


def _correlation(
    layout: Layout, state: Int64Array, tested: list[Measured]
) -> CorrelationReport | None:
    reference = layout.reference
    if not tested:
        return None
    together = layout.together(state)
    change = correlation_change(reference.together, together)
    first, second = int(change.first), int(change.second)
    names = [reference.columns[column].name for column in reference.correlated]
    has_rows = int(together.rows) > 0
    return CorrelationReport(
        rows=int(together.rows),
        first=names[first] if has_rows else "",
        second=names[second] if has_rows else "",
        current=float(correlations(together)[first, second]) if has_rows else nan,
        reference=float(correlations(reference.together)[first, second]) if has_rows else nan,
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
