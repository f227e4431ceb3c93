"""What the page of a report draws, as one JSON document of columns of numbers.

Decides what is left out so that a page stays small: names of categories behind the first ones, and
digits behind the sixth. Refuses to know how anything is drawn (``report_plots.js``).
"""

from collections.abc import Sequence
from math import isfinite
from typing import Final

from stream_app.core.drift.alerts import Alert
from stream_app.core.drift.score_window import CORRELATION_COLUMN
from stream_app.core.drift.statistics.names import Statistic
from stream_app.core.drift.window_report import ColumnReport, Measured, WindowReport
from stream_app.core.faults import Fault
from stream_app.drift_report import NO_CELL, Cells, DriftReport, Rank

MOST_BARS: Final = 24
"""Of a column's distribution: the names with the greatest shares; the others are one bar."""

MOST_COLUMNS: Final = 800
"""The worst ones; with all windows of so many a page is a few tens of megabytes."""

_DIGITS = 6
_WORDS = {
    Statistic.JENSEN_SHANNON: "Jensen-Shannon distance",
    Statistic.JENSEN_SHANNON_16: "Jensen-Shannon distance",
    Statistic.WASSERSTEIN: "Wasserstein distance, in sd",
    Statistic.CORRELATION: "greatest change of a correlation",
    Statistic.PSI: "population stability index",
    Statistic.PSI_16: "population stability index",
    Statistic.KOLMOGOROV_SMIRNOV: "Kolmogorov-Smirnov",
    Statistic.HELLINGER: "Hellinger distance",
    Statistic.L_INFINITY: "greatest change of a share",
    Statistic.TOTAL_VARIATION: "total variation",
    Statistic.CHI_SQUARE: "chi-square",
}
_FAULTS = {fault.value: fault.name for fault in Fault}

Number = float | None
Document = dict[str, object]


def statistic_words(name: str) -> str:
    """A statistic as people call it; one that is not known here by its own name."""
    return _WORDS[Statistic(name)] if name in set(Statistic) else name


def fault_words(code: int) -> str:
    """A fault code's name, or its number."""
    return _FAULTS.get(code, f"code {code}")


def drawn(report: DriftReport) -> tuple[Rank, ...]:
    """The columns that a page draws, the worst first."""
    return report.ranks[:MOST_COLUMNS]


def page_data(report: DriftReport) -> Document:
    """All that plots are made of."""
    windows = report.windows
    return {
        "length": report.length_ms,
        "windows": {
            "start": [window.head.start_ms for window in windows],
            "rows": [window.head.rows for window in windows],
            "status": [window.status.value for window in windows],
            "final": [window.head.is_final for window in windows],
            "threshold": [_short(window.threshold) for window in windows],
            "drift": [at in report.drifted for at in range(len(windows))],
            "defective": [at in report.defective for at in range(len(windows))],
            "letters": {
                fault_words(code): [window.head.letters.get(code, 0) for window in windows]
                for code in report.letters
            },
        },
        "columns": [_column(report, rank) for rank in drawn(report)],
        "correlation": _correlation(report),
        "accuracy": _accuracy(windows),
        "alerts": [_alert(alert) for alert in report.last_alerts],
    }


def _column(report: DriftReport, rank: Rank) -> Document:
    columns = [window.columns[rank.place] for window in report.windows]
    one = columns[-1]
    return {
        "name": one.name,
        "role": one.role,
        "kind": one.kind,
        "drift": _cells(report.cells, one.name),
        "apart": _cells(report.defects, one.name),
        "valid": [column.valid for column in columns],
        "mean": [_short(column.mean) for column in columns],
        "sd": [_short(column.sd) for column in columns],
        "reference_mean": _short(one.reference_mean),
        "reference_sd": _short(one.reference_sd),
        "statistics": [
            _statistic([column.statistics[at] for column in columns])
            for at in range(len(one.statistics))
        ],
        "defects": [_defect(columns, at) for at in range(len(one.defects))],
        "bars": _bars(columns),
    }


def _cells(windows: Sequence[Cells], name: str) -> Document:
    cells = [cells.get(name, NO_CELL) for cells in windows]
    return {
        "ratio": [_short(cell.ratio) for cell in cells],
        "loud": [cell.is_loud for cell in cells],
    }


def _statistic(measured: Sequence[Measured]) -> Document:
    name = measured[-1].name
    return {
        "name": name,
        "words": statistic_words(name),
        "value": [_short(each.value) for each in measured],
        **_known("q99", [each.q99 for each in measured]),
        **_known("score", [each.score for each in measured]),
        **_known("noise", [each.noise for each in measured]),
        **_known("spread", [each.spread for each in measured]),
    }


def _known(name: str, values: Sequence[float]) -> Document:
    """Left out where nothing is known."""
    return {name: [*map(_short, values)]} if any(map(isfinite, values)) else {}


def _defect(columns: Sequence[ColumnReport], at: int) -> Document:
    found = [column.defects[at] for column in columns]
    document: Document = {
        "name": found[-1].name,
        "reference_share": _short(found[-1].reference_share),
    }
    if any(each.count for each in found):
        document["share"] = [_short(each.share) for each in found]
    return document


def _bars(columns: Sequence[ColumnReport]) -> Document:
    bars = columns[-1].bars
    shown = _shown(columns)
    rest = sorted(set(range(len(bars))) - set(shown))
    counts = [[column.bars[at].current for at in shown] for column in columns]
    reference = [bars[at].reference for at in shown]
    names = [bars[at].name for at in shown]
    if rest:
        names.append(f"({len(rest)} more)")
        reference.append(sum(bars[at].reference for at in rest))
        for own, column in zip(counts, columns, strict=True):
            own.append(sum(column.bars[at].current for at in rest))
    return {
        "names": names if any(names) else [],
        "edges": [_short(bar.high) for bar in bars[:-1]] if not any(names) else [],
        "reference": reference,
        "current": counts,
    }


def _shown(columns: Sequence[ColumnReport]) -> list[int]:
    """Which bars: all ranges, all of few names, and those that were ever frequent of many."""
    bars = columns[-1].bars
    if len(bars) <= MOST_BARS or not any(bar.name for bar in bars):
        return list(range(len(bars)))
    total = max(1, sum(bar.reference for bar in bars))
    greatest = [bar.reference / total for bar in bars]
    for column in columns:
        rows = max(1, column.valid)
        greatest = [
            max(share, bar.current / rows) for share, bar in zip(greatest, column.bars, strict=True)
        ]
    order = sorted(range(len(bars)), key=lambda at: (-greatest[at], at))
    return sorted(order[:MOST_BARS])


def _correlation(report: DriftReport) -> Document | None:
    found = [window.correlation for window in report.windows]
    known = [each for each in found if each is not None]
    if len(known) < len(found):
        return None
    return {
        "name": CORRELATION_COLUMN,
        "drift": _cells(report.cells, CORRELATION_COLUMN),
        "valid": [each.rows for each in known],
        "pairs": [[each.first, each.second] for each in known],
        "current": [_short(each.current) for each in known],
        "reference": [_short(each.reference) for each in known],
        "statistics": [_statistic([each.statistic for each in known])],
    }


def _accuracy(windows: Sequence[WindowReport]) -> Document | None:
    known = [window.accuracy for window in windows if window.accuracy is not None]
    if len(known) < len(windows):
        return None
    return {
        "rows": [each.rows for each in known],
        "estimated": [_short(each.accuracy) for each in known],
        "reference": _short(known[-1].reference_accuracy),
        **_known("estimated_f1", [each.f1 for each in known]),
        **_known("estimated_roc_auc", [each.roc_auc for each in known]),
    }


def _alert(alert: Alert) -> Document:
    return {
        "id": alert.id,
        "rule": alert.rule,
        "column": alert.column,
        "level": alert.level.name.lower(),
        "state": alert.state.value,
        "opened": alert.opened,
    }


def _short(number: float) -> Number:
    """With six digits; ``None`` is what is not a number."""
    return float(f"{number:.{_DIGITS}g}") if isfinite(number) else None
