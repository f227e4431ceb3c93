"""The open unit: begun, committed, or undone; and what is owed when it was undone.

Decides with which membership and offsets a unit is committed and what each failure of the sink
leads to. Refuses to know when: the loop says so.
"""

from collections.abc import Sequence

import structlog

from stream_app.core.batching import CommitPace
from stream_app.core.columns import OutputBatch, RecordBatch
from stream_app.core.metrics import COMMIT_SECONDS, END_TO_END_SECONDS, TRANSACTIONS
from stream_app.core.position_notes import PositionNote
from stream_app.core.positions import GroupMembership, NextOffset
from stream_app.errors import AbortedError, FatalError, FencedError, RetriableError
from stream_app.failpoints import hit
from stream_app.ports import Clock, Processor, Sink, Source, Telemetry
from stream_app.recovery import Recovery
from stream_app.unit import Unit

log = structlog.get_logger(__name__)

_PERMANENT_ABORTS = 5
"""At least so many in a row, for a reason that does not heal by itself, before we give up."""


class Committer:
    """Holds at most one open unit. Raises only what ends the process."""

    def __init__(
        self,
        source: Source,
        sink: Sink,
        processor: Processor,
        recovery: Recovery,
        clock: Clock,
        telemetry: Telemetry,
        patience_s: float,
    ) -> None:
        self._patience_s = patience_s
        self._source = source
        self._sink = sink
        self._processor = processor
        self._recovery = recovery
        self._clock = clock
        self._telemetry = telemetry
        self._permanent_aborts = 0
        self._permanent_since_s = 0.0
        self.unit: Unit | None = None
        self.pace = CommitPace()

    def deliver(self, records: RecordBatch, outputs: Sequence[OutputBatch]) -> bool:
        """Put a batch and its outcomes into the unit, which begins if none is open.

        Returns:
            False when the unit, with this batch, had to be undone; all of it comes again.
        """
        try:
            unit = self.unit or self._begin()
            unit.touch(records)
            for batch in outputs:
                self._deliver(records, batch)
                hit("mid_deliver")
        except AbortedError as exc:
            self.undo(exc, records)
            return False
        except FencedError as exc:
            self._undo_fenced(exc, records)
            return False
        except RetriableError as exc:
            # Only a begin says so: nothing is open, and nothing but this batch was processed.
            self._roll_back()
            self._recovery.owe_rewind(records.first_offsets())
            self._recovery.wait(str(exc))
            return False
        unit.add(records)
        return True

    def commit(self, deadline_s: float) -> None:
        """Commit the open unit if there is one, or undo it."""
        unit = self.unit
        if unit is None:
            return
        started_s = self._clock.now_s()
        try:
            self._conclude()
            self._sink.commit(self._offsets(unit), self._membership(unit), deadline_s)
        except AbortedError as exc:
            self.undo(exc)
            return
        except FencedError as exc:
            self._undo_fenced(exc)
            return
        self.unit = None
        self._permanent_aborts = 0
        self._recovery.succeeded()
        self._processor.committed()
        self._report(unit, started_s)

    def open_quiet(self) -> None:
        """Let the processor speak of partitions that bring nothing, as their owner.

        A unit without records commits their next offsets once more. So it is fenced like any
        other: whoever has lost the partitions cannot speak for them.
        """
        drained = self._source.drained()
        told = self._processor.quiet(drained) if drained else ()
        if not told:
            return
        try:
            unit = self._begin()
        except (AbortedError, RetriableError) as exc:
            self._quiet_failed(exc)
        except FencedError as exc:
            self._undo_fenced(exc)
        else:
            unit.next.update({partition: drained[partition] for partition in told})
            unit.first.update(unit.next)

    def _quiet_failed(self, exc: AbortedError | RetriableError) -> None:
        if isinstance(exc, AbortedError):
            self.undo(exc)
        else:
            self._roll_back()
            self._recovery.wait(str(exc))

    def undo(self, exc: AbortedError, records: RecordBatch | None = None) -> None:
        """Abort what is open; its partitions are rewound before records count again.

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
        self._forget(records)
        self._give_up_if_permanent(exc)

    def _begin(self) -> Unit:
        self._sink.begin()
        self.unit = Unit(self._clock.now_s(), self._source.membership())
        return self.unit

    def _deliver(self, records: RecordBatch, batch: OutputBatch) -> None:
        refused = self._sink.deliver(batch)
        if not len(refused):
            return
        letters = self._processor.redirect(records, batch, refused)
        if len(self._sink.deliver(letters)):
            message = (
                f"{letters.topic} refuses a dead letter already cut to fit; raise "
                "output.max_record_bytes"
            )
            raise FatalError(message)

    def _conclude(self) -> None:
        """Add what the processor has to say of the unit as a whole."""
        for batch in self._processor.conclude():
            if len(self._sink.deliver(batch)):
                message = (
                    f"{batch.topic} refuses a record of the worker's own as too large; raise the "
                    "topic's max.message.bytes and output.max_record_bytes"
                )
                raise FatalError(message)

    def _roll_back(self) -> None:
        if self._processor.rolled_back():
            self._recovery.restoring.update(self._source.assignment())

    def _membership(self, unit: Unit) -> GroupMembership:
        """Our standing now, if it is still the member that began the unit; else nobody's.

        A broker does not fence a commit that names no member, and another member id means that
        the partitions may have had another owner in between.
        """
        now = self._source.membership()
        if now.member_id != unit.membership.member_id:
            return GroupMembership(-1, "", now.token)
        return now

    def _offsets(self, unit: Unit) -> dict[int, NextOffset]:
        topic_id = self._source.topic_id
        return {
            p: NextOffset(o, PositionNote(topic_id, self._processor.metadata(p)).to_text())
            for p, o in unit.next.items()
        }

    def _undo_fenced(self, exc: FencedError, records: RecordBatch | None = None) -> None:
        """The producer is over; only the committed offsets know whether the unit is in."""
        log.warning("producer_fenced", reason=str(exc))
        self._recovery.owe_rebuild()
        self._forget(records)

    def _forget(self, records: RecordBatch | None) -> None:
        unit, self.unit = self.unit, None
        self._telemetry.count(TRANSACTIONS, 1, "aborted")
        self._roll_back()
        if unit is not None:
            self._recovery.owe_rewind(unit.first)
        if records is not None:
            self._recovery.owe_rewind(records.first_offsets())

    def _give_up_if_permanent(self, exc: AbortedError) -> None:
        if not exc.permanent:
            self._permanent_aborts = 0
            return
        now_s = self._clock.now_s()
        if self._permanent_aborts == 0:
            self._permanent_since_s = now_s
        self._permanent_aborts += 1
        lasted_s = now_s - self._permanent_since_s
        tried = self._permanent_aborts >= _PERMANENT_ABORTS and lasted_s > self._patience_s
        if tried and not exc.heals:
            message = f"aborted {self._permanent_aborts} times in {lasted_s:.0f} s: {exc}"
            raise FatalError(message) from exc
        self._recovery.deny(str(exc))
        self._recovery.wait(str(exc))

    def _report(self, unit: Unit, started_s: float) -> None:
        ended_s = self._clock.now_s()
        self.pace = self.pace.after(started_s, ended_s)
        self._telemetry.count(TRANSACTIONS, 1, "committed")
        self._telemetry.observe(COMMIT_SECONDS, ended_s - started_s)
        if unit.oldest_ms is not None:
            age_s = max(0.0, (self._clock.wall_ms() - unit.oldest_ms) / 1000.0)
            self._telemetry.observe(END_TO_END_SECONDS, age_s)
