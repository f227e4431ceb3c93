"""Window records: Avro, single-object encoding, schema ``schemas/drift_window.avsc``.

Decides the bytes, both ways, and that what is not a number is null there. Refuses to know topics.
"""

from functools import lru_cache
from math import isfinite, nan
from typing import Any

from stream_app.adapters.drift.framed_records import FramedRecords
from stream_app.core.drift.partial import Stream
from stream_app.core.drift.window_hash import WindowHashes
from stream_app.core.drift.window_report import (
    AccuracyReport,
    Bar,
    ColumnReport,
    CorrelationReport,
    Defect,
    Measured,
    Status,
    WindowHead,
    WindowReport,
)
from stream_app.core.faults import Fault
from stream_app.ports_drift import Unreadable

FORMAT = 1
_NAMES = {fault.value: fault.name for fault in Fault}


class WindowCodec:
    """See :class:`~stream_app.ports_drift.WindowEncoder`."""

    def encode(self, report: WindowReport) -> bytes:
        """See the port."""
        return _records().write(_record(report))

    def decode(self, value: bytes | None) -> WindowReport | Unreadable:
        """What was encoded; or why these bytes are no window."""
        record = _records().read(value)
        if isinstance(record, Unreadable):
            return record
        if record["format"] != FORMAT:
            return Unreadable(
                Fault.OUT_OF_RANGE, f"format {record['format']}; this stream-app reads {FORMAT}"
            )
        return _report(record)


def _record(report: WindowReport) -> dict[str, Any]:
    head = report.head
    stream = head.stream
    return {
        "format": FORMAT,
        "model_name": stream.model_name,
        "model_version": stream.model_version,
        "role": stream.role,
        "reference_id": stream.reference_id,
        "window_ms": stream.window_ms,
        "start_ms": head.start_ms,
        "length_ms": head.length_ms,
        "revision": head.revision,
        "is_final": head.is_final,
        "exact": head.exact,
        "partitions": head.partitions,
        "rows": head.rows,
        "reference_rows": report.reference_rows,
        "letters": [
            {"code": code, "name": _NAMES.get(code, ""), "count": count}
            for code, count in sorted(head.letters.items())
        ],
        "status": report.status.value,
        "calibration": report.calibration,
        "threshold": _number(report.threshold),
        "greatest_score": _number(report.greatest),
        "worst_column": report.worst_column,
        "worst_statistic": report.worst_statistic,
        "input_hash": report.hashes.inputs,
        "output_hash": report.hashes.outputs,
        "columns": [_column(column) for column in report.columns],
        "correlation": None if report.correlation is None else _correlation(report.correlation),
        "accuracy": None if report.accuracy is None else _accuracy(report.accuracy),
    }


def _column(column: ColumnReport) -> dict[str, Any]:
    return {
        "name": column.name,
        "role": column.role,
        "kind": column.kind,
        "valid": column.valid,
        "mean": _number(column.mean),
        "sd": _number(column.sd),
        "reference_mean": _number(column.reference_mean),
        "reference_sd": _number(column.reference_sd),
        "statistics": [_statistic(measured) for measured in column.statistics],
        "defects": [_defect(defect) for defect in column.defects],
        "bars": [_bar(bar) for bar in column.bars],
        "top": list(column.top),
        "counts": list(column.counts),
        "is_stuck": column.is_stuck,
    }


def _statistic(measured: Measured) -> dict[str, Any]:
    return {
        "name": measured.name,
        "value": _number(measured.value),
        "q99": _number(measured.q99),
        "noise": _number(measured.noise),
        "score": _number(measured.score),
        "spread": _number(measured.spread),
        "is_large": measured.is_large,
    }


def _defect(defect: Defect) -> dict[str, Any]:
    return {
        "name": defect.name,
        "count": defect.count,
        "share": _number(defect.share),
        "reference_share": defect.reference_share if isfinite(defect.reference_share) else 0.0,
        "p": _number(defect.p),
    }


def _bar(bar: Bar) -> dict[str, Any]:
    return {
        "name": bar.name,
        "low": _number(bar.low),
        "high": _number(bar.high),
        "reference": bar.reference,
        "current": bar.current,
    }


def _correlation(found: CorrelationReport) -> dict[str, Any]:
    return {
        "rows": found.rows,
        "first": found.first,
        "second": found.second,
        "current": _number(found.current),
        "reference": _number(found.reference),
        "statistic": _statistic(found.statistic),
    }


def _accuracy(found: AccuracyReport) -> dict[str, Any]:
    return {
        "rows": found.rows,
        "estimated": _number(found.accuracy),
        "reference": _number(found.reference_accuracy),
        "estimated_f1": _number(found.f1),
        "estimated_roc_auc": _number(found.roc_auc),
    }


def _report(record: dict[str, Any]) -> WindowReport:
    stream = Stream(
        record["model_name"], record["model_version"], record["role"],
        record["reference_id"], record["window_ms"],
    )  # fmt: skip
    head = WindowHead(
        stream=stream,
        letters={each["code"]: each["count"] for each in record["letters"]},
        **{name: record[name] for name in _HEAD},
    )
    correlation, accuracy = record["correlation"], record["accuracy"]
    return WindowReport(
        head=head,
        reference_rows=record["reference_rows"],
        status=Status(record["status"]),
        calibration=record["calibration"],
        threshold=_or_nan(record["threshold"]),
        greatest=_or_nan(record["greatest_score"]),
        worst_column=record["worst_column"],
        worst_statistic=record["worst_statistic"],
        hashes=WindowHashes(record["input_hash"], record["output_hash"]),
        columns=tuple(_read_column(column) for column in record["columns"]),
        correlation=None if correlation is None else _read_correlation(correlation),
        accuracy=None if accuracy is None else _read_accuracy(accuracy),
    )


_HEAD = ("start_ms", "length_ms", "revision", "is_final", "exact", "partitions", "rows")


def _read_column(column: dict[str, Any]) -> ColumnReport:
    return ColumnReport(
        name=column["name"],
        role=column["role"],
        kind=column["kind"],
        valid=column["valid"],
        mean=_or_nan(column["mean"]),
        sd=_or_nan(column["sd"]),
        reference_mean=_or_nan(column["reference_mean"]),
        reference_sd=_or_nan(column["reference_sd"]),
        statistics=tuple(_read_statistic(each) for each in column["statistics"]),
        defects=tuple(_read_defect(each) for each in column["defects"]),
        bars=tuple(_read_bar(each) for each in column["bars"]),
        top=tuple(column["top"]),
        counts=tuple(column["counts"]),
        is_stuck=column["is_stuck"],
    )


def _read_statistic(each: dict[str, Any]) -> Measured:
    return Measured(
        name=each["name"],
        value=_or_nan(each["value"]),
        q99=_or_nan(each["q99"]),
        noise=_or_nan(each["noise"]),
        score=_or_nan(each["score"]),
        spread=_or_nan(each["spread"]),
        is_large=each["is_large"],
    )


def _read_defect(each: dict[str, Any]) -> Defect:
    share, p = _or_nan(each["share"]), _or_nan(each["p"])
    return Defect(each["name"], each["count"], share, each["reference_share"], p)


def _read_bar(each: dict[str, Any]) -> Bar:
    low, high = _or_nan(each["low"]), _or_nan(each["high"])
    return Bar(each["name"], low, high, each["reference"], each["current"])


def _read_correlation(found: dict[str, Any]) -> CorrelationReport:
    return CorrelationReport(
        rows=found["rows"],
        first=found["first"],
        second=found["second"],
        current=_or_nan(found["current"]),
        reference=_or_nan(found["reference"]),
        statistic=_read_statistic(found["statistic"]),
    )


def _read_accuracy(found: dict[str, Any]) -> AccuracyReport:
    return AccuracyReport(
        rows=found["rows"],
        accuracy=_or_nan(found["estimated"]),
        reference_accuracy=_or_nan(found["reference"]),
        f1=_or_nan(found["estimated_f1"]),
        roc_auc=_or_nan(found["estimated_roc_auc"]),
    )


def _number(value: float) -> float | None:
    return float(value) if isfinite(value) else None


def _or_nan(value: float | None) -> float:
    return nan if value is None else value


@lru_cache(maxsize=1)
def _records() -> FramedRecords:
    return FramedRecords("drift_window", "an aggregator of another version wrote it")
