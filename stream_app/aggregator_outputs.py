"""What the end of a transaction of the aggregator writes: windows, and the state behind them.

Decides which records those are, from what was closed, and how many windows a transaction bears.
Refuses to know when one is closed.
"""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from stream_app.aggregator_waits import Place
from stream_app.core.columns import NO_TIMESTAMP, BytesColumn, OutputBatch
from stream_app.core.drift.aggregate_state import (
    roll_up_key,
    roll_up_record,
    stream_key,
    stream_record,
    window_key,
    window_record,
)
from stream_app.core.drift.closing import Closed, Publication
from stream_app.core.drift.counter import Arithmetic
from stream_app.core.drift.layout import Layout
from stream_app.core.drift.merge import StreamState
from stream_app.core.drift.report_window import WindowCounts
from stream_app.core.drift.window_report import WindowHead
from stream_app.core.faults import Fault


@dataclass(slots=True)
class OpenUnit:
    """What the open transaction has come to so far.

    Attributes:
        next_offsets: By partition.
        streams: Partition and key of those that it has touched.
        unfinished: Of these, those that have more windows to tell of than fit in.
        silent: Of which nothing had been heard for long when it was concluded.
        over: Those that are forgotten with it.
        outcomes: Of partials; this and what follows is told to the world when it is committed.
        letters: Dead letters by fault.
        windows: Published ones by kind.
        late: Records behind the retention.
    """

    next_offsets: dict[int, int] = field(default_factory=dict)
    streams: set[Place] = field(default_factory=set)
    unfinished: set[Place] = field(default_factory=set)
    silent: set[Place] = field(default_factory=set)
    over: set[Place] = field(default_factory=set)
    outcomes: Counter[str] = field(default_factory=Counter)
    letters: Counter[Fault] = field(default_factory=Counter)
    windows: Counter[str] = field(default_factory=Counter)
    late: int = 0


@dataclass(slots=True)
class Pace:
    """How many windows are told of in one transaction: as many as were measured to fit.

    Attributes:
        budget_s: For all of them.
        each_s: For one: at first a guess, then a running average.
    """

    budget_s: float
    each_s: float = 0.02

    @property
    def most(self) -> int:
        """At least one, so that it gets on."""
        return max(1, int(self.budget_s / self.each_s))

    def took(self, seconds: float) -> None:
        """One more was measured."""
        self.each_s += 0.1 * (max(seconds, 1e-4) - self.each_s)


class Rows:
    """Records that are the outcome of no single one, as they gather."""

    def __init__(self) -> None:
        self._partitions: list[int] = []
        self._keys: list[bytes | None] = []
        self._values: list[bytes | None] = []

    def __len__(self) -> int:
        return len(self._values)

    def add(self, partition: int, key: bytes, value: bytes | None) -> None:
        """One more; ``None`` is a tombstone."""
        self._partitions.append(partition)
        self._keys.append(key)
        self._values.append(value)

    def batch(self, topic: str) -> OutputBatch:
        """All of them, for this topic."""
        count = len(self._values)
        return OutputBatch(
            topic=topic,
            rows=np.full(count, -1, dtype=np.intp),
            values=BytesColumn.of(self._values),
            keys=BytesColumn.of(self._keys),
            partition=np.array(self._partitions, dtype=np.int32),
            timestamp_ms=np.full(count, NO_TIMESTAMP, dtype=np.int64),
        )


def counts_of(
    state: StreamState, publication: Publication, layout: Layout, way: Arithmetic
) -> WindowCounts:
    """A window, or the sum of a roll-up's."""
    parts = publication.windows
    letters: Counter[int] = Counter()
    total = layout.empty(1)[0]
    for window in parts:
        was_packed = window.state is None
        total += window.unpacked(layout, way)
        letters.update(window.letters)
        if was_packed:
            window.state = None
    head = WindowHead(
        stream=state.stream,
        start_ms=publication.start_ms,
        length_ms=publication.length_ms,
        revision=publication.revision,
        is_final=publication.is_final,
        exact=all(window.exact for window in parts),
        partitions=len(state.covered),
        rows=sum(window.rows for window in parts),
        letters=letters,
    )
    return WindowCounts(head, total)


def write_down(
    partition: int, state: StreamState, closed: Closed, way: Arithmetic, changes: Rows
) -> None:
    """What has changed of a stream, for the changelog; its windows are packed."""
    stream = state.stream
    for window in closed.kept:
        window.pack(way)
        changes.add(partition, *window_record(stream, window))
    for roll_up in closed.roll_ups:
        changes.add(partition, *roll_up_record(stream, roll_up))
    for start in closed.dropped:
        changes.add(partition, window_key(stream, start), None)
    for length, start in closed.dropped_roll_ups:
        changes.add(partition, roll_up_key(stream, length, start), None)
    changes.add(partition, *stream_record(state))


def forget(partition: int, state: StreamState, changes: Rows) -> None:
    """Tombstones for all of a stream."""
    stream = state.stream
    for start in sorted(state.windows):
        changes.add(partition, window_key(stream, start), None)
    for length, start in sorted(state.roll_ups):
        changes.add(partition, roll_up_key(stream, length, start), None)
    changes.add(partition, stream_key(stream), None)
