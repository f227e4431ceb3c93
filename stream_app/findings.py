"""What preflights find, and the questions about topics that all of them ask.

Decides the words in which a fault and its remedy are told.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from stream_app.adapters.kafka.access_check import hidden_topics
from stream_app.adapters.kafka.admin import KafkaAdmin
from stream_app.adapters.kafka.rights import on_topic
from stream_app.adapters.kafka.topics import topic_configs
from stream_app.errors import ConfigError, ExitStatus, StreamAppError
from stream_app.settings import Settings


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer.

    Attributes:
        check: What was looked at.
        ok: Whether it is as it should be.
        text: What was found; a fault's says the remedy too.
        status: Of the process, when this is the worst of the faults.
    """

    check: str
    ok: bool
    text: str
    status: ExitStatus = ExitStatus.CONFIG


def topic_findings(
    settings: Settings, found: Mapping[str, int], wanted: Sequence[str]
) -> Iterator[Finding]:
    """Whether topics are there.

    Args:
        settings: Of the process that wants them.
        found: Topics of the cluster that we are allowed to see, and their partitions.
        wanted: Which should be there.
    """
    missing = [topic for topic in wanted if topic not in found]
    hidden = hidden_topics(settings, missing) if missing else []
    for topic in wanted:
        if topic in found:
            yield Finding("topics", ok=True, text=f"{topic}: {found[topic]} partitions")
        elif topic in hidden:
            yield Finding("access", ok=False, text=on_topic(settings, topic))
        else:
            # The input belongs to those who write it, so only trials make it.
            more = " --with-input" if topic == settings.input.topic else ""
            text = f"{topic} does not exist; create it: stream-app topics create{more}"
            yield Finding("topics", ok=False, text=text, status=ExitStatus.UNAVAILABLE)


def size_findings(settings: Settings, topics: Sequence[str]) -> Iterator[Finding]:
    """Whether topics take our largest records: one refused would abort its transaction for ever."""
    limit = settings.output.max_record_bytes
    if not topics:
        return
    admin = KafkaAdmin(settings.kafka)
    if not admin.has_controller():
        text = "not checked: max.message.bytes of the outputs (the cluster has no controller)"
        yield Finding("topics", ok=True, text=text)
        return
    try:
        configs = topic_configs(admin, topics)
    except StreamAppError as exc:
        # A worker needs that right for nothing else: to miss it is no fault.
        why = "DescribeConfigs is not granted" if isinstance(exc, ConfigError) else exc
        text = f"not checked: max.message.bytes of the outputs ({why})"
        yield Finding("topics", ok=True, text=text)
        return
    for topic, config in configs.items():
        accepted = int(config.get("max.message.bytes", limit))
        if accepted < limit:
            text = (
                f"{topic} accepts {accepted} bytes (max.message.bytes), but "
                f"output.max_record_bytes is {limit}; raise the one or lower the other"
            )
            yield Finding("topics", ok=False, text=text)
