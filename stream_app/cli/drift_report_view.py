"""A report in numbers: the lines of a table, and what JSON has of it.

Decides JSON's shape, which stays as it is under its number in ``format``. Prints nothing.
"""

from collections.abc import Sequence
from math import isfinite

from stream_app.adapters.drift.report_data import fault_words, statistic_words
from stream_app.core.drift.alerts import Alert
from stream_app.core.drift.partial import Stream
from stream_app.core.drift.window_report import ColumnReport, Measured, Status
from stream_app.drift_report import NO_CELL, DriftReport, Rank
from stream_app.drift_words import moment, times_threshold

FORMAT = 1
_MOST_LINES = 30

Document = dict[str, object]


def column_rows(
    report: DriftReport,
) -> tuple[Sequence[str], list[Sequence[object]], Sequence[str]]:
    """A table of the columns, the worst first: head, rows, and which of its columns are numbers."""
    head = ("column", "role", "drift", "judged", "greatest", "by", "in window", "defects")
    rows: list[Sequence[object]] = [
        (
            rank.name,
            rank.role,
            rank.drifted,
            rank.judged,
            times_threshold(rank.ratio),
            statistic_words(rank.statistic),
            moment(rank.start_ms) if rank.statistic else None,
            rank.defective,
        )
        for rank in report.ranks[:_MOST_LINES]
    ]
    if len(report.ranks) > _MOST_LINES:
        rest = f"and {len(report.ranks) - _MOST_LINES:,} more"
        rows.append((rest, "", None, None, None, "", None, None))
    return head, rows, ("drift", "judged", "greatest", "defects")


def described(report: DriftReport) -> Document:
    """What JSON has of it.

    ``format``, ``stream``, ``length_ms``, ``start_ms`` (inclusive), ``end_ms`` (exclusive),
    ``verdict``, ``summary``, ``columns`` (the worst first), ``windows`` (by start), ``alerts``
    (the last record of each; null: not known), ``other_streams``. Numbers are those of the
    records, to the last digit.
    """
    return {
        "format": FORMAT,
        "stream": _stream(report.stream),
        "length_ms": report.length_ms,
        "start_ms": report.start_ms,
        "end_ms": report.end_ms,
        "verdict": report.verdict.value,
        "summary": _summary(report),
        "columns": [_rank(rank) for rank in report.ranks],
        "windows": [_window(report, at) for at in range(len(report.windows))],
        "alerts": None if report.alerts is None else [*map(_alert, report.last_alerts)],
        "other_streams": [
            {**_stream(stream), "windows": windows} for stream, windows in report.others
        ],
    }


def _stream(stream: Stream) -> Document:
    return {
        "model": stream.model_name,
        "version": stream.model_version,
        "role": stream.role,
        "reference_id": stream.reference_id,
        "window_ms": stream.window_ms,
    }


def _summary(report: DriftReport) -> Document:
    last = report.judged[-1] if report.judged else -1
    return {
        "windows": len(report.windows),
        "judged": len(report.judged),
        "insufficient": report.count(Status.INSUFFICIENT),
        "empty": report.count(Status.EMPTY),
        "not_final": sum(not window.head.is_final for window in report.windows),
        "not_exact": sum(not window.head.exact for window in report.windows),
        "left_out": report.left_out,
        "with_drift": len(report.drifted),
        "with_defects": len(report.defective),
        "expected_by_chance": report.expected,
        "probability_by_chance": _number(report.probability),
        "newest_judged_ms": report.windows[last].head.start_ms if report.judged else None,
        "newest_judged_has_drift": last in report.drifted if report.judged else None,
        "rows": report.rows,
        "reference_rows": report.newest.reference_rows,
        "calibration": report.newest.calibration,
        "dead_letters": {fault_words(code): count for code, count in report.letters.items()},
    }


def _rank(rank: Rank) -> Document:
    return {
        "name": rank.name,
        "role": rank.role,
        "windows_with_drift": rank.drifted,
        "windows_judged": rank.judged,
        "windows_with_defects": rank.defective,
        "greatest_ratio": _number(rank.ratio),
        "statistic": rank.statistic or None,
        "start_ms": rank.start_ms if rank.statistic else None,
    }


def _window(report: DriftReport, at: int) -> Document:
    window = report.windows[at]
    head, correlation, accuracy = window.head, window.correlation, window.accuracy
    return {
        "start_ms": head.start_ms,
        "length_ms": head.length_ms,
        "revision": head.revision,
        "is_final": head.is_final,
        "exact": head.exact,
        "rows": head.rows,
        "dead_letters": {fault_words(code): count for code, count in head.letters.items()},
        "status": window.status.value,
        "has_drift": at in report.drifted,
        "has_defects": at in report.defective,
        "threshold": _number(window.threshold),
        "greatest_score": _number(window.greatest),
        "worst_column": window.worst_column or None,
        "worst_statistic": window.worst_statistic or None,
        "input_hash": window.hashes.inputs,
        "output_hash": window.hashes.outputs,
        "columns": [_column(report, at, column) for column in window.columns],
        "correlation": None
        if correlation is None
        else {
            "rows": correlation.rows,
            "first": correlation.first or None,
            "second": correlation.second or None,
            "current": _number(correlation.current),
            "reference": _number(correlation.reference),
            **_statistic(correlation.statistic),
        },
        "accuracy": None
        if accuracy is None
        else {
            "rows": accuracy.rows,
            "estimated": _number(accuracy.accuracy),
            "reference": _number(accuracy.reference_accuracy),
            "estimated_f1": _number(accuracy.f1),
            "estimated_roc_auc": _number(accuracy.roc_auc),
        },
    }


def _column(report: DriftReport, at: int, column: ColumnReport) -> Document:
    return {
        "name": column.name,
        "role": column.role,
        "kind": column.kind,
        "valid": column.valid,
        "has_drift": report.cells[at].get(column.name, NO_CELL).is_loud,
        "has_defects": report.defects[at].get(column.name, NO_CELL).is_loud,
        "mean": _number(column.mean),
        "sd": _number(column.sd),
        "reference_mean": _number(column.reference_mean),
        "reference_sd": _number(column.reference_sd),
        "statistics": {each.name: _statistic(each) for each in column.statistics},
        "defects": {
            each.name: {
                "count": each.count,
                "share": _number(each.share),
                "reference_share": _number(each.reference_share),
                "p": _number(each.p),
            }
            for each in column.defects
        },
        "bars": [
            {
                "name": bar.name or None,
                "low": _number(bar.low),
                "high": _number(bar.high),
                "reference": bar.reference,
                "current": bar.current,
            }
            for bar in column.bars
        ],
    }


def _statistic(each: Measured) -> Document:
    return {
        "value": _number(each.value),
        "q99": _number(each.q99),
        "score": _number(each.score),
        "noise": _number(each.noise),
        "spread": _number(each.spread),
        "is_large": each.is_large,
    }


def _alert(alert: Alert) -> Document:
    return {
        "id": alert.id,
        "sequence": alert.sequence,
        "state": alert.state.value,
        "level": alert.level.name.lower(),
        "reason": alert.reason.value,
        "rule": alert.rule,
        "column": alert.column,
        "statistic": alert.statistic,
        "value": _number(alert.value),
        "score": _number(alert.score),
        "threshold": _number(alert.threshold),
        "opened_ms": alert.opened,
        "windows": [
            {"start_ms": ground.window_start, "revision": ground.revision}
            for ground in alert.grounds
        ],
    }


def _number(value: float) -> float | None:
    return value if isfinite(value) else None
