"""Reads a topic from outside any group: looks, commits nothing, disturbs nobody.

Decides where to begin in each partition and when the end is reached. Sees only what was committed
(``read_committed``). Knows nothing of what the bytes mean.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from stream_app.adapters.kafka.admin import ClientErrors, new_client, translate
from stream_app.adapters.kafka.columns import headers_of
from stream_app.core.columns import NO_TIMESTAMP, Header, TimestampType
from stream_app.settings import KafkaSettings

_POLL_S = 0.25
_BATCH = 500


@dataclass(frozen=True, slots=True)
class SeenRecord:
    """A record as it lies in the topic.

    Attributes:
        topic: Its topic.
        partition: Its partition.
        offset: Its offset.
        timestamp_ms: ``NO_TIMESTAMP`` when it has none.
        key: Raw bytes.
        value: Raw bytes; ``None`` is a tombstone.
        headers: In their order; names may repeat.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...]


def read_records(
    kafka: KafkaSettings,
    topic: str,
    starts: Mapping[int, int],
    ends: Mapping[int, int] | None = None,
) -> Iterator[SeenRecord]:
    """Records of ``topic``, each partition in order.

    Args:
        kafka: Where the cluster is.
        topic: It must exist.
        starts: First offset wanted, by partition; partitions that are not here are not read.
        ends: Stop before these offsets (exclusive), by partition; ``None`` waits for more for
            ever. Offsets below an end may be missing: markers of transactions, aborted records.

    Raises:
        ConfigError: we may not read.
        UnavailableError: the topic or the cluster is not there.
    """
    waiting = {p for p, start in starts.items() if ends is None or start < ends[p]}
    if not waiting:
        return
    errors = ClientErrors()
    # The library asks for a group even of those who never join one, and looks up its coordinator:
    # ours, as for another one nobody has the right.
    properties = {**_PROPERTIES, "group.id": kafka.group}
    consumer: Any = new_client(Consumer, kafka, errors, properties)
    try:
        consumer.assign([TopicPartition(topic, p, starts[p]) for p in sorted(waiting)])
        while waiting:
            for message in consumer.consume(_BATCH, _POLL_S):
                error = message.error()
                if error is not None:
                    if not _only_news(error):
                        raise translate(f"reading {topic!r}", KafkaException(error), errors, kafka)
                elif message.partition() in waiting and not _past(message, ends):
                    yield _seen(message)
            if ends is not None:
                waiting -= _finished(consumer, topic, waiting, ends)
    finally:
        consumer.close()


_PROPERTIES = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",
    "isolation.level": "read_committed",
    "enable.partition.eof": True,
    "fetch.wait.max.ms": 100,
}


def _only_news(error: Any) -> bool:
    """The end of a partition, or a trouble that the client mends by itself."""
    return error.code() in {
        KafkaError._PARTITION_EOF,
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._TIMED_OUT,
    }


def _past(message: Any, ends: Mapping[int, int] | None) -> bool:
    return ends is not None and message.offset() >= ends[message.partition()]


def _finished(consumer: Any, topic: str, waiting: set[int], ends: Mapping[int, int]) -> set[int]:
    """Partitions whose position, which moves over markers too, has reached the end."""
    positions = consumer.position([TopicPartition(topic, p) for p in waiting])
    return {p.partition for p in positions if p.offset >= ends[p.partition]}


def _seen(message: Any) -> SeenRecord:
    kind, timestamp_ms = message.timestamp()
    return SeenRecord(
        topic=message.topic(),
        partition=message.partition(),
        offset=message.offset(),
        timestamp_ms=NO_TIMESTAMP if kind == TimestampType.NOT_AVAILABLE else timestamp_ms,
        key=message.key(),
        value=message.value(),
        headers=headers_of(message),
    )
