"""Alerts in the log: one event a record, for those who read no topic.

Decides how loud each is. Refuses to know when there is one.
"""

from datetime import UTC, datetime

import structlog

from stream_app.core.drift.alerts import Alert, Level, State
from stream_app.core.drift.series import Series

log = structlog.get_logger(__name__)


def log_alert(alert: Alert) -> None:
    """At the level of the alert's own; of one that is over, as information."""
    series = Series.named(alert.stream)
    tell = log.info
    if alert.state in {State.OPENED, State.UPDATED}:
        tell = {Level.WARN: log.warning, Level.ALERT: log.error, Level.CRITICAL: log.critical}[
            alert.level
        ]
    tell(
        "drift_alert",
        # By this field the log knows repeated events; no two records are the same.
        code=alert.key,
        state=alert.state.value,
        severity=alert.level.name.lower(),
        reason=alert.reason.value,
        model=series.stream.model_name,
        version=series.stream.model_version,
        role=series.stream.role,
        window_s=series.length_ms / 1000,
        rule=alert.rule,
        column=alert.column,
        statistic=alert.statistic,
        value=alert.value,
        score=alert.score,
        threshold=alert.threshold,
        opened=time_text(alert.opened),
    )


def time_text(ms: int) -> str:
    """Milliseconds since 1970 as people write them; in full only where there are parts."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat().replace("+00:00", "Z")


def alert_text(alert: Alert) -> str:
    """A line for a person."""
    series = Series.named(alert.stream)
    stream = series.stream
    return (
        f"{alert.level.name.lower()} {alert.state.value}: {alert.column} of "
        f"{stream.model_name} {stream.model_version} ({stream.role}), {alert.rule}, "
        f"{alert.statistic} = {alert.value:.4g}, score {alert.score:.3g} (threshold "
        f"{alert.threshold:.3g}), windows of {series.length_ms / 1000:g} s, since "
        f"{time_text(alert.opened)}"
    )
