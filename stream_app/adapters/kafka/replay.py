"""Sends records to a topic at a chosen pace, and counts what became of each.

Decides when the next record is due and waits until every record was acknowledged or refused.
Knows nothing of files and of Avro; each record brings its own bytes and its own time.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaException, Producer

from stream_app.adapters.kafka.admin import ClientErrors, new_client, translate
from stream_app.core.columns import NO_TIMESTAMP, Header
from stream_app.settings import KafkaSettings

_PROGRESS_EVERY_S = 0.1
_QUEUE_RECORDS = 100_000
_FLUSH_SLICE_S = 0.2


@dataclass(frozen=True, slots=True)
class OutgoingEvent:
    """A record to send.

    Attributes:
        value: Framed bytes; ``None`` is a tombstone.
        key: Decides the partition, unless ``partition`` does.
        timestamp_ms: The record's timestamp; ``NO_TIMESTAMP`` means now.
        partition: -1 leaves the choice to the key.
        headers: Sent as they are.
    """

    value: bytes | None
    key: bytes | None = None
    timestamp_ms: int = NO_TIMESTAMP
    partition: int = -1
    headers: Sequence[Header] = ()


@dataclass(slots=True)
class ReplayReport:
    """What became of the records so far.

    Attributes:
        sent: Handed to the client.
        delivered: Acknowledged by the cluster.
        failed: Refused or timed out, by the client's name of the reason.
        size_bytes: Keys and values of the delivered.
        elapsed_s: Since the first.
        interrupted: Whether somebody stopped it before the end.
    """

    sent: int = 0
    delivered: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    size_bytes: int = 0
    elapsed_s: float = 0.0
    interrupted: bool = False

    @property
    def waiting(self) -> int:
        """Sent, and not yet heard of again."""
        return self.sent - self.delivered - self.failed.total()

    @property
    def records_per_second(self) -> float:
        """Delivered records over the time it took."""
        return self.delivered / self.elapsed_s if self.elapsed_s else 0.0


Progress = Callable[[ReplayReport], None]


def produce_events(
    kafka: KafkaSettings,
    topic: str,
    events: Iterable[OutgoingEvent],
    *,
    rate: float | None = None,
    on_progress: Progress | None = None,
    properties: Mapping[str, Any] | None = None,
) -> ReplayReport:
    """Send ``events`` in order, and return when each was acknowledged or refused.

    An interrupt (Ctrl-C) stops the sending, not the waiting: what was handed over is flushed and
    the report says ``interrupted``. When ``events`` itself raises, the same is done, and then its
    exception goes on.

    Args:
        kafka: Where the cluster is.
        topic: It must exist.
        events: Read lazily.
        rate: Records a second; ``None`` sends as fast as the cluster takes them.
        on_progress: Called on this thread about ten times a second, and at the end.
        properties: Further librdkafka properties, over those of this function.

    Raises:
        ConfigError: the settings are refused.
        UnavailableError: the cluster is not there, or refuses the topic.
    """
    sender = _Sender(kafka, topic, on_progress, properties or {})
    try:
        for event in events:
            sender.send(event, rate)
    except KeyboardInterrupt:
        sender.report.interrupted = True
    finally:
        sender.flush()
    return sender.report


class _Sender:
    def __init__(
        self,
        kafka: KafkaSettings,
        topic: str,
        on_progress: Progress | None,
        properties: Mapping[str, Any],
    ) -> None:
        self._kafka = kafka
        self._topic = topic
        self._on_progress = on_progress
        self._errors = ClientErrors()
        self._producer: Any = new_client(
            Producer, kafka, self._errors, {**_properties(kafka), **properties}
        )
        self._require_topic()
        self._start_s = time.monotonic()
        self._next_progress_s = self._start_s
        self.report = ReplayReport()

    def _require_topic(self) -> None:
        # Asking also connects: an idempotent producer whose first record finds no connection
        # sleeps for half a second.
        try:
            found = self._producer.list_topics(self._topic, timeout=self._kafka.request_timeout_s)
            if found.topics[self._topic].error is not None:
                raise KafkaException(found.topics[self._topic].error)
        except KafkaException as exc:
            self._producer.poll(0)
            raise translate(
                f"looking for topic {self._topic!r}", exc, self._errors, self._kafka
            ) from exc

    def send(self, event: OutgoingEvent, rate: float | None) -> None:
        report = self.report
        if rate is not None:
            self._wait_until(self._start_s + report.sent / rate)
        arguments: dict[str, Any] = {"on_delivery": self._heard, "partition": event.partition}
        if event.timestamp_ms != NO_TIMESTAMP:
            arguments["timestamp"] = event.timestamp_ms
        if event.headers:
            arguments["headers"] = list(event.headers)
        while True:
            try:
                self._producer.produce(self._topic, event.value, event.key, **arguments)
                break
            except BufferError:
                # The queue is full: wait for acknowledgements, then the same record again.
                self._producer.poll(_FLUSH_SLICE_S)
                self._tell()
            except KafkaException as exc:
                raise translate(
                    f"sending to {self._topic!r}", exc, self._errors, self._kafka
                ) from exc
        report.sent += 1
        if report.sent % 100 == 0 or rate is not None:
            self._producer.poll(0)
            self._tell()

    def flush(self) -> None:
        """Wait until nothing is on its way; the client itself gives each record up in time."""
        while self._producer.flush(_FLUSH_SLICE_S):
            self._tell()
        self.report.elapsed_s = time.monotonic() - self._start_s
        if self._on_progress is not None:
            self._on_progress(self.report)

    def _wait_until(self, due_s: float) -> None:
        while (left_s := due_s - time.monotonic()) > 0:
            self._producer.poll(min(left_s, _PROGRESS_EVERY_S))
            self._tell()

    def _tell(self) -> None:
        now_s = time.monotonic()
        if self._on_progress is not None and now_s >= self._next_progress_s:
            self._next_progress_s = now_s + _PROGRESS_EVERY_S
            self.report.elapsed_s = now_s - self._start_s
            self._on_progress(self.report)

    def _heard(self, error: Any, record: Any) -> None:
        if error is not None:
            self.report.failed[error.name()] += 1
            return
        self.report.delivered += 1
        self.report.size_bytes += len(record)


def _properties(kafka: KafkaSettings) -> dict[str, Any]:
    return {
        "enable.idempotence": True,
        "acks": "all",
        "compression.type": "lz4",
        "linger.ms": 20,
        "partitioner": "murmur2_random",
        "message.timeout.ms": round(1_000 * max(30.0, 3 * kafka.request_timeout_s)),
        "queue.buffering.max.messages": _QUEUE_RECORDS,
    }
