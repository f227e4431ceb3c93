"""What a transaction of the scorer adds to drift windows: its rows' counts, and what it covers.

Decides that each outcome counts once: a prediction in the window of its event time, a dead letter
there too if its time can be trusted. Part of the scorer; what it tells goes into the transaction
of the very rows it was counted from, so that it is true exactly when they are.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream_app.core.columns import (
    NO_TIMESTAMP,
    BytesColumn,
    EventBatch,
    Int64Array,
    OutputBatch,
    RecordBatch,
    ScoreBatch,
)
from stream_app.core.drift.counter import Arithmetic, Cells, WindowCounter
from stream_app.core.drift.layout import Layout
from stream_app.core.drift.partial import Coverage, Partial, Stream, WindowDelta
from stream_app.core.drift.score_map import score_slots
from stream_app.core.drift.sources import SourceReader
from stream_app.core.metrics import DRIFT_PARTIAL_BYTES, STEP_SECONDS
from stream_app.ports import Clock, Telemetry

_RECORD_SHARE = 0.5
"""Of the greatest record, for windows: their sizes are not all that is in it."""


@dataclass(frozen=True, slots=True)
class TallyConfig:
    """What the tally is told.

    Attributes:
        stream: Whose windows.
        topic: Where partials go.
        instance: Who writes them.
        idle_after_s: A partition that brings nothing for so long is called idle.
        max_windows: A transaction that has touched so many is to end.
        max_record_bytes: Of a partial.
    """

    stream: Stream
    topic: str
    instance: str
    idle_after_s: float
    max_windows: int
    max_record_bytes: int


@dataclass(slots=True)
class _Covered:
    """Of one partition, in the open transaction."""

    first: int
    last: int
    greatest_ms: int = NO_TIMESTAMP
    is_idle: bool = False


class DriftTally:
    """Counts what is scored, until the transaction ends."""

    def __init__(
        self,
        config: TallyConfig,
        layout: Layout,
        way: Arithmetic,
        encode: Callable[[Partial], bytes],
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self._config = config
        self._reader = SourceReader(layout.reference.columns)
        self._scores = layout.reference.scores
        self._counter = WindowCounter(layout, config.stream.window_ms, way)
        self._encode = encode
        self._way = way
        self._clock = clock
        self._telemetry = telemetry
        self._covered: dict[int, _Covered] = {}
        self._last: tuple[Cells, npt.NDArray[np.intp]] | None = None
        self._heard_s: dict[int, float] = {}
        self._told_idle: set[int] = set()
        self._written_bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether so many windows are open that the transaction should end."""
        return self._counter.windows >= self._config.max_windows

    def count(self, records: RecordBatch, events: EventBatch, scores: ScoreBatch) -> None:
        """Count a batch: predictions of ``scores.rows``, dead letters of all other rows."""
        started_s = self._clock.now_s()
        times_ms = _times(records, events)
        at_fault = events.fault.any()
        sound_ms = np.where(events.fault == 0, times_ms, NO_TIMESTAMP) if at_fault else times_ms
        self._cover(records, sound_ms)
        rows = scores.rows
        self._last = None
        if len(rows):
            all_rows = len(rows) == len(events)
            cells = self._counter.cells(
                self._reader.read(events, rows, scores.outputs),
                self._slots(scores),
                times_ms if all_rows else times_ms[rows],
            )
            self._counter.add(cells)
            self._last = cells, rows
        if len(rows) < len(records):
            dead = np.flatnonzero(scores.fault)
            # An event that is itself at fault may have any time: it opens no window.
            self._counter.bury(scores.fault[dead], sound_ms[dead])
        self._telemetry.observe(STEP_SECONDS, self._clock.now_s() - started_s, "drift")

    def redirect(self, rows: npt.NDArray[np.intp], fault: int) -> None:
        """Predictions of the last batch that became dead letters after all."""
        if self._last is None:
            return
        cells, counted = self._last
        positions = np.searchsorted(counted, np.sort(rows))
        gone = cells.take(positions)
        self._counter.remove(gone)
        self._counter.bury(np.full(len(gone), fault, dtype=np.uint16), gone.times_ms)

    def quiet(self, next_offsets: Mapping[int, int]) -> Collection[int]:
        """Call partitions idle that have been drained for long, and were not called so yet."""
        now_s = self._clock.now_s()
        found = []
        for partition, offset in next_offsets.items():
            heard_s = self._heard_s.setdefault(partition, now_s)
            if partition in self._told_idle or now_s - heard_s < self._config.idle_after_s:
                continue
            self._covered[partition] = _Covered(offset, offset - 1, is_idle=True)
            found.append(partition)
        return found

    def conclude(self) -> OutputBatch | None:
        """The partials of the transaction; ``None`` if it has no row and nobody is idle."""
        if not self._covered:
            return None
        partials = self._partials()
        values = [self._encode(partial) for partial in partials]
        count = len(values)
        self._written_bytes = sum(map(len, values))
        return OutputBatch(
            topic=self._config.topic,
            rows=np.full(count, -1, dtype=np.intp),
            values=BytesColumn.of(values),
            keys=BytesColumn.of([self._config.stream.to_key().encode()] * count),
            partition=np.full(count, -1, dtype=np.int32),
            timestamp_ms=np.full(count, NO_TIMESTAMP, dtype=np.int64),
        )

    def committed(self) -> None:
        """The transaction is in: begin anew."""
        self._told_idle |= {p for p, covered in self._covered.items() if covered.is_idle}
        self._telemetry.count(DRIFT_PARTIAL_BYTES, self._written_bytes)
        self.rolled_back()

    def rolled_back(self) -> None:
        """Nothing of it is: begin anew; the same rows come again."""
        self._counter.clear()
        self._covered.clear()
        self._last = None
        self._written_bytes = 0

    def revoked(self, partitions: Sequence[int]) -> None:
        """Somebody else speaks for them now."""
        for partition in partitions:
            self._heard_s.pop(partition, None)
            self._told_idle.discard(partition)

    def _slots(self, scores: ScoreBatch) -> Int64Array:
        if self._scores is None:
            return np.full(len(scores.rows), -1, dtype=np.int64)
        return score_slots(scores.outputs[self._scores.tensor])

    def _cover(self, records: RecordBatch, times_ms: Int64Array) -> None:
        now_s = self._clock.now_s()
        found = np.full((3, int(records.partition.max()) + 1), NO_TIMESTAMP, dtype=np.int64)
        firsts, lasts, greatest = found
        self._way.cover_rows(records.partition, records.offset, times_ms, firsts, lasts, greatest)
        for partition in np.flatnonzero(lasts >= 0).tolist():
            first = int(firsts[partition])
            covered = self._covered.setdefault(partition, _Covered(first, first))
            covered.last, covered.is_idle = int(lasts[partition]), False
            covered.greatest_ms = max(covered.greatest_ms, int(greatest[partition]))
            self._heard_s[partition] = now_s
            self._told_idle.discard(partition)

    def _partials(self) -> list[Partial]:
        coverage = tuple(
            Coverage(p, covered.first, covered.last, covered.greatest_ms, covered.is_idle)
            for p, covered in sorted(self._covered.items())
        )
        parts = _fitting(self._counter.take(), _RECORD_SHARE * self._config.max_record_bytes)
        return [
            Partial(
                stream=self._config.stream,
                instance=self._config.instance,
                part=number,
                parts=len(parts),
                coverage=coverage,
                windows=windows,
                rows_without_time=self._counter.rows_without_time if number == 0 else 0,
                letters_without_time=(
                    dict(self._counter.letters_without_time) if number == 0 else {}
                ),
            )
            for number, windows in enumerate(parts)
        ]


def _times(records: RecordBatch, events: EventBatch) -> Int64Array:
    """The events' times; of events without one the record's."""
    own = events.event_time_ms
    if len(own) and int(own.min()) > NO_TIMESTAMP:
        return own
    return np.where(own == NO_TIMESTAMP, records.timestamp_ms, own)


def _fitting(windows: Sequence[WindowDelta], most_bytes: float) -> list[tuple[WindowDelta, ...]]:
    """The windows, in as few records as they fit into; one record if there are none."""
    parts: list[list[WindowDelta]] = [[]]
    size = 0
    for window in windows:
        own = len(window.counts) + 12 * len(window.letters) + 24
        if parts[-1] and size + own > most_bytes:
            parts.append([])
            size = 0
        parts[-1].append(window)
        size += own
    return [tuple(part) for part in parts]
