"""A window in words and numbers: the line of a table, and what JSON has of it.

Decides what of it a person wants to see; prints nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite

from stream_app.core.drift.score_window import DISTRIBUTION, QUALITY
from stream_app.core.drift.statistics.names import Statistic
from stream_app.core.drift.window_report import Status, WindowReport
from stream_app.core.faults import Fault
from stream_app.drift_report import cells_of

HEAD = ("start (UTC)", "of", "rows", "dead", "furthest", "score", "threshold", "", "input hash")
RIGHT = ("of", "rows", "dead", "score", "threshold")

_HASH_DIGITS = 12
_SHORT: dict[str, str] = {
    Statistic.JENSEN_SHANNON: "Jensen-Shannon",
    Statistic.JENSEN_SHANNON_16: "Jensen-Shannon",
    Statistic.WASSERSTEIN: "Wasserstein",
    Statistic.CORRELATION: "a correlation",
}
_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"))
_NAMES = {fault.value: fault.name for fault in Fault}


def has_drift(report: WindowReport) -> bool:
    """Whether it may be judged and alarms by itself, as alerts and reports have it."""
    return _is_loud(report, DISTRIBUTION)


def has_defects(report: WindowReport) -> bool:
    """Whether more of its values than chance allows are missing, unseen or out of range."""
    return _is_loud(report, QUALITY)


def _is_loud(report: WindowReport, rule: str) -> bool:
    return any(cell.is_loud for cell in cells_of(report, rule).values())


def table_row(report: WindowReport) -> Sequence[object]:
    """Cells for :data:`HEAD`."""
    head = report.head
    found = {"drift": has_drift(report), "defects": has_defects(report)}
    mark = ", ".join(name for name, is_so in found.items() if is_so)
    if report.status is not Status.OK:
        mark = "too few rows" if head.rows else "no rows"
    return (
        utc(head.start_ms),
        span(head.length_ms),
        f"{head.rows:,}",
        f"{sum(head.letters.values()):,}",
        worst(report),
        _rounded(report.greatest),
        _rounded(report.threshold),
        mark,
        report.hashes.inputs[:_HASH_DIGITS],
    )


def json_line(report: WindowReport) -> dict[str, object]:
    """What a program wants to know; all of it is in the file that ``--to`` writes."""
    head = report.head
    return {
        "stream": head.stream.to_key(),
        "start": utc(head.start_ms),
        "start_ms": head.start_ms,
        "length_ms": head.length_ms,
        "rows": head.rows,
        "dead_letters": by_code(head.letters),
        "status": report.status.value,
        "drift": has_drift(report),
        "defects": has_defects(report),
        "threshold": _finite(report.threshold),
        "greatest_score": _finite(report.greatest),
        "worst_column": report.worst_column,
        "worst_statistic": report.worst_statistic,
        "input_hash": report.hashes.inputs,
        "output_hash": report.hashes.outputs,
    }


def worst(report: WindowReport) -> str:
    """What is furthest from its reference, and by which statistic."""
    if not report.worst_statistic:
        return "-"
    name = _SHORT.get(report.worst_statistic, report.worst_statistic)
    return f"{report.worst_column}: {name}" if report.worst_column else name


def by_code(letters: Mapping[int, int]) -> dict[str, int]:
    """Dead letters by their fault's name."""
    return {_NAMES.get(code, str(code)): count for code, count in sorted(letters.items()) if count}


def utc(time_ms: int) -> str:
    """In ISO 8601; seconds are enough for windows."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def span(length_ms: int) -> str:
    """A length in the greatest unit that it is a whole number of."""
    size, unit = next((each for each in _UNITS if length_ms % each[0] == 0), (1, "ms"))
    return f"{length_ms // size} {unit}"


def _rounded(number: float) -> str | None:
    return f"{number:.2f}" if isfinite(number) else None


def _finite(number: float) -> float | None:
    return number if isfinite(number) else None
