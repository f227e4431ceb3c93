"""Handing over to confluent-kafka's Producer: what both ways of delivery share.

Decides what becomes of a full queue, of a record too large, and of a delivery that failed later:
the first failure is kept and fails the unit. And how often a producer that is over is made
anew. Refuses to know how a unit is committed (``kafka/transactional_sink.py``,
``kafka/at_least_once_sink.py``).
"""

from abc import abstractmethod
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt
import structlog
from confluent_kafka import KafkaError, KafkaException

from stream_app.adapters.kafka.clients import new_producer
from stream_app.adapters.kafka.config import Properties, producer_properties
from stream_app.adapters.kafka.error_log import ErrorLog
from stream_app.adapters.kafka.errors import aborts
from stream_app.adapters.kafka.missing_topics import missing_topic
from stream_app.adapters.kafka.output_routes import OutputRoutes
from stream_app.adapters.kafka.public_client import FLUSH_SLICE_S
from stream_app.adapters.kafka.rights import missing_right, on_topic
from stream_app.core.columns import OutputBatch
from stream_app.core.metrics import PRODUCER_REBUILDS
from stream_app.errors import (
    AbortedError,
    ConfigError,
    FencedError,
    RetriableError,
    StreamAppError,
)
from stream_app.ports import Clock, Telemetry, Watchdog
from stream_app.settings import Settings

log = structlog.get_logger(__name__)

_REBUILDS = 3
_REBUILD_WINDOW_S = 600.0
"""More rebuilds than this in this time: a new producer does not help."""

_QUEUE_FULL_WAIT_S = 0.05
_AFTER_ABORT = {KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT}
_NO_ROWS: npt.NDArray[np.intp] = np.empty(0, dtype=np.intp)


class KafkaSink:
    """What both ways of delivery share: the producer, its queue and its delivery reports."""

    _suspicion: str
    """Why a producer may be over again and again, and what to do then."""

    def __init__(
        self,
        settings: Settings,
        transactional_id: str,
        clock: Clock,
        telemetry: Telemetry,
        watchdog: Watchdog,
    ) -> None:
        self._settings = settings
        self._transactional_id = transactional_id
        self._timeout_s = settings.kafka.request_timeout_s
        self._call_limit_s = settings.worker.call_limit_s
        self._clock = clock
        self._telemetry = telemetry
        self._watchdog = watchdog
        self._errors = ErrorLog("producer", telemetry)
        self._failure: StreamAppError | None = None
        self._producer: Any = None
        self._rebuilt_s: deque[float] = deque(maxlen=_REBUILDS)
        self._routes = OutputRoutes(settings, clock)

    def open(self) -> None:
        """See the port."""
        properties = self._properties()
        # A unit needs to hear of failures only; each report costs about a microsecond.
        properties["delivery.report.only.error"] = True
        properties["on_delivery"] = self._delivered
        self._producer = new_producer(properties, self._settings.kafka)
        self._failure = None

    def begin(self) -> None:
        """See the port."""
        self._failure = None

    def deliver(self, outputs: OutputBatch) -> npt.NDArray[np.intp]:
        """See the port."""
        routed = self._routes.routed(self._producer, outputs)
        refused: list[int] = []
        sent = self._producer.send(routed, 0)
        while sent.error is not None:
            begin = sent.position
            match sent.error.code():
                case KafkaError._QUEUE_FULL:
                    with self._watchdog.limit("waiting for room to deliver", self._call_limit_s):
                        self._poll(_QUEUE_FULL_WAIT_S)
                    self._raise_failure()
                case KafkaError.MSG_SIZE_TOO_LARGE:
                    # The library would commit without it: somebody else must hear of it.
                    refused.append(begin)
                    begin += 1
                case _:
                    raise self._failed("produce", sent.error, outputs.topic)
            sent = self._producer.send(routed, begin)
        self._poll(0)
        self._raise_failure()
        return np.array(refused, dtype=np.intp) if refused else _NO_ROWS

    def _properties(self) -> Properties:
        return producer_properties(self._settings, self._transactional_id, self._errors)

    @abstractmethod
    def abort(self) -> None:
        """See the port."""

    def rebuild(self) -> None:
        """See the port."""
        now_s = self._clock.now_s()
        if len(self._rebuilt_s) == _REBUILDS and now_s - self._rebuilt_s[0] < _REBUILD_WINDOW_S:
            times = f"{_REBUILDS + 1} times in {_REBUILD_WINDOW_S:.0f} s"
            raise FencedError(f"the producer was over {times}: {self._suspicion}")
        self._renew()
        self._rebuilt_s.append(now_s)

    def renew(self) -> None:
        """See the port."""
        self._renew()

    def close(self) -> None:
        """See the port."""
        self._drop()

    def _drop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with self._watchdog.limit("ending a producer", self._call_limit_s):
                # One that was fenced raises from every call; there is nothing to save in it.
                with suppress(KafkaException):
                    producer.purge()
                    producer.poll(0)
                if not self._is_stuck():
                    producer.end()

    def _is_stuck(self) -> bool:
        """Whether a call of the producer may never come back, on a thread that then ends it."""
        return False

    def _renew(self) -> None:
        self._telemetry.count(PRODUCER_REBUILDS)
        log.warning("producer_rebuilt", transactional_id=self._transactional_id)
        self._drop()
        try:
            self.open()
        except ConfigError as exc:
            # A credential file is being written at this moment.
            raise RetriableError(str(exc)) from exc

    def _flush(self, deadline_s: float) -> None:
        """Wait until everything handed over is delivered, or the deadline has come.

        Raises:
            AbortedError: it has not been, or could not be.
        """
        while self._serve(lambda: self._producer.flush(FLUSH_SLICE_S)):
            self._watchdog.tick()
            self._raise_failure()
            if self._clock.now_s() >= deadline_s:
                raise AbortedError("not all outcomes were delivered in time")
        self._raise_failure()

    def _poll(self, wait_s: float) -> None:
        self._serve(lambda: self._producer.poll(wait_s))

    def _serve(self, call: Callable[[], int]) -> int:
        """Make a call that serves the client's callbacks; a fatal error is raised from these."""
        try:
            return call()
        except KafkaException as exc:
            raise self._failed("deliver", exc.args[0]) from exc

    def _delivered(self, error: Any, message: Any) -> None:
        """Latch the first real failure; the unit fails when it is looked at next."""
        if error is None or error.code() in _AFTER_ABORT:
            return
        if self._failure is None:
            self._failure = self._failed("deliver", error, message.topic())
            if error.code() == KafkaError.INVALID_TIMESTAMP:
                self._routes.distrust_timestamps()
            log.error("delivery_failed", topic=message.topic(), reason=str(self._failure))

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _failed(self, what: str, error: Any, topic: str = "") -> StreamAppError:
        """Our error, with the name of the right that is missing if it is about one."""
        return aborts(what, error, self._missing_right(error, topic))

    def _missing_right(self, error: Any, topic: str = "") -> str | None:
        settings = self._settings
        absent = missing_topic(settings, error.code(), [topic] if topic else [])
        if absent is not None:
            return absent
        topics = [topic] if topic else [settings.predictions_topic, settings.dlq_topic]
        return missing_right(
            settings, error.code(), lambda: "; or ".join(on_topic(settings, t) for t in topics)
        )
