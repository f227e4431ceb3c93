"""Partials in, windows of the whole group out: decode, merge, close, publish.

The loop's other processor, beside the scorer. Decides that everything of a transaction stands or
falls together: the windows that it publishes, the state from which a successor goes on (in a
changelog, with the position that the state has reached), and the offsets. Refuses to know Kafka,
Avro and how a model's reference is found.

State that was undone, or whose partition has gone, is thrown away and read again. Whoever takes
over a partition reads until the state has reached the group's committed offset: a predecessor's
last transaction may become visible a moment later.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream_app.aggregator_outputs import (
    OpenUnit,
    Pace,
    Rows,
    counts_of,
    forget,
    write_down,
)
from stream_app.aggregator_state import NOTE, PartitionStates
from stream_app.aggregator_waits import PatientReferences, Pending, Place
from stream_app.core.columns import EventBatch, OutputBatch, RecordBatch, UInt16Array
from stream_app.core.dead_letters import Origin, dead_letters
from stream_app.core.drift.aggregate_state import position_record
from stream_app.core.drift.closing import ClosingRules, Publication, close, due, is_over
from stream_app.core.drift.counter import Arithmetic
from stream_app.core.drift.layout import Layout
from stream_app.core.drift.merge import Outcome, StreamState
from stream_app.core.drift.partial import Partial
from stream_app.core.drift.report_window import report_window
from stream_app.core.faults import Fault
from stream_app.core.metrics import (
    DEAD_LETTERS,
    DRIFT_LATE,
    DRIFT_PARTIALS,
    DRIFT_WATERMARK_SECONDS,
    DRIFT_WINDOWS,
    DRIFT_WINDOWS_KEPT,
)
from stream_app.errors import RetriableError
from stream_app.ports import Clock, Telemetry
from stream_app.ports_drift import Changelog, PartialDecoder, References, Unreadable, WindowEncoder


@dataclass(frozen=True, slots=True)
class AggregatorConfig:
    """What the aggregator is told.

    Attributes:
        windows_topic: Where windows go.
        changelog_topic: Where the state goes; as many partitions as partials.
        origin: Who writes dead letters, and where to.
        rules: When windows are closed.
        min_rows: Windows with fewer are not judged.
        max_windows: A transaction that has touched so many is to end.
        publish_budget_s: How long the publishing of one transaction may take.
        reference_wait_s: For so long a reference is waited for; then partials that need it become
            dead letters, so that other models' windows go on.
        silence_s: Of a stream from which nothing comes for so long, open windows are told of.
    """

    windows_topic: str
    changelog_topic: str
    origin: Origin
    rules: ClosingRules
    min_rows: int
    max_windows: int
    publish_budget_s: float
    reference_wait_s: float
    silence_s: float


class Aggregator:
    """See the module, and :class:`~stream_app.ports.Processor` for each hook."""

    def __init__(
        self,
        config: AggregatorConfig,
        decoder: PartialDecoder,
        encoder: WindowEncoder,
        references: References,
        changelog: Changelog,
        way: Arithmetic,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self._config = config
        self._decoder = decoder
        self._encoder = encoder
        self._references = PatientReferences(references, clock, config.reference_wait_s)
        self._way = way
        self._clock = clock
        self._telemetry = telemetry
        self._pace = Pace(config.publish_budget_s)
        self._pending = Pending(clock, config.silence_s)
        self._states = PartitionStates(changelog, clock, config.changelog_topic)
        self._open = OpenUnit()

    # -- the path -----------------------------------------------------------------------------

    def choose(self, records: RecordBatch) -> None:
        """All of them."""

    def process(self, records: RecordBatch) -> Sequence[OutputBatch]:
        """Merge partials; the outcome of one that cannot be is a dead letter."""
        decoded = self._decoder.decode(records.values)
        # All references first: without one nothing of the batch may have been merged.
        streams = {partial.stream for partial in decoded if isinstance(partial, Partial)}
        layouts = {stream: self._references.of(stream) for stream in streams}
        faults = np.zeros(len(records), dtype=np.uint16)
        details: dict[int, str] = {}
        partitions, sent = records.partition.tolist(), records.timestamp_ms.tolist()
        for row, partial in enumerate(decoded):
            if isinstance(partial, Unreadable):
                faults[row], details[row] = partial.fault, partial.detail
                continue
            layout = layouts[partial.stream]
            if layout is None:
                faults[row] = Fault.UNKNOWN_REFERENCE
                details[row] = f"no reference {partial.stream.reference_id} in model.repository"
                continue
            state = self._states[partitions[row]].of(partial.stream)
            outcome = self._merge(state, partial, layout, sent[row])
            self._open.outcomes[outcome] += 1
            self._open.streams.add((partitions[row], partial.stream.to_key()))
            if outcome is Outcome.MALFORMED:
                faults[row] = Fault.DECODE_ERROR
                details[row] = "its counts do not fit its reference, or do not add up"
        self._open.next_offsets.update(records.next_offsets())
        return self._bury(records, faults, details)

    def _merge(self, state: StreamState, partial: Partial, layout: Layout, sent_ms: int) -> Outcome:
        before = state.counters["late"]
        ahead_ms = self._config.rules.allowed_lateness_ms
        outcome = state.apply(partial, layout, self._way, sent_ms, ahead_ms)
        self._open.late += state.counters["late"] - before
        return outcome

    def _bury(
        self, records: RecordBatch, faults: UInt16Array, details: Mapping[int, str]
    ) -> Sequence[OutputBatch]:
        bad = faults[faults != 0].tolist()
        if not bad:
            return ()
        self._open.letters.update(Fault.of(code) for code in bad)
        nothing = EventBatch.undecoded(faults, {})
        return [dead_letters(self._config.origin, records, nothing, faults, details)]

    def redirect(
        self, records: RecordBatch, outputs: OutputBatch, refused: npt.NDArray[np.intp]
    ) -> OutputBatch:
        """Only dead letters come here, and they are already cut to fit: nothing helps them."""
        del records, refused
        return outputs

    def is_full(self) -> bool:
        """Whether so many windows were touched that they should be written down."""
        touched = sum(len(self._stream(place).touched) for place in self._open.streams)
        return touched >= self._config.max_windows

    def quiet(self, next_offsets: Mapping[int, int]) -> Collection[int]:
        """Windows that were too many for the transactions before, and those of silent streams."""
        found = self._pending.of(next_offsets)
        self._open.streams |= {place for place in found if self._has_reference(place)}
        told = {partition for partition, _ in self._open.streams}
        self._open.next_offsets |= {partition: next_offsets[partition] for partition in told}
        return told

    def _has_reference(self, place: Place) -> bool:
        return self._references.known(self._stream(place).stream) is not None

    def conclude(self) -> Sequence[OutputBatch]:
        """Windows that are told of now, and what a successor needs."""
        windows, changes = Rows(), Rows()
        silent = self._open.silent = self._pending.silent()
        for partition, key in sorted(self._open.streams):
            state = self._stream((partition, key))
            left = max(0, self._pace.most - len(windows))
            is_silent = (partition, key) in silent
            closed = close(state, self._config.rules, left, is_silent=is_silent)
            if closed.has_more:
                self._open.unfinished.add((partition, key))
            for publication in closed.published:
                self._publish(partition, state, publication, windows)
            write_down(partition, state, closed, self._way, changes)
        self._end_streams(changes)
        for partition, next_offset in sorted(self._open.next_offsets.items()):
            changes.add(partition, *position_record(next_offset))
        batches = (
            windows.batch(self._config.windows_topic),
            changes.batch(self._config.changelog_topic),
        )
        return [batch for batch in batches if len(batch)]

    def _end_streams(self, changes: Rows) -> None:
        """Forget streams that are over."""
        for partition in sorted({partition for partition, _ in self._open.streams}):
            streams = self._states[partition].streams
            newest_ms = max(state.last_sent_ms for state in streams.values())
            for key, state in sorted(streams.items()):
                if is_over(state, newest_ms, self._config.rules):
                    forget(partition, state, changes)
                    self._open.over.add((partition, key))

    def _publish(
        self, partition: int, state: StreamState, publication: Publication, windows: Rows
    ) -> None:
        started_s = self._clock.now_s()
        layout = self._references.known(state.stream)
        if layout is None:
            raise RetriableError(f"the reference of {state.stream.to_key()} has gone")
        counts = counts_of(state, publication, layout, self._way)
        value = self._encoder.encode(report_window(layout, counts, self._config.min_rows))
        windows.add(partition, state.stream.to_key().encode(), value)
        self._open.windows[_kind(state, publication)] += 1
        self._pace.took(self._clock.now_s() - started_s)

    def _stream(self, place: Place) -> StreamState:
        partition, key = place
        return self._states[partition].streams[key]

    # -- what becomes of it -------------------------------------------------------------------

    def committed(self) -> None:
        """Tell the world what is now in the topics."""
        done, self._open = self._open, OpenUnit()
        self._pending.told(done.streams, done.silent, done.unfinished)
        self._pending.forget(done.over)
        for place in done.streams:
            state = self._stream(place)
            if state.watermark_ms is not None:
                names = state.stream.model_name, state.stream.model_version
                self._telemetry.gauge(DRIFT_WATERMARK_SECONDS, state.watermark_ms / 1000, *names)
        for partition, key in done.over:
            del self._states[partition].streams[key]
        for partition, offset in done.next_offsets.items():
            self._states[partition].next_offset = offset
        for outcome, count in done.outcomes.items():
            self._telemetry.count(DRIFT_PARTIALS, count, outcome)
        for fault, count in done.letters.items():
            self._telemetry.count(DEAD_LETTERS, count, fault.stage.value, fault.name)
        for kind, count in done.windows.items():
            self._telemetry.count(DRIFT_WINDOWS, count, kind)
        self._telemetry.count(DRIFT_LATE, done.late)
        self._tell_kept()

    def rolled_back(self) -> bool:
        """Throw all state away: what it was before the transaction nobody remembers."""
        self._open = OpenUnit()
        self._pending.clear()
        self._states.throw_away()
        return True

    def metadata(self, partition: int) -> str:
        """That the changelog holds this very offset too."""
        del partition
        return NOTE

    # -- state --------------------------------------------------------------------------------

    def assigned(self, partitions: Sequence[int]) -> None:
        """Nothing yet: their state is restored between fetches."""

    def restore(self, partitions: Sequence[int]) -> bool:
        """See :meth:`PartitionStates.restore`."""
        if not self._states.restore(partitions):
            return False
        states = {
            (partition, key): state
            for partition in partitions
            for key, state in self._states[partition].streams.items()
        }
        due_now = [place for place, state in states.items() if due(state, self._config.rules)]
        self._pending.restored(states.keys(), due_now)
        self._tell_kept()
        return True

    def revoked(self, partitions: Sequence[int]) -> None:
        """Somebody else counts these now."""
        self._states.forget(partitions)
        self._pending.revoked(partitions)
        self._tell_kept()

    def _tell_kept(self) -> None:
        self._telemetry.gauge(DRIFT_WINDOWS_KEPT, self._states.windows)


def _kind(state: StreamState, publication: Publication) -> str:
    if publication.length_ms != state.stream.window_ms:
        return "roll_up"
    if not publication.is_final:
        return "open"
    return "final"
