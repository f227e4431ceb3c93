"""What the monitor shows of a series: in JSON to people, and as numbers to gauges.

Decides what is shown of what is kept, and when a series counts as silent. Changes nothing.
"""

from collections.abc import Mapping
from math import isfinite, isnan
from typing import Final

from stream_app.core.drift.alerts import Alert
from stream_app.core.drift.score_window import RULES
from stream_app.core.drift.series import Series
from stream_app.core.drift.watch_series import KeptWindow, WatchedSeries
from stream_app.core.drift.window_report import Status
from stream_app.core.drift.window_scores import Score, WindowScores
from stream_app.monitor_log import time_text

WORST_SHOWN: Final = 10
_WINDOWS_SHOWN: Final = 12
_DAY_MS: Final = 86_400_000
_LENGTHS: Final = 3
"""Of a window; after so many, and at least a day, one should have come."""


def is_silent(series: WatchedSeries, now_ms: int) -> bool:
    """Whether nothing was told of it for so long that its alerts say nothing of today."""
    told_ms = series.told_ms
    longest = max(_DAY_MS, _LENGTHS * Series.named(series.name).length_ms)
    return told_ms is None or now_ms - told_ms > longest


def series_view(series: WatchedSeries) -> Mapping[str, object]:
    """Its last windows, the newest first, and what is open."""
    watched = Series.named(series.name)
    stream, told_ms = watched.stream, series.told_ms
    newest = sorted(series.windows, reverse=True)[:_WINDOWS_SHOWN]
    return {
        "model": stream.model_name,
        "version": stream.model_version,
        "role": stream.role,
        "reference": stream.reference_id,
        "window_s": watched.length_ms / 1000,
        "kept_windows": len(series.windows),
        "told": None if told_ms is None else time_text(told_ms),
        "alerts": [_alert(alert) for alert in series.open_alerts()],
        "windows": [_window(series.windows[start], watched.length_ms) for start in newest],
    }


def column_ratios(window: KeptWindow) -> list[tuple[str, float]]:
    """Each column's greatest score by its threshold, of both families, the greatest first.

    Of a window that does not count there is none: chance alone is far there.
    """
    found: dict[str, float] = {}
    for scores in [each for each in window.scores.values() if each.status is Status.OK]:
        for score in scores.scores:
            ratio = score.score / scores.threshold if scores.threshold else 0.0
            if isfinite(ratio):
                found[score.column] = max(ratio, found.get(score.column, 0.0))
    return sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))


def _window(window: KeptWindow, length_ms: int) -> Mapping[str, object]:
    first = window.scores[RULES[0]]
    return {
        "start": time_text(window.start_ms),
        "end": time_text(window.start_ms + length_ms),
        "revision": window.revision,
        "final": window.is_final,
        "rows": first.n,
        "status": first.status.value,
        **{rule: _worst(window.scores[rule]) for rule in RULES},
    }


def _worst(scores: WindowScores) -> Mapping[str, object]:
    known = [score for score in scores.scores if not isnan(score.score)]
    worst: Score | None = max(known, key=lambda score: score.score, default=None)
    return {
        "threshold": _number(scores.threshold),
        "worst_column": None if worst is None else worst.column,
        "statistic": None if worst is None else worst.statistic,
        "value": None if worst is None else _number(worst.value),
        "score": None if worst is None else _number(worst.score),
    }


def _alert(alert: Alert) -> Mapping[str, object]:
    return {
        "id": alert.id,
        "level": alert.level.name.lower(),
        "reason": alert.reason.value,
        "rule": alert.rule,
        "column": alert.column,
        "statistic": alert.statistic,
        "score": _number(alert.score),
        "threshold": _number(alert.threshold),
        "opened": time_text(alert.opened),
    }


def _number(value: float) -> float | None:
    return value if isfinite(value) else None
