"""The input topic, read by a member of a consumer group: confluent-kafka's Consumer as a Source.

Decides which fetched rows still count after a rebalance, and that where to read without a valid
offset is chosen with nothing open. Refuses to commit: that is the sink's, or
:meth:`KafkaSource.commit`, which the at-least-once sink calls.
"""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
import structlog
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from stream_app import failpoints
from stream_app.adapters.kafka.assignment import Assignment
from stream_app.adapters.kafka.clients import new_consumer
from stream_app.adapters.kafka.columns import to_columns
from stream_app.adapters.kafka.config import consumer_properties
from stream_app.adapters.kafka.damage import DAMAGED, damaged
from stream_app.adapters.kafka.denial import Denial
from stream_app.adapters.kafka.error_log import ErrorLog
from stream_app.adapters.kafka.group_offsets import commit_offsets, committed_offsets
from stream_app.adapters.kafka.lag import Lag
from stream_app.adapters.kafka.membership import membership_of
from stream_app.adapters.kafka.place import Unplaced, move
from stream_app.adapters.kafka.public_client import Fetched, NoRecord
from stream_app.adapters.kafka.pulse import Pulse
from stream_app.adapters.kafka.stalled_input import StalledInput
from stream_app.adapters.kafka.start_policy import StartPolicy
from stream_app.adapters.kafka.topic_identity import TopicIdentity
from stream_app.core.columns import RecordBatch
from stream_app.core.metrics import CLIENT_ERRORS, RECORDS_FETCHED, RECORDS_STALE
from stream_app.core.positions import GroupMembership, NextOffset
from stream_app.errors import ConfigError, RetriableError
from stream_app.ports import Clock, RebalanceListener, Telemetry, Watchdog
from stream_app.settings import Settings

log = structlog.get_logger(__name__)

_ASK_AGAIN_S = 0.5
"""Some refusals, of a topic that does not exist, come at once; not to be asked in a tight loop."""


class KafkaSource:
    """See :class:`~stream_app.ports.Source`."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        telemetry: Telemetry,
        watchdog: Watchdog,
        tell_denied: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Make the client; ``tell_denied`` hears which right is missing, and "" when it is back."""
        self._settings = settings
        self._denial = Denial(settings, clock, tell_denied)
        self._topic = settings.input.topic
        self._nothing = to_columns(self._topic, [])
        self._timeout_s = settings.kafka.request_timeout_s
        self._clock = clock
        self._telemetry = telemetry
        self._watchdog = watchdog
        self._errors = ErrorLog("consumer", telemetry)
        self._identity = TopicIdentity(settings, clock)
        self._pulse = Pulse(settings, clock)
        self._assignment = Assignment(self._forget)
        self._take(self._new_client())
        self._paused = False
        self._closed = False

    # -- the port ---------------------------------------------------------------------------

    def open(self, listener: RebalanceListener) -> None:
        """See the port; a new group's start is written down before it is joined."""
        try:
            self._identity.learn()
            self._start.prepare()
        except RetriableError:
            time.sleep(_ASK_AGAIN_S)
            raise
        self._assignment.listener = listener
        self._subscribe()

    def fetch(self, max_records: int, wait_s: float) -> RecordBatch:
        """See the port."""
        self._identity.check()
        if not self._paused:
            self._stalled.look(self._assignment.ours)
        if self._denial.client_is_over():
            self._denial.sit_out(wait_s)
            return self._nothing
        self._pulse.feel(self._consumer)
        self._unplaced.place(paused=self._paused)
        records = self._current(self._brought(max_records, wait_s))
        if self._denial.client_is_over():
            # It gives its partitions up without a word, and will take no offset or commit.
            records = self._nothing
            self._assignment.lose_all()
            self._assignment.raise_stored()
        if len(records):
            self._denial.records()
            self._pulse.heard()
        self._denial.end_if_too_long()
        self._telemetry.count(RECORDS_FETCHED, len(records))
        if self._paused and len(records):
            self.seek(records.first_offsets())
            return self._nothing
        return records

    def assignment(self) -> frozenset[int]:
        """See the port."""
        return self._assignment.ours

    @property
    def topic_id(self) -> str:
        """See the port."""
        return self._identity.topic_id

    def membership(self) -> GroupMembership:
        """See the port."""
        return membership_of(self._consumer.consumer_group_metadata())

    def seek(self, offsets: Mapping[int, int]) -> None:
        """See the port."""
        for partition, offset in offsets.items():
            if partition not in self._assignment.ours:
                continue
            target = TopicPartition(self._topic, partition, offset)
            move(self._consumer, target, paused=self._paused)

    def rewind(self, fallback: Mapping[int, int]) -> None:
        """See the port."""
        wanted = [partition for partition in fallback if partition in self._assignment.ours]
        if not wanted:
            return
        try:
            found = committed_offsets(self._consumer, self._topic, wanted, self._timeout_s)
        except KafkaException as exc:
            raise self._denial.of_question("reading committed offsets", exc.args[0]) from exc
        self._denial.answered()
        self.seek({p: offset if offset >= 0 else fallback[p] for p, offset in found.items()})

    def pause(self) -> None:
        """See the port."""
        if not self._paused:
            self._paused = True
            self._consumer.pause(self._partitions(self._assignment.ours))

    def resume(self) -> None:
        """See the port."""
        if self._paused:
            self._paused = False
            self._consumer.resume(self._partitions(self._assignment.ours))

    def drained(self) -> Mapping[int, int]:
        """See the port."""
        return self._lag.drained(self._assignment.ours)

    def lag(self) -> Mapping[int, int]:
        """See the port."""
        return self._lag.of(self._assignment.ours)

    @property
    def needs_renewal(self) -> bool:
        """See the port."""
        return self._denial.new_client_is_due or self._pulse.is_gone

    def renew(self) -> None:
        """See the port; if no new client can be made, the old one stays."""
        try:
            fresh = self._new_client()
        except ConfigError as exc:
            # A credential file is being written at this moment.
            raise RetriableError(str(exc)) from exc
        with self._watchdog.limit("leaving the group", self._settings.worker.call_limit_s):
            self._consumer.close()
        self._assignment.lose_all()
        self._denial.client_is_new()
        self._pulse.heard()
        self._take(fresh)
        self._subscribe()
        self._assignment.raise_stored()

    def close(self) -> None:
        """See the port."""
        if not self._closed:
            self._closed = True
            self._consumer.close()
            self._assignment.raise_stored()

    def commit(self, offsets: Mapping[int, NextOffset]) -> None:
        """Without a transaction, for delivery at least once; see :func:`commit_offsets`."""
        commit_offsets(self._consumer, self._topic, offsets)

    # -- the client ------------------------------------------------------------------------

    def _new_client(self) -> Any:
        properties = consumer_properties(self._settings, self._errors)
        return new_consumer(properties, self._settings.kafka)

    def _take(self, consumer: Any) -> None:
        self._consumer = consumer
        self._start = StartPolicy(self._settings, consumer, self._identity, self._telemetry)
        self._unplaced = Unplaced(consumer, self._start, self._assignment, self._clock)
        self._lag = Lag(consumer, self._topic)
        after_s = self._settings.input.stalled_after_s
        self._stalled = StalledInput(consumer, self._topic, after_s, self._clock, self._telemetry)

    def _subscribe(self) -> None:
        self._consumer.subscribe(
            [self._topic],
            on_assign=self._on_assign,
            on_revoke=partial(self._release, "revoked"),
            on_lost=partial(self._release, "lost"),
        )

    # -- fetching ---------------------------------------------------------------------------

    def _brought(self, max_records: int, wait_s: float) -> Fetched:
        try:
            fetched: Fetched = self._consumer.fetch(self._topic, max_records, wait_s, self._holding)
        except KafkaException as exc:
            self._denial.client_over(exc.args[0])
            return Fetched(self._nothing, 0)
        return fetched

    def _holding(self) -> None:
        """Between the first record and the rest."""
        failpoints.hit("mid_fetch")
        self._assignment.watch()

    def _current(self, fetched: Fetched) -> RecordBatch:
        """The records that are of partitions of ours; errors are acted on.

        What was held while the rest brought a rebalance of its partition belongs to the owner
        before. Brokers check that a committer is a member, not that it owns the partition, so
        nobody else would notice.
        """
        # A rebalance in this fetch failed to commit: nothing of it may count.
        self._assignment.raise_stored()
        for each in fetched.errors:
            self._note(each, self._assignment.unchanged if each.held else self._assignment.ours)
        records = fetched.records
        kept = self._assignment.are_ours(records.partition)
        for row in range(fetched.held):
            kept[row] &= int(records.partition[row]) in self._assignment.unchanged
        if kept.all():
            return records
        self._telemetry.count(RECORDS_STALE, len(records) - int(kept.sum()))
        return records.take(np.flatnonzero(kept))

    def _note(self, place: NoRecord, ours: frozenset[int]) -> None:
        """Act on an error that came in place of a record."""
        error = place.error
        code = error.code()
        self._telemetry.count(CLIENT_ERRORS, 1, error.name())
        if error.fatal() or code == KafkaError._FATAL:
            self._denial.client_over(error)
        elif code == KafkaError._AUTO_OFFSET_RESET:
            # Of a partition that has gone meanwhile, it is its next owner's to answer.
            if place.partition in ours:
                self._unplaced.add(place.partition)
        elif code in DAMAGED and place.partition in ours:
            raise damaged(place)
        elif self._denial.is_of(error):
            self._denial.note(error)
        else:
            if code == KafkaError.UNKNOWN_TOPIC_OR_PART:
                self._identity.suspect()
            log.warning("consumer_error", code=error.name(), reason=error.str())

    def _partitions(self, numbers: Iterable[int]) -> list[Any]:
        return [TopicPartition(self._topic, number) for number in sorted(numbers)]

    # -- callbacks: on the loop's thread, inside consume and close ----------------------------

    def _on_assign(self, consumer: Any, partitions: list[Any]) -> None:
        numbers = [tp.partition for tp in partitions]
        consumer.incremental_assign(partitions)
        if partitions:
            # The client keeps a pause beyond the assignment: a partition that went while we were
            # paused, and came back after, would never be fetched.
            (consumer.pause if self._paused else consumer.resume)(partitions)
        self._denial.assigned()
        self._assignment.came(numbers)

    def _release(self, event: str, consumer: Any, partitions: list[Any]) -> None:
        numbers = [tp.partition for tp in partitions]
        self._assignment.go(event, numbers)
        self._unplaced.forget(numbers)
        consumer.incremental_unassign(partitions)

    def _forget(self, numbers: Collection[int]) -> None:
        self._lag.forget(numbers)
        self._stalled.forget(numbers)
