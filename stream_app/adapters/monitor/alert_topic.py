"""The alerts topic, read: all of it at the start, and record by record for the webhook.

Decides where the webhook's reading begins. Its group's offsets say what was delivered; a group that
has none begins at the end, for who sets a webhook up does not want the alerts of last year.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import structlog
from confluent_kafka import OFFSET_INVALID, Consumer, KafkaException, TopicPartition

from stream_app.adapters.drift.alert_codec import AlertCodec
from stream_app.adapters.kafka.admin import ClientErrors, new_client, translate
from stream_app.adapters.kafka.changelog import KafkaChangelog
from stream_app.core.drift.alerts import Alert
from stream_app.errors import RetriableError
from stream_app.ports import Clock
from stream_app.ports_drift import Unreadable
from stream_app.ports_monitor import PlacedAlert
from stream_app.settings import Settings

log = structlog.get_logger(__name__)

_WITHIN_S: Final = 1.0
_KEEP_ALIVE_S: Final = 3_600.0
"""Brokers forget offsets of a group without members after a week."""

_MOST: Final = 100


def read_published(settings: Settings, partitions: Iterable[int]) -> Iterator[Alert]:
    """All alerts that are in these partitions; blocks until their ends as of now.

    Raises:
        RetriableError: not now.
    """
    kafka = settings.kafka.model_copy(update={"group": settings.monitor_group})
    reader = KafkaChangelog(settings.model_copy(update={"kafka": kafka}), settings.alerts_topic)
    codec, places = AlertCodec(), dict.fromkeys(partitions, 0)
    try:
        while True:
            piece = reader.read(places, _WITHIN_S)
            places = dict(piece.next_offsets)
            for _, _, value in piece.entries:
                found = codec.decode(value)
                if isinstance(found, Alert):
                    yield found
                elif value is not None:
                    log.warning("alert_unreadable", code=found.fault.name, reason=found.detail)
            if piece.ended == places.keys():
                return
    finally:
        reader.rest()


class AlertFeedReader:
    """See :class:`~stream_app.ports_monitor.AlertFeed`."""

    def __init__(self, settings: Settings, group: str, partitions: int, clock: Clock) -> None:
        self._settings = settings
        self._kafka = settings.kafka.model_copy(update={"group": group})
        self._topic = settings.alerts_topic
        self._partitions = partitions
        self._clock = clock
        self._codec = AlertCodec()
        self._errors = ClientErrors()
        self._consumer: Any = None
        self._done: dict[int, int] = {}
        self._committed_s = 0.0

    def begin(self) -> None:
        """Fix where the reading begins; what is written after that is read, whenever.

        Raises:
            RetriableError: not now.
        """
        try:
            self._open()
        except KafkaException as exc:
            self.close()
            raise self._retriable("beginning to read", exc) from exc

    def read(self, within_s: float) -> Sequence[PlacedAlert]:
        """See the port."""
        if self._consumer is None:
            self.begin()
        try:
            if self._clock.now_s() - self._committed_s > _KEEP_ALIVE_S:
                self._commit()
            messages = self._consumer.consume(_MOST, within_s)
        except KafkaException as exc:
            self.close()
            raise self._retriable("reading", exc) from exc
        return [
            PlacedAlert(m.partition(), m.offset(), self._codec.decode(m.value()))
            for m in messages
            if m.error() is None and m.value() is not None
        ]

    def delivered(self, until: PlacedAlert) -> None:
        """See the port."""
        self._done[until.partition] = until.offset + 1
        try:
            self._commit()
        except KafkaException as exc:
            raise self._retriable("saying what was delivered", exc) from exc

    def history(self, until: PlacedAlert) -> Sequence[Alert]:
        """See the port: the partition is read from its start, which is seldom asked for."""
        last = until.alert
        if isinstance(last, Unreadable):
            return ()
        found = read_published(self._settings, [until.partition])
        return [each for each in found if each.id == last.id and each.sequence <= last.sequence]

    def close(self) -> None:
        """See the port; what was read and not delivered is read again."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close()

    def _open(self) -> None:
        self._errors = ClientErrors()
        properties = {
            "group.id": self._kafka.group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
        }
        self._consumer = new_client(Consumer, self._kafka, self._errors, properties)
        timeout_s = self._kafka.request_timeout_s
        places = [TopicPartition(self._topic, p) for p in range(self._partitions)]
        known = self._consumer.committed(places, timeout=timeout_s)
        for place in known:
            if place.error is not None:
                raise KafkaException(place.error)
            if place.offset == OFFSET_INVALID:
                place.offset = self._consumer.get_watermark_offsets(place, timeout=timeout_s)[1]
        self._done = {place.partition: place.offset for place in known}
        self._consumer.assign(known)
        self._commit()

    def _commit(self) -> None:
        places = [TopicPartition(self._topic, p, offset) for p, offset in self._done.items()]
        self._consumer.commit(offsets=places, asynchronous=False)
        self._committed_s = self._clock.now_s()

    def _retriable(self, what: str, exc: KafkaException) -> RetriableError:
        fault = translate(f"{what} {self._topic!r}", exc, self._errors, self._kafka)
        return RetriableError(str(fault))
