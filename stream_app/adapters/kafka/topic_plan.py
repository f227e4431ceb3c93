"""Which topics the job needs and how each should be configured.

Decides names, partition counts and configurations from the settings alone; asks no cluster.

    input       the events; made only for trials, in production it belongs to those who write it
    predictions, dlq
                as many partitions as the input, so that an outcome keeps its event's partition
    partials    what the scorers saw, summed up later; deleted when old
    partials_dlq
                partials that cannot be read
    windows     one record a closed window; kept like predictions
    changelog   compacted: the state behind the windows, a partition beside each of partials
    alerts      compacted: each record has a key of its own and stays; a partition beside each
                of windows
    monitor     compacted: what the monitor keeps of windows, a partition beside each of them
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from stream_app.settings import Settings

DRIFT_PARTITIONS = 4
"""All partials of a model have one key, so this bounds how many models are summed up at once."""

_HEADER_ROOM_BYTES = 64 * 1024
"""For the batch around a record, and for what a broker adds when it converts it."""

_BROKER_MAX_MESSAGE_BYTES = 1_048_588
"""Kafka's default ``max.message.bytes``; ours is never below it."""

_CHANGELOG_SEGMENT_BYTES = 32 * 1024 * 1024
_DAY_MS = 86_400_000
_PARTIALS_RETENTION_MS = 3 * _DAY_MS


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """A topic as it should be.

    Attributes:
        role: What the job uses it for.
        name: Its name.
        partitions: Their number.
        replication_factor: 0 lets the cluster decide.
        configs: What differs from the cluster's defaults, or must not depend on them.
    """

    role: str
    name: str
    partitions: int
    replication_factor: int = 0
    configs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """What a person may choose.

    Attributes:
        partitions: Of the input, predictions and dead letters.
        replication_factor: 0 lets the cluster decide.
        retention_ms: For input, predictions, dead letters and windows; ``None`` lets the cluster
            decide, -1 keeps for ever.
        with_input: Whether the input topic is ours to make.
    """

    partitions: int
    replication_factor: int = 0
    retention_ms: int | None = None
    with_input: bool = False


def plan_topics(settings: Settings, options: PlanOptions) -> tuple[TopicPlan, ...]:
    """All topics of the job, in the order in which data passes them."""
    source = settings.input.topic
    kept = _kept(options)
    outcome = {**kept, "max.message.bytes": str(_max_message_bytes(settings))}
    many, few, drift = options.partitions, DRIFT_PARTITIONS, _replicated(options, "compact")
    # Restoring reads what is not compacted yet, and the newest segment never is.
    changelog = drift | {"segment.bytes": str(_CHANGELOG_SEGMENT_BYTES)}
    partials_ms = -1 if options.retention_ms == -1 else _PARTIALS_RETENTION_MS
    plans = [
        ("predictions", settings.predictions_topic, many, outcome),
        ("dlq", settings.dlq_topic, many, outcome),
        ("partials", settings.partials_topic, few, {**kept, "retention.ms": str(partials_ms)}),
        ("partials_dlq", settings.partials_dlq_topic, few, outcome),
        ("windows", settings.windows_topic, few, kept),
        ("changelog", settings.changelog_topic, few, changelog),
        ("alerts", settings.alerts_topic, few, drift),
        ("monitor", settings.monitor_topic, few, changelog),
    ]
    if options.with_input:
        plans.insert(0, ("input", source, many, kept))
    return tuple(
        TopicPlan(role, name, partitions, options.replication_factor, configs)
        for role, name, partitions, configs in plans
    )


def _kept(options: PlanOptions) -> dict[str, str]:
    configs = _replicated(options, "delete")
    if options.retention_ms is not None:
        configs["retention.ms"] = str(options.retention_ms)
    return configs


def _replicated(options: PlanOptions, cleanup: str) -> dict[str, str]:
    # Event time travels in the record's timestamp; a broker must not put its own there.
    configs = {"cleanup.policy": cleanup, "message.timestamp.type": "CreateTime"}
    if options.replication_factor >= 3:
        # One replica may be away, and what was acknowledged is still on two.
        configs["min.insync.replicas"] = "2"
    return configs


def _max_message_bytes(settings: Settings) -> int:
    return max(_BROKER_MAX_MESSAGE_BYTES, settings.output.max_record_bytes + _HEADER_ROOM_BYTES)
