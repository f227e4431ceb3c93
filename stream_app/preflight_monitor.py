"""The preflight of the drift monitor: everything that would keep it from working, at once.

Decides what is looked at. A module of its own, and not one more of ``preflight.py``, with which it
shares the words: that one loads models.
"""

from dataclasses import dataclass, field

from stream_app.adapters.kafka.access_check import access_faults
from stream_app.adapters.kafka.admin import KafkaAdmin
from stream_app.adapters.monitor.faust_credentials import broker_credentials
from stream_app.errors import ConfigError
from stream_app.findings import topic_findings
from stream_app.settings import Delivery, Settings
from stream_app.settings_rules import missing_for_aggregating


@dataclass(slots=True)
class MonitorTopics:
    """What was found.

    Attributes:
        partitions: Of the windows topic, and of those beside it.
        missing: Topics that are not there; they may come.
        is_mock: Whether this is librdkafka's mock, which knows no members of groups, no rights,
            and no checksums of commit markers.
    """

    partitions: int
    missing: list[str] = field(default_factory=list)
    is_mock: bool = False


def require_complete(settings: Settings) -> None:
    """Stop for what no broker need be asked about.

    Raises:
        ConfigError: a setting is missing, or cannot be had with Faust.
    """
    missing = missing_for_aggregating(settings)
    if missing:
        raise ConfigError("\n".join(missing))
    broker_credentials(settings.kafka)


def monitor_topics(settings: Settings) -> MonitorTopics:
    """Ask for topics, partitions and rights.

    Raises:
        ConfigError: all that somebody must change, one a line.
        UnavailableError: no broker answers.
    """
    seen = monitor_settings(settings)
    admin = KafkaAdmin(settings.kafka)
    counts = admin.partition_counts()
    wanted = [settings.windows_topic, settings.alerts_topic, settings.monitor_topic]
    findings = [finding for finding in topic_findings(seen, counts, wanted) if not finding.ok]
    denied = [finding.text for finding in findings if finding.check == "access"]
    if denied:
        raise ConfigError("\n".join(denied))
    if findings:
        return MonitorTopics(0, [finding.text for finding in findings])
    partitions = counts[settings.windows_topic]
    faults = [
        f"{settings.windows_topic} has {partitions} partitions, {topic} {counts[topic]}: what "
        "follows from a window is in the same partition; give them the same number"
        for topic in wanted[1:]
        if counts[topic] != partitions
    ]
    is_mock = not admin.has_controller()
    if not is_mock:
        faults += access_faults(seen, [settings.alerts_topic], kept_in=settings.monitor_topic)
    if faults:
        raise ConfigError("\n".join(faults))
    return MonitorTopics(partitions, is_mock=is_mock)


def monitor_settings(settings: Settings) -> Settings:
    """The same, as those see them who look at a worker: what it reads, as whom, without
    transactions.
    """
    return settings.model_copy(
        update={
            "delivery": Delivery.AT_LEAST_ONCE,
            "input": settings.input.model_copy(update={"topic": settings.windows_topic}),
            "kafka": settings.kafka.model_copy(update={"group": settings.monitor_group}),
        }
    )
