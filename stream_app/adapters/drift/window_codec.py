"""Window records: Avro, single-object encoding, schema ``schemas/drift_window.avsc``.

Decides the bytes, and that what is not a number is null there. Refuses to know topics.
"""

import json
from functools import lru_cache
from io import BytesIO
from math import isfinite
from typing import Any

import fastavro

from stream_app.core.avro.canonical import fingerprint
from stream_app.core.avro.framing import single_object_prefix
from stream_app.core.avro.gates import Rejection, admit
from stream_app.core.drift.report_column import Bar, ColumnReport, Defect, Measured
from stream_app.core.drift.report_window import AccuracyReport, CorrelationReport, WindowReport
from stream_app.core.faults import Fault
from stream_app.resources import schema_path

FORMAT = 1
_NAMES = {fault.value: fault.name for fault in Fault}


class WindowCodec:
    """See :class:`~stream_app.ports_drift.WindowEncoder`."""

    def encode(self, report: WindowReport) -> bytes:
        """See the port."""
        schema, prefix = _schema()
        out = BytesIO()
        out.write(prefix)
        fastavro.schemaless_writer(out, schema, _record(report))
        return out.getvalue()


def _record(report: WindowReport) -> dict[str, Any]:
    counts = report.counts
    stream = counts.stream
    return {
        "format": FORMAT,
        "model_name": stream.model_name,
        "model_version": stream.model_version,
        "role": stream.role,
        "reference_id": stream.reference_id,
        "window_ms": stream.window_ms,
        "start_ms": counts.start_ms,
        "length_ms": counts.length_ms,
        "revision": counts.revision,
        "is_final": counts.is_final,
        "exact": counts.exact,
        "partitions": counts.partitions,
        "rows": counts.rows,
        "reference_rows": report.reference_rows,
        "letters": [
            {"code": code, "name": _NAMES.get(code, ""), "count": count}
            for code, count in sorted(counts.letters.items())
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
    }


def _statistic(measured: Measured) -> dict[str, Any]:
    return {
        "name": measured.name,
        "value": _number(measured.value),
        "q99": _number(measured.q99),
        "noise": _number(measured.noise),
        "score": _number(measured.score),
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


def _number(value: float) -> float | None:
    return float(value) if isfinite(value) else None


@lru_cache(maxsize=1)
def _schema() -> tuple[Any, bytes]:
    text = schema_path("drift_window").read_text(encoding="utf-8")
    admitted = admit(text)
    if isinstance(admitted, Rejection):
        raise TypeError(f"our own schema: {admitted.detail}")
    return fastavro.parse_schema(json.loads(text)), single_object_prefix(fingerprint(admitted))
