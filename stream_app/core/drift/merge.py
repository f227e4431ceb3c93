"""Partials into the windows of their stream: each counts once, whatever way they come.

Decides what of a partial is new, and adds that. All that is added are integers, so that any order
gives the same windows. Refuses to know when a window is closed (``closing.py``), bytes of records,
and clocks: it is told when a partial was sent.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from stream_app.core.columns import NO_TIMESTAMP, Int64Array
from stream_app.core.drift.counter import Arithmetic, add_delta
from stream_app.core.drift.layout import SPARSE_BYTES, Layout
from stream_app.core.drift.partial import SEPARATOR, Coverage, Partial, Stream, WindowDelta
from stream_app.core.drift.state_check import is_sound
from stream_app.errors import FatalError


class Outcome(StrEnum):
    """What became of a partial."""

    APPLIED = "applied"
    REPEATED = "repeated"
    """All of it was counted before: nothing was added."""
    OVERLAPPING = "overlapping"
    """Some of it was counted before, nobody can tell which: all of it was added."""
    MALFORMED = "malformed"
    """Its counts are none of this reference's: nothing was added."""


@dataclass(slots=True)
class Covered:
    """How far an input partition was counted.

    Attributes:
        applied: Offset of the last record.
        part: Of the transaction that ended there, the last part that was applied.
        parts: How many parts it has.
        exact: Whether that transaction overlapped with nothing.
        greatest_ms: The latest event time; ``NO_TIMESTAMP``: none is known.
        is_idle: Whether its owner said that nothing more comes.
    """

    applied: int
    part: int
    parts: int
    exact: bool = True
    greatest_ms: int = NO_TIMESTAMP
    is_idle: bool = False

    def continues(self, entry: Coverage, partial: Partial) -> bool:
        """Whether the partial is a further part of the transaction that was applied last."""
        same = entry.last == self.applied and partial.parts == self.parts
        return same and partial.part > self.part


@dataclass(slots=True)
class Window:
    """One that is kept.

    Attributes:
        start_ms: Inclusive.
        rows: Predictions in it.
        letters: Dead letters, by fault code.
        packed: The state, as ``write_sparse`` has it; not up to date while ``state`` is there.
        state: int64, shape ``(size,)``; only since it was touched last.
        revision: Of the last record that was published; 0: none was.
        is_final: Whether it is closed.
        exact: Whether nothing in it may have been counted twice.
        is_changed: Since it was published last.
    """

    start_ms: int
    rows: int = 0
    letters: Counter[int] = field(default_factory=Counter)
    packed: bytes = b""
    state: Int64Array | None = None
    revision: int = 0
    is_final: bool = False
    exact: bool = True
    is_changed: bool = False

    def unpacked(self, layout: Layout, way: Arithmetic) -> Int64Array:
        """The state, to be read or added to.

        Raises:
            FatalError: it is none of this layout's.
        """
        if self.state is None:
            state = layout.empty(1)[0]
            if not way.read_sparse(np.frombuffer(self.packed, dtype=np.uint8), state):
                raise FatalError(
                    f"the state of the drift window {self.start_ms} does not fit its reference; "
                    "delete the records of the changelog (kafka-delete-records) and set the group "
                    "back to the first partial (kafka-consumer-groups --reset-offsets)"
                )
            self.state = state
        return self.state

    def pack(self, way: Arithmetic) -> None:
        """Keep the state in few bytes."""
        if self.state is not None:
            out = np.empty(np.count_nonzero(self.state) * SPARSE_BYTES, dtype=np.uint8)
            self.packed = out[: way.write_sparse(self.state, out)].tobytes()
            self.state = None


@dataclass(slots=True)
class RollUp:
    """Some windows in sequence, told of as one.

    Attributes:
        length_ms: Of all of them.
        start_ms: Of the first.
        revision: Of the last record that was published; 0: none was.
        is_changed: Since then.
    """

    length_ms: int
    start_ms: int
    revision: int = 0
    is_changed: bool = True


@dataclass(slots=True)
class StreamState:
    """All that is known of one stream.

    Attributes:
        stream: Whose windows.
        covered: By input partition.
        windows: By start.
        roll_ups: By length and start.
        watermark_ms: No event before it is waited for; ``None``: not known yet.
        floor_ms: Windows that start before are over for ever; ``None``: none is.
        next_floor_ms: What the floor will be, after some time; ``None``: not known yet.
        next_floor_sent_ms: When what was sent last made it that.
        first_sent_ms: When its first partial was sent;
        last_sent_ms: and its last.
        counters: Of :class:`Outcome`, of partials; ``late``: rows and dead letters below the
            floor; ``without_time``: those in no window.
        touched: Starts of windows that were added to in this transaction.
    """

    stream: Stream
    covered: dict[int, Covered] = field(default_factory=dict)
    windows: dict[int, Window] = field(default_factory=dict)
    roll_ups: dict[tuple[int, int], RollUp] = field(default_factory=dict)
    watermark_ms: int | None = None
    floor_ms: int | None = None
    next_floor_ms: int | None = None
    next_floor_sent_ms: int = NO_TIMESTAMP
    first_sent_ms: int = NO_TIMESTAMP
    last_sent_ms: int = NO_TIMESTAMP
    counters: Counter[str] = field(default_factory=Counter)
    touched: set[int] = field(default_factory=set)

    def apply(
        self, partial: Partial, layout: Layout, way: Arithmetic, sent_ms: int, ahead_ms: int
    ) -> Outcome:
        """Add what is new in a partial of this stream; all of it or nothing.

        Args:
            partial: Of this stream; nothing of it is believed.
            layout: Of the stream's reference.
            way: Of reading and counting.
            sent_ms: When it was sent; ``NO_TIMESTAMP``: not known.
            ahead_ms: An event further ahead of that does not move the watermark: one with a time
                that cannot be would close all windows.
        """
        outcome = self._judge(partial)
        if outcome is not Outcome.REPEATED:
            added = [self._sound(delta, layout, way) for delta in partial.windows]
            if any(state is None for state in added):
                outcome = Outcome.MALFORMED
            else:
                exact = outcome is Outcome.APPLIED
                for delta, state in zip(partial.windows, added, strict=True):
                    if state is not None:
                        self._add(delta, state, layout, way, exact=exact)
                self._advance(partial, sent_ms, ahead_ms, exact=exact)
        self.counters[outcome] += 1
        return outcome

    def _judge(self, partial: Partial) -> Outcome:
        """By its coverage. Entries without records say nothing of what was counted."""
        fresh, repeated, overlaps = False, False, False
        for entry in partial.coverage:
            known = self.covered.get(entry.partition)
            if entry.first > entry.last:
                continue
            if known is None or entry.first > known.applied:
                fresh = True
            elif known.continues(entry, partial):
                fresh, overlaps = True, overlaps or not known.exact
            elif entry.last <= known.applied:
                repeated = True
            else:
                overlaps = True
        if overlaps or (fresh and repeated):
            return Outcome.OVERLAPPING
        return Outcome.REPEATED if repeated else Outcome.APPLIED

    def _is_over(self, delta: WindowDelta) -> bool:
        return self.floor_ms is not None and delta.start_ms < self.floor_ms

    def _sound(self, delta: WindowDelta, layout: Layout, way: Arithmetic) -> Int64Array | None:
        state: Int64Array = layout.empty(1)[0]
        if self._is_over(delta):
            return state
        sound = add_delta(delta, layout, way, state) and is_sound(layout, state, way)
        return state if sound else None

    def _add(
        self, delta: WindowDelta, state: Int64Array, layout: Layout, way: Arithmetic, *, exact: bool
    ) -> None:
        if self._is_over(delta):
            self.counters["late"] += delta.rows + sum(delta.letters.values())
            return
        window = self.windows.get(delta.start_ms)
        if window is None:
            window = self.windows[delta.start_ms] = Window(delta.start_ms, state=state)
        else:
            total = window.unpacked(layout, way)
            total += state
        window.rows += delta.rows
        if delta.letters:
            window.letters.update(delta.letters)
        window.exact &= exact
        window.is_changed = True
        self.touched.add(delta.start_ms)

    def _advance(self, partial: Partial, sent_ms: int, ahead_ms: int, *, exact: bool) -> None:
        """Remember what is covered now."""
        for entry in partial.coverage:
            known = self.covered.get(entry.partition)
            if known is None:
                known = Covered(entry.last, partial.part, partial.parts, exact)
                self.covered[entry.partition] = known
            elif entry.last > known.applied or known.continues(entry, partial):
                known.applied, known.part, known.parts = entry.last, partial.part, partial.parts
                known.exact = exact
            elif entry.last < known.applied:
                continue  # what an owner of before said of idleness
            known.is_idle = entry.is_idle and entry.first > entry.last
            latest_ms = entry.greatest_ms
            if sent_ms != NO_TIMESTAMP:
                latest_ms = min(latest_ms, sent_ms + ahead_ms)
            known.greatest_ms = max(known.greatest_ms, latest_ms)
        if sent_ms != NO_TIMESTAMP:
            if self.first_sent_ms == NO_TIMESTAMP:
                self.first_sent_ms = sent_ms
            self.last_sent_ms = max(self.last_sent_ms, sent_ms)
        lost = partial.rows_without_time + sum(partial.letters_without_time.values())
        if lost:
            self.counters["without_time"] += lost


def partial_fault(partial: Partial) -> str | None:
    """What cannot be in a partial, whatever its reference; ``None``: nothing."""
    stream, width = partial.stream, partial.stream.window_ms
    names = (stream.model_name, stream.model_version, stream.role, stream.reference_id)
    if any(not name or SEPARATOR in name for name in names):
        return "the stream's names cannot be"
    if width <= 0 or not 0 <= partial.part < partial.parts:
        return "the window's length, or the part's number, cannot be"
    if any(c.partition < 0 or c.first < 0 or c.last < c.first - 1 for c in partial.coverage):
        return "the coverage cannot be"
    numbers = [c.partition for c in partial.coverage]
    starts = [delta.start_ms for delta in partial.windows]
    if len(set(numbers)) < len(numbers) or len(set(starts)) < len(starts):
        return "a partition, or a window, is there twice"
    if partial.windows and all(c.first > c.last for c in partial.coverage):
        return "counts of no record"
    if any(start % width for start in starts):
        return "a window does not start where windows of its length do"
    counts = [delta.rows for delta in partial.windows] + [partial.rows_without_time]
    letters = [*(d.letters for d in partial.windows), partial.letters_without_time]
    if min(counts) < 0 or any(_is_negative(of_window) for of_window in letters):
        return "a count is negative"
    return None


def _is_negative(letters: Mapping[int, int]) -> bool:
    return min(letters.values(), default=0) < 0
