"""Window reports made by hand: only what rules look at."""

from collections.abc import Mapping, Sequence
from math import nan

from stream_app.core.drift.partial import Stream
from stream_app.core.drift.statistics.binomial_tail import binomial_tail, smoothed_rate
from stream_app.core.drift.window_hash import WindowHashes
from stream_app.core.drift.window_report import (
    ColumnReport,
    CorrelationReport,
    Defect,
    Measured,
    Status,
    WindowHead,
    WindowReport,
)

STREAM = Stream("loans", "1", "primary", "0123456789abcdef", 60_000)
LIMIT = 1.3


def statistic(
    score: float, name: str = "w", *, large: bool = True, noise: float = nan, spread: float = nan
) -> Measured:
    return Measured(name, 0.1 * score, 0.1, noise, score, spread, is_large=large)


def defect(name: str, count: int, rows: int, known: int, of: int) -> Defect:
    """As ``report_column.py`` tells of it."""
    p = float(binomial_tail(count, rows, smoothed_rate(known, of)))
    return Defect(name, count, count / rows if rows else nan, known / of, p)


def column(
    name: str, statistics: Sequence[Measured] = (), defects: Sequence[Defect] = ()
) -> ColumnReport:
    return ColumnReport(
        name=name,
        role="input",
        kind="numeric",
        valid=1_000,
        mean=nan,
        sd=nan,
        reference_mean=nan,
        reference_sd=nan,
        statistics=tuple(statistics),
        defects=tuple(defects),
        bars=(),
        top=(),
        counts=(),
    )


def report(
    *columns: ColumnReport,
    at: int = 0,
    revision: int = 1,
    is_final: bool = True,
    rows: int = 1_000,
    of: int = 50_000,
    status: Status = Status.OK,
    length_ms: int = STREAM.window_ms,
    stream: Stream = STREAM,
    correlation: Measured | None = None,
    threshold: float = LIMIT,
) -> WindowReport:
    head = WindowHead(
        stream, at * length_ms, length_ms, revision, is_final, True, 2, rows, letters={}
    )
    pair = correlation and CorrelationReport(rows, "x", "y", 0.5, 0.1, correlation)
    return WindowReport(
        head=head,
        reference_rows=of,
        status=status,
        calibration="iid",
        threshold=threshold,
        greatest=nan,
        worst_column="",
        worst_statistic="",
        hashes=WindowHashes("0" * 16, "0" * 16),
        columns=columns,
        correlation=pair or None,
        accuracy=None,
    )


def drifting(scores: Mapping[str, float], **rest: object) -> WindowReport:
    """A window whose columns have these scores."""
    return report(*(column(name, [statistic(score)]) for name, score in scores.items()), **rest)  # type: ignore[arg-type]  # as ``report`` takes them
