"""The exactly-once loop: fetch, process, deliver, commit; and what rebalances and aborts change.

One thread, one consumer, one producer. A *unit* (a transaction, when delivery is exactly once)
holds the outcomes of several micro-batches and their input offsets. The loop decides when a unit
begins and ends, and after trouble where to read again. It refuses to know what a record means:
that is the processor's.

The law: a position never advances before its outcome is committed. Hence
  * offsets come from rows really delivered, never from the consumer's position;
  * a revoked partition's rows are committed before it goes, or undone; a lost one's are undone;
  * after an undone unit its partitions are read again from the *committed* offsets, and rows
    fetched meanwhile are dropped;
  * while that is impossible (no broker, no registry) the loop pauses and keeps fetching nothing,
    so that the group sees a live member.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import structlog

from stream_app import failpoints
from stream_app.core.batching import BatchBound, CommitPace, TransactionPolicy
from stream_app.core.columns import NO_TIMESTAMP, RecordBatch
from stream_app.core.metrics import (
    ASSIGNED_PARTITIONS,
    BATCH_BOUND_RECORDS,
    COMMIT_SECONDS,
    CONSUMER_LAG,
    END_TO_END_SECONDS,
    REBALANCES,
    STEP_SECONDS,
    TRANSACTIONS,
)
from stream_app.errors import AbortedError, FatalError, FencedError, RetriableError
from stream_app.health import WorkerHealth
from stream_app.ports import (
    Clock,
    GroupMembership,
    NextOffset,
    Processor,
    Sink,
    Source,
    Telemetry,
    Watchdog,
)

log = structlog.get_logger(__name__)

_IDLE_WAIT_S = 0.2
"""Of a fetch with nothing open. Short, because signals are served between fetches."""

_LAG_EVERY_S = 1.0
_BACKOFF_FIRST_S = 0.1
_BACKOFF_LAST_S = 5.0
_PERMANENT_ABORTS = 5
"""Aborts in a row, for a reason that does not heal by itself, before the loop gives up."""


@dataclass(frozen=True, slots=True)
class LoopConfig:
    """How the loop behaves.

    Attributes:
        policy: When a unit is due.
        batch: The micro-batch bound to start with.
        commit_budget_s: How long a unit may try to commit before it is undone; in a revocation the
            whole group waits for it.
        drain_budget_s: How long the last unit may take to commit at the end.
    """

    policy: TransactionPolicy
    batch: BatchBound
    commit_budget_s: float
    drain_budget_s: float


@dataclass(slots=True)
class _Unit:
    """What is open: its rows' first and next offsets by partition, and who began it."""

    begun_s: float
    membership: GroupMembership
    records: int = 0
    first: dict[int, int] = field(default_factory=dict)
    next: dict[int, int] = field(default_factory=dict)
    oldest_ms: int | None = None


class Loop:
    """See the module. ``run`` returns when told to stop, and raises what ends the process."""

    def __init__(
        self,
        config: LoopConfig,
        source: Source,
        sink: Sink,
        processor: Processor,
        clock: Clock,
        telemetry: Telemetry,
        watchdog: Watchdog,
        health: WorkerHealth,
    ) -> None:
        self._config = config
        self._source = source
        self._sink = sink
        self._processor = processor
        self._clock = clock
        self._telemetry = telemetry
        self._watchdog = watchdog
        self._health = health
        self._unit: _Unit | None = None
        self._bound = config.batch
        self._pace = CommitPace()
        self._rewind: dict[int, int] = {}
        self._restoring: set[int] = set()
        self._rebuild = False
        self._retry_at_s: float | None = None
        self._backoff_s = _BACKOFF_FIRST_S
        self._permanent_aborts = 0
        self._lag_at_s = 0.0

    def run(self, stop: Callable[[], bool]) -> None:
        """Turn until ``stop()``; then commit what is open and leave the group.

        Raises:
            FatalError: the process must end; what was open is undone, now or by the broker.
        """
        try:
            self._connect(stop)
            while not stop():
                self.turn()
            self._drain()
        finally:
            self._close()

    def turn(self) -> None:
        """One round: recover if something is to be recovered, fetch, process, commit if due."""
        now_s = self._clock.now_s()
        self._watchdog.tick()
        self._health.tick(now_s)
        self._recover(now_s)
        records = self._fetch(now_s)
        if len(records):
            self._advance(records)
        self._commit_if_due(drained=not len(records))
        self._report_lag(now_s)

    # -- the path -----------------------------------------------------------------------------

    def _fetch(self, now_s: float) -> RecordBatch:
        wait_s = _IDLE_WAIT_S
        if self._unit is not None:
            wait_s = min(wait_s, self._config.policy.wait_s(self._unit.begun_s, self._pace, now_s))
        records = self._source.fetch(self._bound.records, wait_s)
        fetched_s = self._clock.now_s()
        if len(records):
            self._telemetry.observe(STEP_SECONDS, fetched_s - now_s, "fetch")
        if self._restoring and not self._processor.restore(sorted(self._restoring)):
            self._wait("restoring state")
        elif self._restoring:
            self._restoring.clear()
        return self._current(records)

    def _current(self, records: RecordBatch) -> RecordBatch:
        """Leave out rows that will come again: their partition is to be rewound or restored."""
        unwanted = self._rewind.keys() | self._restoring
        if not len(records) or not unwanted:
            return records
        kept = ~np.isin(records.partition, list(unwanted))
        dropped = records.take(np.flatnonzero(~kept))
        for partition, offset in dropped.first_offsets().items():
            if partition not in self._rewind:
                self._source.seek({partition: offset})
        return records.take(np.flatnonzero(kept))

    def _advance(self, records: RecordBatch) -> None:
        started_s = self._clock.now_s()
        try:
            failpoints.hit("before_process")
            outputs = self._processor.process(records)
        except RetriableError as exc:
            self._put_back(records, exc)
            return
        try:
            unit = self._unit or self._begin()
            for partition, offset in records.first_offsets().items():
                unit.first.setdefault(partition, offset)
            for batch in outputs:
                refused = self._sink.deliver(batch)
                if len(refused):
                    letters = self._processor.redirect(records, batch, refused)
                    if len(self._sink.deliver(letters)):
                        raise FatalError(
                            f"{letters.topic} refuses a dead letter already cut to fit; raise "
                            "output.max_record_bytes"
                        )
                failpoints.hit("mid_deliver")
        except AbortedError as exc:
            self._undo(exc, records)
            return
        except FencedError as exc:
            self._undo_fenced(exc, records)
            return
        delivered_s = self._clock.now_s()
        self._note(unit, records)
        self._backoff_s = _BACKOFF_FIRST_S
        self._bound = self._bound.after(len(records), delivered_s - started_s)
        self._telemetry.gauge(BATCH_BOUND_RECORDS, self._bound.records)
        self._telemetry.observe(STEP_SECONDS, delivered_s - started_s, "process_and_deliver")

    def _begin(self) -> _Unit:
        self._sink.begin()
        self._unit = _Unit(self._clock.now_s(), self._source.membership())
        return self._unit

    @staticmethod
    def _note(unit: _Unit, records: RecordBatch) -> None:
        unit.records += len(records)
        unit.next.update(records.next_offsets())
        known = records.timestamp_ms[records.timestamp_ms != NO_TIMESTAMP]
        if len(known):
            oldest = int(known.min())
            unit.oldest_ms = oldest if unit.oldest_ms is None else min(unit.oldest_ms, oldest)

    # -- commit -------------------------------------------------------------------------------

    def _commit_if_due(self, *, drained: bool) -> None:
        unit, now_s = self._unit, self._clock.now_s()
        if unit is None:
            return
        if self._config.policy.is_due(
            unit.begun_s, unit.records, drained=drained, last_commit=self._pace, now_s=now_s
        ):
            self._commit(now_s + self._config.commit_budget_s)

    def _commit(self, deadline_s: float) -> None:
        """Commit the open unit, or undo it; raises only what ends the process."""
        unit = self._unit
        if unit is None:
            return
        started_s = self._clock.now_s()
        try:
            self._sink.commit(self._offsets(unit), self._membership(unit), deadline_s)
        except AbortedError as exc:
            self._undo(exc)
            return
        except FencedError as exc:
            self._undo_fenced(exc)
            return
        ended_s = self._clock.now_s()
        self._unit = None
        self._permanent_aborts = 0
        self._pace = self._pace.after(started_s, ended_s)
        self._processor.committed()
        self._telemetry.count(TRANSACTIONS, 1, "committed")
        self._telemetry.observe(COMMIT_SECONDS, ended_s - started_s)
        if unit.oldest_ms is not None:
            age_s = max(0.0, (self._clock.wall_ms() - unit.oldest_ms) / 1000.0)
            self._telemetry.observe(END_TO_END_SECONDS, age_s)

    def _membership(self, unit: _Unit) -> GroupMembership:
        """Our standing now, if it is still the member that began the unit; else nobody's.

        A broker does not fence a commit that names no member, and another member id means that
        the partitions may have had another owner in between.
        """
        now = self._source.membership()
        if now.member_id != unit.membership.member_id:
            return GroupMembership(-1, "", now.token)
        return now

    def _offsets(self, unit: _Unit) -> dict[int, NextOffset]:
        return {p: NextOffset(o, self._processor.metadata(p)) for p, o in unit.next.items()}

    # -- undoing ------------------------------------------------------------------------------

    def _undo(self, exc: AbortedError, records: RecordBatch | None = None) -> None:
        """Abort what is open; its partitions are rewound before the next fetch counts.

        Args:
            exc: Why.
            records: The batch under way, if there is one; it comes again too.
        """
        try:
            self._sink.abort()
        except FencedError as fenced:
            self._undo_fenced(fenced, records)
            return
        log.warning("transaction_aborted", reason=str(exc))
        self._forget_unit(records)
        if not exc.permanent:
            self._permanent_aborts = 0
            return
        self._permanent_aborts += 1
        if self._permanent_aborts >= _PERMANENT_ABORTS:
            raise FatalError(f"aborted {self._permanent_aborts} times in a row: {exc}") from exc
        self._wait(str(exc))

    def _undo_fenced(self, exc: FencedError, records: RecordBatch | None = None) -> None:
        """The producer is over; only the committed offsets know whether the unit is in."""
        log.warning("producer_fenced", reason=str(exc))
        self._rebuild = True
        self._forget_unit(records)

    def _forget_unit(self, records: RecordBatch | None) -> None:
        unit, self._unit = self._unit, None
        self._telemetry.count(TRANSACTIONS, 1, "aborted")
        self._processor.rolled_back()
        if unit is not None:
            self._rewind.update(unit.first)
        for partition, offset in records.first_offsets().items() if records else ():
            self._rewind.setdefault(partition, offset)

    def _put_back(self, records: RecordBatch, exc: RetriableError) -> None:
        """The world is in the way of this batch: read it again later, wait until then."""
        self._source.seek(records.first_offsets())
        self._wait(str(exc))

    # -- waiting and recovering ---------------------------------------------------------------

    def _wait(self, reason: str) -> None:
        """Bring no records for a while, longer each time; the group still sees us fetch."""
        self._retry_at_s = self._clock.now_s() + self._backoff_s
        self._backoff_s = min(_BACKOFF_LAST_S, 2 * self._backoff_s)
        self._health.paused = True
        self._source.pause()
        log.warning("paused", reason=reason)

    def _recover(self, now_s: float) -> None:
        """Do what is owed before records may count again; if it fails, wait and try again."""
        if self._retry_at_s is not None and now_s < self._retry_at_s:
            return
        try:
            if self._rebuild:
                self._sink.rebuild()
                self._rebuild = False
            if self._rewind:
                self._source.rewind(self._rewind)
                self._rewind.clear()
        except RetriableError as exc:
            self._wait(str(exc))
            return
        if self._retry_at_s is not None:
            self._retry_at_s = None
            self._source.resume()
            self._health.paused = False

    def _connect(self, stop: Callable[[], bool]) -> None:
        """Open the sink, then join; brokers that are away are waited for."""
        while not stop():
            self._watchdog.tick()
            self._health.tick(self._clock.now_s())
            try:
                self._sink.open()
                break
            except RetriableError as exc:
                log.warning("waiting_for_brokers", reason=str(exc))
        self._source.open(self)

    # -- the rebalance listener: called inside fetch and close ----------------------------------

    def assigned(self, partitions: Sequence[int]) -> None:
        """See :class:`~stream_app.ports.RebalanceListener`."""
        self._count_rebalance("assigned", partitions)
        self._processor.assigned(partitions)
        self._restoring.update(partitions)
        self._health.assignment_seen = True

    def revoked(self, partitions: Sequence[int]) -> None:
        """Commit what is open before the partitions go, within the budget; else undo it."""
        self._count_rebalance("revoked", partitions)
        if self._unit is not None:
            self._commit(self._clock.now_s() + self._config.commit_budget_s)
        self._release(partitions)

    def lost(self, partitions: Sequence[int]) -> None:
        """They have another owner already: undo, never commit."""
        self._count_rebalance("lost", partitions)
        if self._unit is not None:
            self._undo(AbortedError("partitions were lost: the group went on without this member"))
        self._release(partitions)

    def _release(self, partitions: Sequence[int]) -> None:
        self._processor.revoked(partitions)
        for partition in partitions:
            # A later rewind must not touch what another member now reads.
            self._rewind.pop(partition, None)
            self._restoring.discard(partition)
            self._telemetry.forget(CONSUMER_LAG, str(partition))

    def _count_rebalance(self, event: str, partitions: Sequence[int]) -> None:
        log.info("rebalance", event_kind=event, partitions=list(partitions))
        self._telemetry.count(REBALANCES, 1, event)

    # -- the end, and what is told ---------------------------------------------------------------

    def _drain(self) -> None:
        """Finish the open unit; the records fetched next belong to whoever comes."""
        log.info("draining", open_records=self._unit.records if self._unit else 0)
        self._commit(self._clock.now_s() + self._config.drain_budget_s)

    def _close(self) -> None:
        """Leave the group, and release the clients, whatever happened before."""
        try:
            if self._unit is not None:
                self._undo(AbortedError("the loop ends with an error"))
        finally:
            try:
                self._source.close()
            finally:
                self._sink.close()

    def _report_lag(self, now_s: float) -> None:
        if now_s - self._lag_at_s < _LAG_EVERY_S:
            return
        self._lag_at_s = now_s
        self._telemetry.gauge(ASSIGNED_PARTITIONS, len(self._source.assignment()))
        for partition, lag in self._source.lag().items():
            self._telemetry.gauge(CONSUMER_LAG, lag, str(partition))
