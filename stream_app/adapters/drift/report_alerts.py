"""The alerts of a report: those that a monitor has published, or what its rules say of a file.

Decides which alerts belong to the windows that are told of. Refuses to know what makes an alert
(``core/drift/rules.py``).
"""

from collections.abc import Iterable
from dataclasses import replace

from stream_app.adapters.drift.alert_codec import AlertCodec
from stream_app.adapters.drift.report_source import Told, values_of_topic
from stream_app.adapters.kafka.admin import KafkaAdmin
from stream_app.core.drift.alerts import Alert, State
from stream_app.core.drift.rules import judge
from stream_app.core.drift.score_window import RULES, window_scores
from stream_app.core.drift.series import Series
from stream_app.drift_report import DriftReport
from stream_app.ports_drift import Unreadable
from stream_app.settings import Settings

_OVER = frozenset({State.CLOSED, State.WITHDRAWN})


def published_alerts(settings: Settings, report: DriftReport, told: Told) -> DriftReport:
    """The same with the alerts of its series that were open or changed in its time.

    Raises:
        ConfigError: the topic may not be read.
        UnavailableError: the cluster is not there.
    """
    topic = settings.alerts_topic
    if topic not in KafkaAdmin(settings.kafka).partition_counts():
        return replace(report, alerts_from=f"there is no topic {topic}, and so no monitor")
    codec = AlertCodec()
    decoded = map(codec.decode, values_of_topic(settings, topic, told))
    found = [alert for alert in decoded if not isinstance(alert, Unreadable)]
    return replace(
        report, alerts=_belonging(found, report), alerts_from=f"As published in {topic}."
    )


def computed_alerts(report: DriftReport) -> DriftReport:
    """The same with the alerts that its windows lead to, from no memory of windows before."""
    final = [window for window in report.windows if window.head.is_final]
    series = Series(report.stream, report.length_ms).name
    found: list[Alert] = []
    for rule in RULES:
        found += judge(series, rule, [window_scores(each, rule) for each in final]).alerts
    words = "Computed from these windows, by the monitor's rules; nothing was published."
    return replace(report, alerts=_belonging(found, report), alerts_from=words)


def _belonging(found: Iterable[Alert], report: DriftReport) -> tuple[Alert, ...]:
    """By id and sequence; all records of an alert, or none."""
    series = Series(report.stream, report.length_ms).name
    own = sorted(
        (alert for alert in found if alert.stream == series),
        key=lambda alert: (alert.id, alert.sequence),
    )
    last = {alert.id: alert for alert in own}
    wanted = {
        alert.id
        for alert in last.values()
        if alert.opened < report.end_ms
        and (alert.state not in _OVER or _changed(alert) >= report.start_ms)
    }
    return tuple(alert for alert in own if alert.id in wanted)


def _changed(alert: Alert) -> int:
    return max((ground.window_start for ground in alert.grounds), default=alert.opened)
