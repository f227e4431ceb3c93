"""Where outcomes go: confluent-kafka's Producer as a Sink, in transactions.

Decides what each error of the producer means for the unit (reliability first: an unclear commit
is asked for again until it is clear, and the producer is then made anew, because a delayed
request of the old one could end a later transaction). Refuses to know what is delivered and when.
"""

from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt
import structlog
from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from stream_app import failpoints
from stream_app.adapters.kafka_config import producer_properties
from stream_app.adapters.kafka_errors import aborts, explain, fatal
from stream_app.adapters.output_routes import OutputRoutes
from stream_app.core.columns import OutputBatch
from stream_app.core.metrics import CLIENT_ERRORS, PRODUCER_REBUILDS
from stream_app.core.positions import GroupMembership, NextOffset
from stream_app.errors import AbortedError, FatalError, FencedError, RetriableError
from stream_app.ports import Clock, Telemetry, Watchdog
from stream_app.settings import Settings

log = structlog.get_logger(__name__)

_REBUILDS = 3
_REBUILD_WINDOW_S = 600.0
"""More rebuilds than this in this time: a twin is fencing us, and we would fence it back."""

_QUEUE_FULL_WAIT_S = 0.05
RETRY_WAIT_S = 0.2
_AFTER_ABORT = {KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT}
_NO_ROWS: npt.NDArray[np.intp] = np.empty(0, dtype=np.intp)


class KafkaSink:
    """What both ways of delivery share: the producer, its queue and its delivery reports."""

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
        self._failure: Any = None
        self._producer: Any = None
        self._routes = OutputRoutes(settings, clock)

    def open(self) -> None:
        """See the port."""
        properties = producer_properties(self._settings, self._transactional_id, self._on_error)
        # A unit needs to hear of failures only; each report costs about a microsecond.
        properties["delivery.report.only.error"] = True
        properties["on_delivery"] = self._delivered
        self._producer = Producer(properties)
        self._failure = None

    def begin(self) -> None:
        """See the port."""
        self._failure = None

    def deliver(self, outputs: OutputBatch) -> npt.NDArray[np.intp]:
        """See the port."""
        refused: list[int] = []
        produce = self._producer.produce
        topic = outputs.topic
        rows = self._routes.rows(self._producer, outputs)
        for position, (value, key, partition, timestamp_ms, headers) in enumerate(rows):
            while True:
                try:
                    produce(
                        topic,
                        value,
                        key,
                        partition=partition,
                        timestamp=timestamp_ms,
                        headers=headers,
                    )
                    break
                except BufferError:
                    with self._watchdog.limit("waiting for room to deliver", self._call_limit_s):
                        self._producer.poll(_QUEUE_FULL_WAIT_S)
                    self._raise_failure()
                except KafkaException as exc:
                    if exc.args[0].code() != KafkaError.MSG_SIZE_TOO_LARGE:
                        raise aborts("produce", exc.args[0]) from exc
                    # The library would commit without it: somebody else must hear of it.
                    refused.append(position)
                    break
        self._producer.poll(0)
        self._raise_failure()
        return np.array(refused, dtype=np.intp) if refused else _NO_ROWS

    @abstractmethod
    def abort(self) -> None:
        """See the port."""

    def close(self) -> None:
        """See the port."""
        producer, self._producer = self._producer, None
        if producer is not None:
            # A producer that was fenced raises from every call; there is nothing to save in it.
            with suppress(KafkaException):
                producer.purge()
                producer.poll(0)

    def _delivered(self, error: Any, message: Any) -> None:
        """Latch the first real failure; the unit fails when it is looked at next."""
        if error is None or error.code() in _AFTER_ABORT:
            return
        if self._failure is None:
            self._failure = error
            if error.code() == KafkaError.INVALID_TIMESTAMP:
                self._routes.distrust_timestamps()
            log.error("delivery_failed", topic=message.topic(), reason=explain("deliver", error))

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise aborts("deliver", self._failure)

    def _on_error(self, error: Any) -> None:
        self._telemetry.count(CLIENT_ERRORS, 1, error.name())
        log.warning("kafka_client_error", client="producer", reason=explain("connection", error))


class TransactionalSink(KafkaSink):
    """Outcomes and offsets in one Kafka transaction."""

    def __init__(
        self,
        settings: Settings,
        transactional_id: str,
        clock: Clock,
        telemetry: Telemetry,
        watchdog: Watchdog,
        waiting: Callable[[bool], None] = lambda _: None,
    ) -> None:
        """As the base; ``waiting`` is told while a commit or an abort waits for brokers."""
        super().__init__(settings, transactional_id, clock, telemetry, watchdog)
        self._waiting = waiting
        self._open = False
        self._unclear = False
        self._rebuilt_s: deque[float] = deque(maxlen=_REBUILDS)

    def open(self) -> None:
        """See the port."""
        super().open()
        # Until it is initialised it must not be used: a begin then makes it anew first.
        self._unclear = True
        try:
            with self._watchdog.limit("init_transactions", self._call_limit_s):
                self._producer.init_transactions(self._timeout_s)
        except KafkaException as exc:
            error = exc.args[0]
            if error.retriable():
                raise RetriableError(explain("init_transactions", error)) from exc
            raise fatal("init_transactions", error) from exc
        self._unclear = False

    def begin(self) -> None:
        """See the port."""
        if self._unclear:
            self._renew()
        super().begin()
        try:
            self._producer.begin_transaction()
        except KafkaException as exc:
            raise fatal("begin_transaction", exc.args[0]) from exc
        self._open = True
        failpoints.hit("after_begin")

    def commit(
        self, offsets: Mapping[int, NextOffset], membership: GroupMembership, deadline_s: float
    ) -> None:
        """See the port; what the broker alone knows is waited for past the deadline."""
        del deadline_s
        if not membership.is_member:
            raise AbortedError("no longer a member of the group: a commit would not be fenced")
        positions = [
            TopicPartition(self._settings.input.topic, p, o.offset, metadata=o.metadata)
            for p, o in offsets.items()
        ]
        failpoints.hit("after_deliver")
        # Not tried again: after a time-out the library was seen to hang in the second call, and
        # without an EndTxn request an abort is safe.
        if not self._answered(
            "send_offsets_to_transaction",
            lambda: self._producer.send_offsets_to_transaction(
                positions, membership.token, self._timeout_s
            ),
        ):
            raise AbortedError("send_offsets_to_transaction: no clear answer in time")
        failpoints.hit("after_send_offsets")
        failpoints.hit("before_commit")
        self._until_clear(
            "commit_transaction", lambda: self._producer.commit_transaction(self._timeout_s)
        )
        self._open = False
        self._routes.trust_timestamps()
        failpoints.hit("after_commit")

    def abort(self) -> None:
        """See the port."""
        if not self._open:
            return
        try:
            self._until_clear(
                "abort_transaction", lambda: self._producer.abort_transaction(self._timeout_s)
            )
        except AbortedError as exc:
            raise FencedError(
                f"the transaction can neither be committed nor aborted: {exc}"
            ) from exc
        finally:
            self._open = False

    def rebuild(self) -> None:
        """See the port."""
        now_s = self._clock.now_s()
        if len(self._rebuilt_s) == _REBUILDS and now_s - self._rebuilt_s[0] < _REBUILD_WINDOW_S:
            message = (
                f"fenced {_REBUILDS + 1} times in {_REBUILD_WINDOW_S:.0f} s: another worker uses "
                f"transactional id {self._transactional_id}; give each host its own "
                "worker.instance, or stop the other one"
            )
            raise FencedError(message)
        self._renew()
        self._rebuilt_s.append(now_s)

    def close(self) -> None:
        """See the port."""
        if self._producer is not None and self._open:
            try:
                self.abort()
            except (FencedError, FatalError) as exc:
                log.warning("abort_at_close_failed", reason=str(exc))
        super().close()

    def _renew(self) -> None:
        """A new producer with the same id: its epoch ends whatever the old one left under way."""
        self._telemetry.count(PRODUCER_REBUILDS)
        log.warning("producer_rebuilt", transactional_id=self._transactional_id)
        self._open = False
        super().close()
        self.open()

    def _until_clear(self, what: str, call: Callable[[], None]) -> None:
        """Call until it answers yes or no; the same call again after an unclear answer.

        That may take as long as the brokers are away: each call is bounded, the whole is not.
        """
        try:
            while not self._answered(what, call):
                self._waiting(True)
                self._watchdog.tick()
                self._producer.poll(RETRY_WAIT_S)
        finally:
            self._waiting(False)

    def _answered(self, what: str, call: Callable[[], None]) -> bool:
        try:
            with self._watchdog.limit(what, self._call_limit_s):
                call()
        except KafkaException as exc:
            error = exc.args[0]
            if error.fatal() or error.txn_requires_abort() or not error.retriable():
                raise aborts(what, error) from exc
            # A request of it may still be on its way, and must not meet a later transaction.
            self._unclear = True
            log.warning("unclear", call=what, reason=explain(what, error))
            return False
        return True
