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
from dataclasses import dataclass

import structlog

from stream_app import failpoints
from stream_app.admission import Admission
from stream_app.committer import Committer
from stream_app.core.batching import BatchBound, Due, TransactionPolicy
from stream_app.core.columns import RecordBatch
from stream_app.core.metrics import (
    ASSIGNED_PARTITIONS,
    BATCH_BOUND_RECORDS,
    COMMITS_DUE,
    CONSUMER_LAG,
    REBALANCES,
    STEP_SECONDS,
)
from stream_app.credentials import Credentials
from stream_app.errors import AbortedError, RetriableError
from stream_app.health import WorkerHealth
from stream_app.patience import wait_for
from stream_app.ports import Clock, Processor, Sink, Source, Telemetry, Watchdog
from stream_app.recovery import Recovery

log = structlog.get_logger(__name__)

_IDLE_WAIT_S = 0.2
"""Of a fetch with nothing open. Short, because signals are served between fetches."""

_LAG_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class LoopConfig:
    """How the loop behaves.

    Attributes:
        policy: When a unit is due.
        batch: The micro-batch bound to start with.
        start_wait_s: How long brokers, or the input topic, may be away at the start.
        commit_budget_s: How long a unit may try to commit before it is undone; in a revocation the
            whole group waits for it.
        drain_budget_s: How long the last unit may take to commit at the end.
        denied_patience_s: How long a right, or a topic, that is gone may take to come back.
    """

    policy: TransactionPolicy
    batch: BatchBound
    start_wait_s: float
    commit_budget_s: float
    drain_budget_s: float
    denied_patience_s: float


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
        credentials: Credentials,
    ) -> None:
        self._credentials = credentials
        self._config = config
        self._source = source
        self._sink = sink
        self._processor = processor
        self._clock = clock
        self._telemetry = telemetry
        self._watchdog = watchdog
        self._health = health
        self._bound = config.batch
        self._recovery = Recovery(source, sink, clock, health)
        self._committer = Committer(
            source, sink, processor, self._recovery, clock, telemetry, config.denied_patience_s
        )
        self._admission = Admission(source, processor, self._recovery)
        self._lost_generation = -1
        self._lag_at_s = 0.0

    def run(self, stop: Callable[[], bool]) -> None:
        """Turn until ``stop()``; then commit what is open and leave the group.

        Raises:
            UnavailableError: brokers were away for longer than a start may wait.
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
        self._renew_clients(now_s)
        self._recovery.settle(now_s)
        records = self._fetch(now_s)
        if len(records):
            self._advance(records)
        elif self._committer.unit is None and not self._recovery.is_waiting:
            self._committer.open_quiet()
        self._commit_if_due(fetched=len(records))
        self._report_lag(now_s)

    # -- the path -----------------------------------------------------------------------------

    def _fetch(self, now_s: float) -> RecordBatch:
        wait_s = _IDLE_WAIT_S
        unit = self._committer.unit
        if unit is not None:
            is_open = unit.as_open(now_s, self._clock.wall_ms())
            wait_s = min(wait_s, self._config.policy.wait_s(is_open, self._committer.pace, now_s))
        records = self._source.fetch(self._bound.records, wait_s)
        fetched_s = self._clock.now_s()
        if not self._health.assignment_seen:
            # A spare member is told of no assignment where the group has KIP-848's protocol.
            standing = self._source.membership()
            joined = standing.is_member and standing.generation != self._lost_generation
            self._health.assignment_seen = joined
        if len(records):
            self._telemetry.observe(STEP_SECONDS, fetched_s - now_s, "fetch")
        return self._admission.admit(records)

    def _advance(self, records: RecordBatch) -> None:
        started_s = self._clock.now_s()
        try:
            failpoints.hit("before_process")
            outputs = self._processor.process(records)
        except RetriableError as exc:
            # The world is in the way of this batch: read it again later.
            self._source.seek(records.first_offsets())
            self._recovery.wait(str(exc))
            return
        if not self._committer.deliver(records, outputs):
            return
        took_s = self._clock.now_s() - started_s
        self._bound = self._bound.after(len(records), took_s)
        self._telemetry.gauge(BATCH_BOUND_RECORDS, self._bound.records)
        self._telemetry.observe(STEP_SECONDS, took_s, "process_and_deliver")

    def _commit_if_due(self, *, fetched: int) -> None:
        unit, now_s = self._committer.unit, self._clock.now_s()
        if unit is None:
            return
        policy, pace = self._config.policy, self._committer.pace
        is_open = unit.as_open(now_s, self._clock.wall_ms())
        due = policy.due(is_open, drained=True, last_commit=pace, now_s=now_s)
        if due is Due.DRAINED and not self._is_drained(fetched):
            due = None
        if due is None and self._processor.is_full():
            due = Due.SIZE
        if due is None:
            return
        self._telemetry.count(COMMITS_DUE, 1, due.value)
        self._committer.commit(now_s + self._config.commit_budget_s)

    def _is_drained(self, fetched: int) -> bool:
        """Whether there is nothing to wait for: the last fetch left nothing at the brokers."""
        if fetched >= self._bound.records:
            return False
        return not fetched or not any(self._source.lag().values())

    def _renew_clients(self, now_s: float) -> None:
        """Credentials have changed: commit what is open, then let both clients be made anew."""
        if not self._credentials.changed(now_s):
            return
        self._committer.commit(now_s + self._config.commit_budget_s)
        if self._credentials.usable():
            self._recovery.owe_renewal()
            self._credentials.taken()

    # -- joining -------------------------------------------------------------------------------

    def _connect(self, stop: Callable[[], bool]) -> None:
        """Open the sink, then join; brokers that are away are waited for.

        In this order: opening the sink ends what a dead predecessor left open, and until then the
        group's offsets cannot be read.
        """
        for open_side in (self._sink.open, lambda: self._source.open(self)):
            wait_for(open_side, self._config.start_wait_s, stop, self._watchdog)

    # -- the rebalance listener: called inside fetch and close ----------------------------------

    def assigned(self, partitions: Sequence[int]) -> None:
        """See :class:`~stream_app.ports.RebalanceListener`."""
        self._count_rebalance("assigned", partitions)
        self._processor.assigned(partitions)
        self._recovery.restoring.update(partitions)
        self._health.assignment_seen = True

    def revoked(self, partitions: Sequence[int]) -> None:
        """Commit what is open before the partitions go, within the budget; else undo it."""
        self._count_rebalance("revoked", partitions)
        self._committer.commit(self._clock.now_s() + self._config.commit_budget_s)
        self._release(partitions)

    def lost(self, partitions: Sequence[int]) -> None:
        """They have another owner already: undo, never commit."""
        self._count_rebalance("lost", partitions)
        if self._committer.unit is not None:
            reason = "partitions were lost: the group went on without this member"
            self._committer.undo(AbortedError(reason))
        # A group that went on without us, or is out of reach, has nothing for us to be ready for.
        self._lost_generation = self._source.membership().generation
        self._health.assignment_seen = False
        self._release(partitions)

    def _release(self, partitions: Sequence[int]) -> None:
        self._processor.revoked(partitions)
        self._recovery.release(partitions)
        for partition in partitions:
            self._telemetry.forget(CONSUMER_LAG, str(partition))

    def _count_rebalance(self, event: str, partitions: Sequence[int]) -> None:
        log.info("rebalance", event_kind=event, partitions=list(partitions))
        self._telemetry.count(REBALANCES, 1, event)

    # -- the end, and what is told ---------------------------------------------------------------

    def _drain(self) -> None:
        """Finish the open unit; the records fetched next belong to whoever comes."""
        unit = self._committer.unit
        log.info("draining", open_records=unit.records if unit else 0)
        self._committer.commit(self._clock.now_s() + self._config.drain_budget_s)

    def _close(self) -> None:
        """Leave the group, and release the clients, whatever happened before."""
        try:
            if self._committer.unit is not None:
                self._committer.undo(AbortedError("the loop ends with an error"))
        finally:
            try:
                with self._watchdog.limit("leaving the group", self._config.drain_budget_s):
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
