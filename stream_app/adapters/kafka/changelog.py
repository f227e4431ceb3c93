"""The aggregator's changelog, read from its start: a consumer of its own, that joins no group.

Decides what the end is: what was committed when the reading began. What a transaction under way
adds comes later, and whoever reads asks again. Refuses to know what is in records.
"""

import time
from collections.abc import Collection, Mapping
from typing import Any

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_INVALID,
    Consumer,
    KafkaError,
    KafkaException,
    TopicPartition,
)

from stream_app.adapters.kafka.admin import ClientErrors, new_client, translate
from stream_app.core.positions import NextOffset
from stream_app.errors import RetriableError
from stream_app.ports_drift import ChangelogPiece
from stream_app.settings import Settings

_POLL_S = 0.1
_BATCH = 1_000

_PROPERTIES = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",
    "isolation.level": "read_committed",
    "enable.partition.eof": True,
    "check.crcs": True,
    "fetch.wait.max.ms": 100,
}


class KafkaChangelog:
    """See :class:`~stream_app.ports_drift.Changelog`."""

    def __init__(self, settings: Settings, topic: str) -> None:
        """``settings`` of the aggregator: its input are partials, its group is its own."""
        self._settings = settings
        self._kafka = settings.kafka
        self._timeout_s = settings.kafka.request_timeout_s
        self._topic = topic
        self._errors = ClientErrors()
        self._consumer: Any = None
        self._places: dict[int, int] = {}

    def read(self, starts: Mapping[int, int], within_s: float) -> ChangelogPiece:
        """See the port."""
        deadline_s = time.monotonic() + within_s
        try:
            if starts != self._places:
                self._assign(starts)
            ends = {partition: self._end(partition) for partition in starts}
            entries: list[tuple[int, bytes | None, bytes | None]] = []
            # Once at least: who asks again at the end must not do so in a tight loop.
            is_first = True
            while is_first or (self._unread(ends) and time.monotonic() < deadline_s):
                is_first = False
                for message in self._client().consume(_BATCH, _POLL_S):
                    self._take(message, entries)
        except KafkaException as exc:
            self.rest()
            raise self._retriable(f"reading {self._topic!r}", exc) from exc
        ended = frozenset(starts) - self._unread(ends)
        return ChangelogPiece(entries, dict(self._places), ended)

    def committed(self, partitions: Collection[int]) -> Mapping[int, NextOffset | None]:
        """See the port; the broker answers only when no transaction is under way with them."""
        wanted = [TopicPartition(self._settings.input.topic, p) for p in sorted(partitions)]
        try:
            found = self._client().committed(wanted, timeout=self._timeout_s)
            failed = next((tp.error for tp in found if tp.error), None)
            if failed is not None:
                raise KafkaException(failed)
        except KafkaException as exc:
            raise self._retriable("reading committed offsets", exc) from exc
        return {
            tp.partition: None
            if tp.offset == OFFSET_INVALID
            else NextOffset(tp.offset, tp.metadata or "")
            for tp in found
        }

    def rest(self) -> None:
        """See the port."""
        consumer, self._consumer, self._places = self._consumer, None, {}
        if consumer is not None:
            consumer.close()

    def _client(self) -> Any:
        if self._consumer is None:
            self._errors = ClientErrors()
            properties = {**_PROPERTIES, "group.id": self._kafka.group}
            self._consumer = new_client(Consumer, self._kafka, self._errors, properties)
        return self._consumer

    def _assign(self, starts: Mapping[int, int]) -> None:
        self._client().assign(
            [TopicPartition(self._topic, p, at or OFFSET_BEGINNING) for p, at in starts.items()]
        )
        self._places = dict(starts)

    def _end(self, partition: int) -> int:
        place = TopicPartition(self._topic, partition)
        end: int = self._client().get_watermark_offsets(place, timeout=self._timeout_s)[1]
        return end

    def _unread(self, ends: Mapping[int, int]) -> frozenset[int]:
        return frozenset(p for p, end in ends.items() if self._places[p] < end)

    def _take(self, message: Any, entries: list[tuple[int, bytes | None, bytes | None]]) -> None:
        error, partition = message.error(), message.partition()
        if error is None:
            entries.append((partition, message.key(), message.value()))
            self._places[partition] = message.offset() + 1
        elif error.code() == KafkaError._PARTITION_EOF:
            # It stands behind markers of transactions too, which are no records.
            self._places[partition] = max(self._places[partition], message.offset())
        elif not error.retriable():
            raise KafkaException(error)

    def _retriable(self, what: str, exc: KafkaException) -> RetriableError:
        """A running worker waits, whatever it is; ``check`` says the same before it starts."""
        return RetriableError(str(translate(what, exc, self._errors, self._kafka)))
