"""The latency probe: sends events at a given rate and sees their outcomes as a reader would.

A record's key carries the moment at which it was handed to the client, so a latency is known to
some ten microseconds and needs no table. One thread does both, so that neither waits for the
interpreter: between two sends it waits for outcomes, a millisecond at most. By so much an event may
be late to be sent; its moment is taken when it is.
"""

import struct
import time
from collections.abc import Sequence
from typing import Any

from confluent_kafka import KafkaException, TopicPartition

from stream_app.adapters.bench.topics import TopicWriter, read_batches
from stream_app.adapters.kafka.admin import ClientErrors, KafkaAdmin, new_client, translate
from stream_app.adapters.kafka.public_client import PublicConsumer
from stream_app.core.columns import Header
from stream_app.errors import RetriableError
from stream_app.settings import Settings

_KEY = struct.Struct(">Qq")
_SAMPLE = 4_096
_FIRST_EVERY_S = 0.05
_FIRST_WITHIN_S = 60.0
_SETTLE_S = 5.0
_LAST_WITHIN_S = 10.0
_LINGER_MS = 5.0
"""A request for each record would measure how many requests a broker bears."""

_LOOK_S = 0.001
"""The least that the client can wait without spinning on the brokers' core."""

_FETCH_RECORDS = 1_000


class Probe:
    """Of one worker that runs already, or soon will."""

    def __init__(self, settings: Settings, values_from: str) -> None:
        """Connect.

        Args:
            settings: Of the worker: where it reads, and where it writes.
            values_from: A topic whose records' values are sent.
        """
        self._settings = settings
        self._errors = ClientErrors()
        self._values = _values(settings, values_from)
        self._writer = TopicWriter(settings.kafka, linger_ms=_LINGER_MS, idempotent=False)
        self._partitions = KafkaAdmin(settings.kafka).partitions(settings.input.topic)
        self._consumer: Any = new_client(
            PublicConsumer, settings.kafka, self._errors, _READER_PROPERTIES
        )
        self._sent = 0
        self._seen: dict[int, float] = {}

    def run(self, rate: float, seconds: float) -> dict[str, object]:
        """Send for so long, then wait for the last outcomes.

        Returns:
            Latencies in seconds, as figures and as plain counts.

        Raises:
            RetriableError: the worker never answers.
        """
        topic = self._settings.predictions_topic
        try:
            self._consumer.assign(
                [TopicPartition(topic, number, 0) for number in range(self._partitions)]
            )
            self._await_worker()
            self._send_for(rate, _SETTLE_S)
            first = self._sent
            self._send_for(rate, seconds)
            last = self._sent
            deadline_s = time.monotonic() + _LAST_WITHIN_S
            while self._missing(first, last) and time.monotonic() < deadline_s:
                self._look(0.05)
        except KafkaException as exc:
            raise translate("latency", exc, self._errors, self._settings.kafka) from exc
        finally:
            self._consumer.close()
        found = sorted(s for number, s in self._seen.items() if first <= number < last)
        return {"sent": last - first, "rate": (last - first) / seconds, "latencies_s": found}

    def _await_worker(self) -> None:
        """It compiles, connects and joins first; until then an event now and then."""
        deadline_s = time.monotonic() + _FIRST_WITHIN_S
        while not self._seen:
            if time.monotonic() > deadline_s:
                raise RetriableError(f"no outcome came within {_FIRST_WITHIN_S:g} s")
            self._send()
            self._look(_FIRST_EVERY_S)

    def _send_for(self, rate: float, seconds: float) -> None:
        begun_s = time.monotonic()
        count = round(rate * seconds)
        for number in range(count):
            due_s = begun_s + number / rate
            while time.monotonic() < due_s:
                self._look(_LOOK_S)
            self._send()

    def _send(self) -> None:
        number, self._sent = self._sent, self._sent + 1
        value, headers = self._values[number % len(self._values)]
        key = _KEY.pack(number, time.monotonic_ns())
        topic = self._settings.input.topic
        self._writer.put(topic, value, key, number % self._partitions, headers)

    def _look(self, wait_s: float) -> None:
        self._writer.poll()
        messages = self._consumer.consume(1, wait_s)
        if messages:
            messages += self._consumer.consume(_FETCH_RECORDS, 0)
        now_ns = time.monotonic_ns()
        for message in messages:
            error = message.error()
            if error is None:
                number, sent_ns = _KEY.unpack(message.key())
                self._seen.setdefault(number, (now_ns - sent_ns) / 1e9)
            elif not error.retriable():
                raise KafkaException(error)

    def _missing(self, first: int, last: int) -> int:
        return sum(number not in self._seen for number in range(first, last))


def _values(settings: Settings, topic: str) -> list[tuple[bytes | None, Sequence[Header]]]:
    """Values, and headers, which may name their schemas."""
    found: list[tuple[bytes | None, Sequence[Header]]] = []
    for batch in read_batches(settings.kafka, topic, _SAMPLE):
        found += [(value, batch.headers.get(row, ())) for row, value in enumerate(batch.values)]
    return found


_READER_PROPERTIES = {
    # The library asks for a group even of those who never join one.
    "group.id": "stream-app-bench-probe",
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "earliest",
    "isolation.level": "read_committed",
}
