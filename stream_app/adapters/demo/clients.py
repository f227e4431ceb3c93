"""The demo's hands and eyes on the cluster: one client that sends, one that sees outcomes.

Decides which moments count: an event is sent when it is handed to the client, an outcome is seen
when a reader who sees only what was committed has it. Refuses to know what is sent when, and
what the moments mean.
"""

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Self

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from stream_app.adapters.kafka.admin import ClientErrors, KafkaAdmin, new_client, translate
from stream_app.adapters.kafka.replay import OutgoingEvent
from stream_app.adapters.kafka.topics import remove_topics_and_groups
from stream_app.adapters.verifier.records import PredictionReader, UnreadableError, read_dead_letter
from stream_app.errors import UnavailableError
from stream_app.settings import Settings

Position = tuple[int, int]
"""Partition and offset of an event in the input topic."""

_QUEUE_RECORDS = 100_000
_QUEUE_FULL_WAIT_S = 0.05
_READ_WAIT_S = 0.1
_READ_RECORDS = 2_000


class EventSender:
    """Sends events to the input topic and hears what became of each.

    Attributes:
        sent: Handed to the client.
        acknowledged: In the topic.
        failed: Refused or timed out, by the client's name of the reason.
        sent_at: By position, when each event that was ``measured`` was handed over.
    """

    def __init__(self, settings: Settings) -> None:
        self._topic = settings.input.topic
        self._kafka = settings.kafka
        self._errors = ClientErrors()
        self._producer: Any = new_client(
            Producer,
            settings.kafka,
            self._errors,
            {
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 2,
                "compression.type": "lz4",
                "partitioner": "murmur2_random",
                "queue.buffering.max.messages": _QUEUE_RECORDS,
            },
        )
        self.sent = 0
        self.acknowledged = 0
        self.failed: Counter[str] = Counter()
        self.sent_at: dict[Position, float] = {}

    def send(self, event: OutgoingEvent, *, measured: bool) -> None:
        """Hand one over; blocks while the client's queue is full.

        Raises:
            StreamAppError: the client refuses it.
        """
        heard = partial(self._heard_of_measured, time.monotonic()) if measured else self._heard
        while True:
            try:
                self._producer.produce(
                    self._topic,
                    event.value,
                    event.key,
                    timestamp=event.timestamp_ms,
                    on_delivery=heard,
                )
                break
            except BufferError:
                self._producer.poll(_QUEUE_FULL_WAIT_S)
            except KafkaException as exc:
                what = f"sending to {self._topic!r}"
                raise translate(what, exc, self._errors, self._kafka) from exc
        self.sent += 1

    def poll(self, wait_s: float) -> None:
        """Hear of what was sent; waits for the first such news."""
        self._producer.poll(wait_s)

    @property
    def waiting(self) -> int:
        """Sent, and not heard of again."""
        return self.sent - self.acknowledged - self.failed.total()

    def close(self) -> None:
        """Give up what is on its way."""
        self._producer.purge()
        self._producer.flush(1.0)

    def _heard(self, error: Any, record: Any) -> None:
        del record
        if error is None:
            self.acknowledged += 1
        else:
            self.failed[error.name()] += 1

    def _heard_of_measured(self, sent_s: float, error: Any, record: Any) -> None:
        self._heard(error, record)
        if error is None:
            self.sent_at[record.partition(), record.offset()] = sent_s


class OutcomeReader:
    """Sees predictions and dead letters as they are committed, on a thread of its own.

    A context manager. What the thread writes is only ever added to, and may be read at any time.

    Attributes:
        predictions: Seen so far.
        dead_letters: Seen so far.
        samples: After each look that found something, the moment and the sum of both.
        seen_at: By position of the event, when its prediction was first seen, while ``timing``.
        timing: Whether predictions are decoded to know their position; costs some microseconds.
        examples: The first decoded prediction of each input partition.
        reasons: The message of the first dead letter of each code.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._errors = ClientErrors()
        self._decode = PredictionReader(settings)
        self._stop = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="outcomes", daemon=True)
        self.predictions = 0
        self.dead_letters = 0
        self.samples: list[tuple[float, int]] = []
        self.seen_at: dict[Position, float] = {}
        self.timing = False
        self.examples: dict[int, Mapping[str, Any]] = {}
        self.reasons: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def outcomes(self) -> int:
        """Both kinds together."""
        return self.predictions + self.dead_letters

    def check(self) -> None:
        """Raise what ended the reading.

        Raises:
            StreamAppError: translated from what the client said.
        """
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            self._read()
        except Exception as exc:  # noqa: BLE001  # raised again by check, on the thread that asks
            self._failure = exc

    def _read(self) -> None:
        settings = self._settings
        consumer: Any = new_client(Consumer, settings.kafka, self._errors, _READER_PROPERTIES)
        try:
            counts = KafkaAdmin(settings.kafka).partition_counts()
            topics = (settings.predictions_topic, settings.dlq_topic)
            consumer.assign([TopicPartition(t, p, 0) for t in topics for p in range(counts[t])])
            while not self._stop.is_set():
                # One is waited for, the rest is what is there.
                messages = consumer.consume(1, _READ_WAIT_S)
                if messages:
                    messages += consumer.consume(_READ_RECORDS, 0)
                    self._take(messages, time.monotonic())
        except KafkaException as exc:
            raise translate("reading outcomes", exc, self._errors, settings.kafka) from exc
        finally:
            consumer.close()

    def _take(self, messages: list[Any], now_s: float) -> None:
        predictions_topic = self._settings.predictions_topic
        for message in messages:
            error = message.error()
            if error is not None:
                if error.fatal() or not error.retriable():
                    raise KafkaException(error)
            elif message.topic() == predictions_topic:
                self.predictions += 1
                if self.timing:
                    self._take_prediction(message, now_s)
            else:
                self.dead_letters += 1
                self._take_dead_letter(message)
        self.samples.append((now_s, self.outcomes))

    def _take_prediction(self, message: Any, now_s: float) -> None:
        try:
            (_, partition, offset), prediction = self._decode.read(message.value())
        except UnreadableError as exc:
            raise UnavailableError(
                f"a prediction in {message.topic()}[{message.partition()}] at offset "
                f"{message.offset()} cannot be read: {exc}"
            ) from exc
        self.seen_at.setdefault((partition, offset), now_s)
        self.examples.setdefault(partition, prediction)

    def _take_dead_letter(self, message: Any) -> None:
        headers = message.headers() or []
        _, code = read_dead_letter(headers)
        if code not in self.reasons:
            self.reasons[code] = (dict(headers).get("err.message") or b"").decode()


_READER_PROPERTIES = {
    # The library asks for a group even of those who never join one.
    "group.id": "stream-app-demo",
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "earliest",
    "isolation.level": "read_committed",
}


def delete_traces(settings: Settings, topics: Sequence[str]) -> list[str]:
    """Remove the topics and the groups of this run from a cluster that lives on.

    Returns:
        What could not be removed, and why.
    """
    admin = KafkaAdmin(settings.kafka)
    groups = [settings.kafka.group, settings.drift_group, settings.monitor_group]
    return remove_topics_and_groups(admin, topics, groups)
