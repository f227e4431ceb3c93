"""Partials as a group of scorers would write them, and the windows that all of them add up to.

Decides how events fall into partitions, transactions and parts: at random, and told by a seed.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from stream_app.core.columns import NO_TIMESTAMP, Int64Array
from stream_app.core.columns import Kind as Cell
from stream_app.core.drift import plain
from stream_app.core.drift.counter import Arithmetic, WindowCounter
from stream_app.core.drift.layout import Layout
from stream_app.core.drift.partial import Coverage, Partial, Stream, WindowDelta
from stream_app.core.drift.watch import Values
from tests.drift_kit import SMALL, odd_values, sources_of

WAY = cast(Arithmetic, plain)
WINDOW_MS = 1_000
STREAM = Stream("model", "1", "primary", "0123456789abcdef", WINDOW_MS)
DEAD = 11
"""The fault of events that die."""


@dataclass(frozen=True)
class Events:
    """Events of one input topic.

    Attributes:
        partition: int64, shape ``(n,)``.
        offset: int64, shape ``(n,)``: from 0 in each partition.
        times_ms: int64, shape ``(n,)``.
        dead: bool, shape ``(n,)``.
        values: Of all rows.
        slots: int64, shape ``(n,)``.
        layout: How their windows lie in memory.
        stream: Whose windows.
    """

    partition: Int64Array
    offset: Int64Array
    times_ms: Int64Array
    dead: np.ndarray
    values: Values
    slots: Int64Array
    layout: Layout = SMALL
    stream: Stream = STREAM

    def of(self, partition: int) -> Int64Array:
        """Rows of one partition, by offset."""
        return np.flatnonzero(self.partition == partition)


def make_events(
    seed: int,
    count: int,
    partitions: int,
    span_ms: int = 5_000,
    *,
    layout: Layout = SMALL,
    stream: Stream = STREAM,
) -> Events:
    """Events whose times rise in each partition, but for some that come late."""
    rng = np.random.default_rng(seed)
    partition = rng.integers(0, partitions, count)
    offset = np.zeros(count, dtype=np.int64)
    times = np.sort(rng.integers(0, span_ms, count))
    late = rng.random(count) < 0.1
    times[late] = rng.integers(0, span_ms, int(late.sum()))
    for number in range(partitions):
        own = np.flatnonzero(partition == number)
        offset[own] = np.arange(len(own))
    dead = rng.random(count) < 0.1
    rows = max(count, 1)
    values, slots = odd_values(rows, seed) if layout is SMALL else values_for(layout, rows, seed)
    return Events(partition, offset, times, dead, values, slots, layout, stream)


def values_for(layout: Layout, rows: int, seed: int) -> tuple[Values, Int64Array]:
    """Values near a reference's, some of them odd; and slots."""
    rng = np.random.default_rng(seed)
    columns = layout.reference.columns
    numbers = np.zeros((rows, len(columns)), order="F")
    for at, column in enumerate(columns):
        if column.moments is not None:
            numbers[:, at] = rng.normal(column.moments.mean, 1.5 * column.moments.sd, rows)
        else:
            numbers[:, at] = rng.integers(0, column.bins + 1, rows)
    kinds = np.zeros((rows, len(columns)), dtype=np.uint8, order="F")
    odd = rng.random(kinds.shape) < 0.05
    kinds[odd] = rng.integers(Cell.NULL, Cell.NEGATIVE_INFINITY + 1, int(odd.sum()))
    numbers[kinds == Cell.NAN] = np.nan
    return Values(numbers, kinds, {}), rng.integers(-1, layout.size - layout.scores, rows)


def deltas(events: Events, rows: Int64Array) -> tuple[WindowDelta, ...]:
    """What a scorer counts of these rows."""
    counter = WindowCounter(events.layout, events.stream.window_ms, WAY)
    good = rows[~events.dead[rows]]
    picked = Values(
        np.asfortranarray(events.values.numbers[good]),
        np.asfortranarray(events.values.kinds[good]),
        {},
    )
    if len(good):
        counter.add(
            counter.cells(
                sources_of(picked, events.layout.reference),
                events.slots[good],
                events.times_ms[good],
            )
        )
    dead = rows[events.dead[rows]]
    counter.bury(np.full(len(dead), DEAD, dtype=np.uint16), events.times_ms[dead])
    return counter.take()


def transaction(
    events: Events, ranges: dict[int, tuple[int, int]], parts: int = 1
) -> list[Partial]:
    """The partials of one transaction: by partition, the first row and how many."""
    taken = {p: events.of(p)[first : first + count] for p, (first, count) in ranges.items()}
    coverage = []
    for partition, rows in sorted(taken.items()):
        good = rows[~events.dead[rows]]
        greatest = int(events.times_ms[good].max()) if len(good) else NO_TIMESTAMP
        first, last = int(events.offset[rows[0]]), int(events.offset[rows[-1]])
        coverage.append(Coverage(partition, first, last, greatest))
    windows = deltas(events, np.concatenate(list(taken.values())))
    return [
        Partial(events.stream, "kit", part, parts, tuple(coverage), windows[part::parts])
        for part in range(parts)
    ]


def idle(next_offsets: dict[int, int], stream: Stream = STREAM) -> Partial:
    """Their owner says that nothing more comes of these partitions."""
    coverage = tuple(
        Coverage(p, offset, offset - 1, is_idle=True) for p, offset in sorted(next_offsets.items())
    )
    return Partial(stream, "kit", 0, 1, coverage, ())


def at_random(events: Events, seed: int, partitions: int) -> list[Partial]:
    """All events in transactions of any workers, each partition in its order."""
    rng = np.random.default_rng(seed)
    sizes = {p: len(events.of(p)) for p in range(partitions)}
    done = dict.fromkeys(sizes, 0)
    log: list[Partial] = []
    while left := [p for p in sizes if done[p] < sizes[p]]:
        chosen = [p for p in left if rng.random() < 0.6] or left[:1]
        ranges = {p: (done[p], min(int(rng.integers(1, 9)), sizes[p] - done[p])) for p in chosen}
        for partition, (first, count) in ranges.items():
            done[partition] = first + count
        log += transaction(events, ranges, parts=int(rng.integers(1, 4)))
    return log


def with_repeats(log: Sequence[Partial], seed: int) -> list[Partial]:
    """Some come again, some time after they came first."""
    rng = np.random.default_rng(seed)
    repeated = list(log)
    for at in rng.integers(0, len(log), len(log) // 3).tolist() if log else []:
        # Behind all: whoever writes one twice has written what was between before.
        repeated.insert(int(rng.integers(len(log), len(repeated) + 1)), log[at])
    return repeated


@dataclass(frozen=True)
class Whole:
    """A window that was counted at once.

    Attributes:
        rows: Predictions.
        letters: Dead letters by code.
        state: int64.
    """

    rows: int
    letters: Counter[int]
    state: Int64Array


def counted_at_once(events: Events) -> dict[int, Whole]:
    """All windows of all events, by start."""
    layout, width = events.layout, events.stream.window_ms
    counter = WindowCounter(layout, width, WAY)
    good = np.flatnonzero(~events.dead)
    found: dict[int, Whole] = {}
    starts = events.times_ms // width * width
    for start in np.unique(starts).tolist():
        rows = good[starts[good] == start]
        dead = int((events.dead & (starts == start)).sum())
        counter.clear()
        state = layout.empty(1)[0]
        picked = Values(
            np.asfortranarray(events.values.numbers[rows]),
            np.asfortranarray(events.values.kinds[rows]),
            {},
        )
        cells = counter.cells(
            sources_of(picked, layout.reference), events.slots[rows], events.times_ms[rows]
        )
        WAY.add_cells(
            cells.places, cells.units, cells.slots, np.zeros(len(rows), dtype=np.int64), 1,
            layout.tables, layout.co_rows, layout.scores, state[np.newaxis, :],
        )  # fmt: skip
        found[start] = Whole(len(rows), Counter({DEAD: dead} if dead else {}), state)
    return found
