"""The bench's topics: made, filled, counted, copied and removed.

Decides nothing about what is in them. Everything here happens between runs, never beside one.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from stream_app.adapters.kafka.admin import ClientErrors, KafkaAdmin, new_client, translate
from stream_app.adapters.kafka.public_client import PublicConsumer, PublicProducer
from stream_app.adapters.kafka.topic_plan import TopicPlan
from stream_app.adapters.kafka.topics import create_topics, remove_topics_and_groups
from stream_app.core.columns import Header, OutputBatch, RecordBatch
from stream_app.errors import StreamAppError, UnavailableError
from stream_app.settings import KafkaSettings

_CONFIGS = {
    # Records have the times of their events.
    "retention.ms": "-1",
    "message.timestamp.type": "CreateTime",
    "cleanup.policy": "delete",
}
_VISIBLE_WITHIN_S = 15.0
_LOOK_EVERY_S = 0.05
_FULL_WAIT_S = 0.05
_FETCH_RECORDS = 2_000
_FETCH_WAIT_S = 0.5
_SILENT_S = 20.0


def make_topics(kafka: KafkaSettings, names: Sequence[str], partitions: int) -> None:
    """Make them, and wait until the cluster shows them.

    Raises:
        UnavailableError: the cluster does not answer, or does not show them.
        ConfigError: it refuses them.
    """
    admin = KafkaAdmin(kafka)
    create_topics(admin, [TopicPlan("bench", n, partitions, 0, _CONFIGS) for n in names])
    deadline_s = time.monotonic() + _VISIBLE_WITHIN_S
    wanted = dict.fromkeys(names, partitions)
    while not wanted.items() <= admin.partition_counts().items():
        if time.monotonic() > deadline_s:
            raise UnavailableError(
                f"the topics {', '.join(names)} were made, and the cluster does not show them "
                f"within {_VISIBLE_WITHIN_S:g} s; look at its controllers"
            )
        time.sleep(_LOOK_EVERY_S)


def remove(kafka: KafkaSettings, topics: Sequence[str], groups: Sequence[str]) -> list[str]:
    """Remove topics and groups.

    Returns:
        What could not be removed, and why.
    """
    try:
        return remove_topics_and_groups(KafkaAdmin(kafka), topics, groups)
    except StreamAppError as exc:
        return [f"{', '.join([*topics, *groups])}: {exc}"]


class TopicWriter:
    """Writes batches to topics, as fast as the cluster takes them."""

    def __init__(
        self, kafka: KafkaSettings, *, linger_ms: float = 20.0, idempotent: bool = True
    ) -> None:
        self._kafka = kafka
        self._errors = ClientErrors()
        self._failure: Any = None
        properties = {
            "enable.idempotence": idempotent,
            "acks": "all",
            "compression.type": "lz4",
            "linger.ms": linger_ms,
            "queue.buffering.max.messages": 200_000,
            "delivery.report.only.error": True,
            "on_delivery": self._delivered,
        }
        self._producer: Any = new_client(PublicProducer, kafka, self._errors, properties)

    def write(self, outputs: OutputBatch) -> None:
        """Hand all of it over; waits while the client's queue is full.

        Raises:
            StreamAppError: a record was refused.
        """
        sent = self._producer.send(outputs, 0)
        while sent.error is not None:
            if sent.error.code() != KafkaError._QUEUE_FULL:
                raise self._translated(KafkaException(sent.error))
            self._producer.poll(_FULL_WAIT_S)
            sent = self._producer.send(outputs, sent.position)
        self.poll()

    def put(
        self,
        topic: str,
        value: bytes | None,
        key: bytes,
        partition: int,
        headers: Sequence[Header] = (),
    ) -> None:
        """Hand one record over, with the time of now; for who has few and no time for columns."""
        while True:
            try:
                self._producer.produce(topic, value, key, partition, headers=list(headers) or None)
            except BufferError:
                self._producer.poll(_FULL_WAIT_S)
            else:
                return

    def poll(self) -> None:
        """Hear of what was sent; raises as :meth:`write`."""
        self._producer.poll(0)
        if self._failure is not None:
            raise self._translated(KafkaException(self._failure))

    def flush(self) -> None:
        """Return when all of it is in the topics; raises as :meth:`write`."""
        while self._producer.flush(1.0):
            self.poll()
        self.poll()

    def _delivered(self, error: Any, record: Any) -> None:
        del record
        if error is not None and self._failure is None:
            self._failure = error

    def _translated(self, exc: KafkaException) -> StreamAppError:
        return translate("filling the bench's topics", exc, self._errors, self._kafka)


@dataclass(slots=True)
class Content:
    """What was found in a topic.

    Attributes:
        counts: Records, by partition.
        sample: The first ones of each partition, in order.
    """

    counts: list[int]
    sample: dict[int, list[RecordBatch]] = field(default_factory=dict)


def read_batches(
    kafka: KafkaSettings, topic: str, most: int | None = None
) -> Iterator[RecordBatch]:
    """All committed records of a topic, partition by partition in order, as they are now.

    Nobody joins a group, and no offset is committed.

    Args:
        kafka: The cluster.
        topic: Must exist.
        most: End early, when so many were read.

    Raises:
        UnavailableError: the topic does not exist, or nothing comes any more.
    """
    partitions = KafkaAdmin(kafka).partitions(topic)
    errors = ClientErrors()
    consumer: Any = new_client(PublicConsumer, kafka, errors, _READER_PROPERTIES)
    open_ones = set(range(partitions))
    count, heard_s = 0, time.monotonic()
    try:
        consumer.assign([TopicPartition(topic, number, 0) for number in open_ones])
        while open_ones and (most is None or count < most):
            fetched = consumer.fetch(topic, _FETCH_RECORDS, _FETCH_WAIT_S, _nothing)
            for each in fetched.errors:
                if each.error.code() == KafkaError._PARTITION_EOF:
                    open_ones.discard(each.partition)
                elif not each.error.retriable():
                    raise translate("reading", KafkaException(each.error), errors, kafka)
            if len(fetched.records):
                heard_s = time.monotonic()
                count += len(fetched.records)
                yield fetched.records
            elif time.monotonic() > heard_s + _SILENT_S:
                raise UnavailableError(
                    f"{topic}: nothing came for {_SILENT_S:g} s while it was read again; is a "
                    "transaction of another producer open in it (stream-app status)?"
                )
    except KafkaException as exc:
        raise translate(f"reading {topic!r}", exc, errors, kafka) from exc
    finally:
        consumer.close()


def read_content(kafka: KafkaSettings, topic: str, partitions: int, rows: int) -> Content:
    """Count a topic's records and keep the first ``rows`` of each partition."""
    counts = np.zeros(partitions, dtype=np.int64)
    sample: dict[int, list[RecordBatch]] = {number: [] for number in range(partitions)}
    for batch in read_batches(kafka, topic):
        for number in np.flatnonzero(np.bincount(batch.partition, minlength=partitions)).tolist():
            missing = max(0, rows - int(counts[number]))
            if missing:
                picked = np.flatnonzero(batch.partition == number)[:missing]
                sample[number].append(batch.take(picked))
            counts[number] += int((batch.partition == number).sum())
    return Content(counts.tolist(), sample)


def value_bytes(kafka: KafkaSettings, topic: str) -> int:
    """What all values of a topic are together."""
    return sum(int(batch.values.offsets[-1]) for batch in read_batches(kafka, topic))


def copy_records(
    kafka: KafkaSettings, source: str, target: str, most: int, tell: Callable[[int], None]
) -> int:
    """Write the first committed records of ``source`` to ``target``, each to its partition.

    Returns:
        How many there were, at most ``most``.
    """
    writer = TopicWriter(kafka)
    copied = 0
    for batch in read_batches(kafka, source, most):
        rows = np.arange(min(len(batch), most - copied))
        part = batch if len(rows) == len(batch) else batch.take(rows)
        writer.write(as_output(part, target))
        copied += len(rows)
        tell(copied)
    writer.flush()
    return copied


def as_output(records: RecordBatch, topic: str) -> OutputBatch:
    """The same records, to be sent on unchanged and each to the partition it came from."""
    return OutputBatch(
        topic=topic,
        rows=np.arange(len(records)),
        values=records.values,
        keys=records.keys,
        partition=records.partition,
        timestamp_ms=records.timestamp_ms,
        headers=records.headers,
    )


def _nothing() -> None:
    """Between the first record and the rest."""


_READER_PROPERTIES: Mapping[str, Any] = {
    # The library asks for a group even of those who never join one.
    "group.id": "stream-app-bench-reader",
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "earliest",
    "isolation.level": "read_committed",
    "enable.partition.eof": True,
}
