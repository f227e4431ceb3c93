"""confluent-kafka's two clients, and records moved through them a batch at a time.

Decides how rows become the library's messages and back: the last place where a record is a Python
object. What a batch looks like on both ways is what any client owes the source and the sink.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer

from stream_app.adapters.kafka.columns import asked, to_columns
from stream_app.core.columns import NO_TIMESTAMP, OutputBatch, RecordBatch

_NOW = 0

FLUSH_SLICE_S = 0.001
"""How long to flush at a time. Where only failures are reported, nothing wakes the library when the
last delivery has succeeded: it looks every 10 ms, or when the time given is over."""

_MOST_MESSAGES = 2_048
"""Of one fetch: more Python objects at a time are slower, since no processor's cache holds them."""


@dataclass(frozen=True, slots=True)
class NoRecord:
    """An error that came in the place of a record.

    Attributes:
        error: The client's.
        topic: Where; empty if it is of none.
        partition: Where.
        offset: Where.
        held: Whether it came before the rest was asked for.
    """

    error: Any
    topic: str
    partition: int
    offset: int
    held: bool


@dataclass(frozen=True, slots=True)
class Fetched:
    """What one fetch brought.

    Attributes:
        records: In the order in which they came.
        held: How many of them came before the rest was asked for: one or none.
        errors: In theirs.
    """

    records: RecordBatch
    held: int
    errors: Sequence[NoRecord] = ()


@dataclass(frozen=True, slots=True)
class Sent:
    """How far a batch was handed over.

    Attributes:
        position: The first row that was not.
        error: Why not; ``None``: there was no other row.
    """

    position: int
    error: Any | None


class PublicConsumer(Consumer):  # type: ignore[misc]  # the library has no types
    """The library's, and :meth:`fetch`."""

    def fetch(
        self, topic: str, max_records: int, wait_s: float, between: Callable[[], None]
    ) -> Fetched:
        """Wait for one record, then take what is there; all are of ``topic``.

        Args:
            topic: Subscribed to.
            max_records: At most so many.
            wait_s: For the first.
            between: Called when it has come, before the rest is asked for.

        Raises:
            KafkaException: the client is over.
        """
        return fetch_messages(self, topic, max_records, wait_s, between)


class PublicProducer(Producer):  # type: ignore[misc]  # likewise
    """The library's, and :meth:`send`."""

    def send(self, outputs: OutputBatch, begin: int) -> Sent:
        """Hand over rows from ``begin`` on, until one is refused."""
        return send_rows(self, outputs, begin)

    def end(self) -> None:
        """Nothing: it is ended by whoever refers to it last."""


def fetch_messages(
    consumer: Any, topic: str, max_records: int, wait_s: float, between: Callable[[], None]
) -> Fetched:
    """:meth:`PublicConsumer.fetch` by a ``consume`` like the library's."""
    # One is waited for, the rest is what is there: all at once would wait the whole time.
    messages = consumer.consume(1, wait_s)
    held = len(messages)
    if held:
        between()
        if max_records > 1:
            messages += consumer.consume(min(max_records, _MOST_MESSAGES) - 1, 0.0)
    if not any(asked(messages, "error")):
        return Fetched(to_columns(topic, messages), held)
    errors = [
        NoRecord(error, m.topic() or "", m.partition(), m.offset(), held=number < held)
        for number, m in enumerate(messages)
        if (error := m.error()) is not None
    ]
    records = to_columns(topic, [m for m in messages if m.error() is None])
    return Fetched(records, held - sum(each.held for each in errors), errors)


def send_rows(producer: Any, outputs: OutputBatch, begin: int) -> Sent:
    """:meth:`PublicProducer.send` by a ``produce`` like the library's."""
    produce, topic, headers = producer.produce, outputs.topic, outputs.headers
    given_ms = outputs.timestamp_ms
    rows = zip(
        outputs.values.rows_from(begin),
        outputs.keys.rows_from(begin),
        outputs.partition[begin:].tolist(),
        np.where(given_ms == NO_TIMESTAMP, _NOW, given_ms)[begin:].tolist(),
        strict=True,
    )
    position = begin
    try:
        # By position: named arguments cost the library as much as the rest of the call.
        if headers:
            for position, (value, key, partition, time_ms) in enumerate(rows, begin):
                own = headers.get(position)
                produce(topic, value, key, partition, None, None, time_ms, own and list(own))
        else:
            for position, (value, key, partition, time_ms) in enumerate(rows, begin):  # noqa: B007  # read in `except`
                produce(topic, value, key, partition, None, None, time_ms)
    except BufferError:
        return Sent(position, KafkaError(KafkaError._QUEUE_FULL))
    except KafkaException as exc:
        return Sent(position, exc.args[0])
    return Sent(len(outputs), None)
