"""Outcomes and offsets in one Kafka transaction.

Decides what each error of the producer means for the transaction. Reliability first: an unclear
commit is asked for again until it is clear, and the producer is then made anew, because a delayed
request of the old one could end a later transaction; likewise after the coordinator was lost, when
the library may have asked again without a word. Refuses to know what is delivered and when.
"""

from collections.abc import Callable, Mapping
from typing import Any

import structlog
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from stream_app import failpoints
from stream_app.adapters.kafka.config import Properties
from stream_app.adapters.kafka.coordinator_log import INFO, CoordinatorLog
from stream_app.adapters.kafka.errors import explain, fatal
from stream_app.adapters.kafka.rights import write_transaction
from stream_app.adapters.kafka.sink import KafkaSink
from stream_app.adapters.kafka.spare_thread import SpareThread
from stream_app.core.positions import GroupMembership, NextOffset
from stream_app.errors import (
    AbortedError,
    DeniedError,
    FatalError,
    FencedError,
    RetriableError,
    StreamAppError,
)
from stream_app.ports import Clock, Telemetry, Watchdog
from stream_app.settings import Settings

log = structlog.get_logger(__name__)

_SEND_OFFSETS = "send_offsets_to_transaction"
_RETRY_WAIT_S = 0.2


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
        rotated: Callable[[], bool] = lambda: False,
    ) -> None:
        """As the base.

        Args:
            settings: Of the worker.
            transactional_id: Ours alone.
            clock: For deadlines.
            telemetry: For counts.
            watchdog: For calls that ignore their time-out.
            waiting: Is told while a commit or an abort waits for brokers.
            rotated: Whether there are new credentials, which only a new producer would use.
        """
        super().__init__(settings, transactional_id, clock, telemetry, watchdog)
        self._waiting = waiting
        self._rotated = rotated
        self._denied_since_s: float | None = None
        self._open = False
        self._unclear = False
        self._given_up = False
        self._coordinator = CoordinatorLog()
        self._offsets_thread = SpareThread("send-offsets")
        self._suspicion = (
            f"another worker uses transactional id {transactional_id}, and each fences the "
            "other; give each host its own worker.instance, or stop the other one"
        )

    def open(self) -> None:
        """See the port."""
        # Until there is one that is initialised, a begin makes it anew first.
        self._unclear = True
        self._coordinator = CoordinatorLog()
        super().open()
        try:
            with self._watchdog.limit("init_transactions", self._call_limit_s):
                self._producer.init_transactions(self._timeout_s)
        except KafkaException as exc:
            error = exc.args[0]
            if error.retriable():
                raise RetriableError(explain("init_transactions", error)) from exc
            if error.code() == KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
                raise self._denied(error) from exc
            raise fatal("init_transactions", error) from exc
        self._unclear = False
        self._denied_since_s = None

    def _denied(self, error: Any) -> StreamAppError:
        """Not now, for as long as the right may come back; then never."""
        now_s = self._clock.now_s()
        since_s = self._denied_since_s = self._denied_since_s or now_s
        patience_s = self._settings.worker.denied_patience_s
        reason = explain("init_transactions", error, write_transaction(self._settings))
        if now_s - since_s > patience_s:
            return FatalError(f"{reason}; waited for worker.denied_patience_s = {patience_s:g} s")
        return DeniedError(reason)

    def begin(self) -> None:
        """See the port."""
        if self._producer is not None:
            self._poll(0)  # brings the lines of the library's log
        if self._unclear or self._coordinator.lost:
            self._renew()
        super().begin()
        try:
            self._producer.begin_transaction()
        except KafkaException as exc:
            error = exc.args[0]
            right = self._missing_right(error)
            raise fatal("begin_transaction", error, right) from exc
        self._open = True
        failpoints.hit("after_begin")

    def commit(
        self, offsets: Mapping[int, NextOffset], membership: GroupMembership, deadline_s: float
    ) -> None:
        """See the port."""
        if not membership.is_member:
            raise AbortedError("no longer a member of the group: a commit would not be fenced")
        positions = [
            TopicPartition(self._settings.input.topic, p, o.offset, metadata=o.metadata)
            for p, o in offsets.items()
        ]
        failpoints.hit("after_deliver")
        self._flush(deadline_s)
        # Not tried again: without an EndTxn request an abort is safe, and sooner done.
        if not self._answered(
            _SEND_OFFSETS,
            lambda: self._send_offsets(self._producer, positions, membership),
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

    def close(self) -> None:
        """See the port."""
        if self._producer is not None and self._open:
            try:
                self.abort()
            except (FencedError, FatalError) as exc:
                log.warning("abort_at_close_failed", reason=str(exc))
        super().close()
        self._offsets_thread.close()

    def rebuild(self) -> None:
        """See the port; a producer that we gave up ourselves is no sign of a twin."""
        if self._given_up:
            self._renew()
            self._given_up = False
        else:
            super().rebuild()

    def _is_stuck(self) -> bool:
        return self._given_up

    def _properties(self) -> Properties:
        return super()._properties() | {"logger": self._coordinator, "log_level": INFO}

    def _renew(self) -> None:
        """A new producer with the same id: its epoch ends whatever the old one left under way."""
        self._open = False
        super()._renew()

    def _send_offsets(
        self, producer: Any, positions: list[Any], membership: GroupMembership
    ) -> None:
        """The one call that ignores its time-out, and was seen to hang after a broker's restart.

        So it has a thread of its own: one that hangs is left behind with its producer, which the
        next one with the same id fences.
        """
        timeout_s = self._timeout_s
        try:
            self._offsets_thread.call(
                lambda: producer.send_offsets_to_transaction(
                    positions, membership.token, timeout_s
                ),
                2 * timeout_s,
            )
        except TimeoutError as exc:
            raise self._give_up("send_offsets_to_transaction hangs") from exc

    def _give_up(self, reason: str) -> FencedError:
        """A new producer takes this one's place: its epoch settles what the old one left open."""
        self._given_up = True
        return FencedError(f"{reason}; a new producer takes its place")

    def _until_clear(self, what: str, call: Callable[[], None]) -> None:
        """Call until it answers yes or no; the same call again after an unclear answer.

        Past the transaction's own time-out asking helps no more: the broker has ended it, or this
        producer does not reach its coordinator, as was seen for a minute and a half after a
        broker's restart. What became of it a new producer settles and the committed offsets tell.
        """
        limit_s = self._settings.kafka.transaction_timeout_s
        give_up_s: float | None = None
        try:
            while not self._answered(what, call):
                self._waiting(True)
                self._watchdog.tick()
                now_s = self._clock.now_s()
                give_up_s = give_up_s or now_s + limit_s
                if self._rotated():
                    raise self._give_up(f"{what}: only a new producer has the new credentials")
                if now_s >= give_up_s:
                    raise self._give_up(
                        f"{what}: no clear answer for kafka.transaction_timeout_s = {limit_s:g} s"
                    )
                self._poll(_RETRY_WAIT_S)
        finally:
            self._waiting(False)

    def _answered(self, what: str, call: Callable[[], None]) -> bool:
        try:
            with self._watchdog.limit(what, self._call_limit_s):
                call()
        except KafkaException as exc:
            error = exc.args[0]
            if error.fatal() or error.txn_requires_abort() or not error.retriable():
                of_input = self._settings.input.topic if what == _SEND_OFFSETS else ""
                raise self._failed(what, error, of_input) from exc
            # A request of it may still be on its way, and must not meet a later transaction.
            self._unclear = True
            log.warning("unclear", call=what, reason=explain(what, error))
            return False
        return True
