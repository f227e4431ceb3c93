"""The windows that are open in one transaction.

Decides in which window a row counts, and how each window's counts are written. Refuses to judge
whether a row is late: scorers know their own partitions only.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from stream_app.core.columns import (
    NO_TIMESTAMP,
    Int32Array,
    Int64Array,
    Tensor,
    UInt8Array,
    UInt16Array,
)
from stream_app.core.drift.layout import SPARSE_BYTES, Layout, Tables, row_bytes
from stream_app.core.drift.partial import Form, WindowDelta
from stream_app.core.drift.reference import Float32Array, Float64Array, Int16Array
from stream_app.core.drift.sources import Source

_KEPT_ROWS: Final = 64
"""Of a window with more, counts are shorter than cells."""


class Arithmetic(Protocol):
    """``kernels.py`` or ``plain.py``."""

    def cover_rows(
        self,
        partitions: Int32Array,
        offsets: Int64Array,
        times_ms: Int64Array,
        firsts: Int64Array,
        lasts: Int64Array,
        greatest: Int64Array,
    ) -> None:
        """See ``kernels.cover_rows``."""

    def find_cells(
        self,
        tensor: Tensor,
        kinds: UInt8Array,
        which: Int64Array,
        edges: Float64Array | Float32Array,
        room: Int64Array | Int32Array,
        tables: Tables,
        places: Int16Array,
        units: Int32Array,
    ) -> None:
        """See ``kernels.find_cells``."""

    def add_cells(
        self,
        places: Int16Array,
        units: Int32Array,
        slots: Int64Array,
        windows: Int64Array,
        weight: int,
        tables: Tables,
        co_rows: int,
        scores: int,
        states: Int64Array,
    ) -> None:
        """See ``sum_kernels.add_cells``."""

    def write_rows(
        self,
        places: Int16Array,
        units: Int32Array,
        slots: Int64Array,
        rows: npt.NDArray[np.intp],
        tables: Tables,
        out: UInt8Array,
    ) -> int:
        """See ``byte_kernels.write_rows``."""

    def read_rows(
        self,
        data: UInt8Array,
        tables: Tables,
        most_slots: int,
        places: Int16Array,
        units: Int32Array,
        slots: Int64Array,
    ) -> bool:
        """See ``byte_kernels.read_rows``."""

    def write_sparse(self, state: Int64Array, out: UInt8Array) -> int:
        """See ``byte_kernels.write_sparse``."""

    def read_sparse(self, data: UInt8Array, state: Int64Array) -> bool:
        """See ``byte_kernels.read_sparse``."""

    def is_balanced(self, state: Int64Array, bounds: Int64Array) -> bool:
        """See ``byte_kernels.is_balanced``."""


@dataclass(frozen=True, slots=True)
class Cells:
    """Rows, as they are counted.

    Attributes:
        places: See ``kernels.find_cells``.
        units: Likewise.
        slots: See ``sum_kernels.add_cells``.
        times_ms: int64, shape ``(k,)``: of the events.
    """

    places: Int16Array
    units: Int32Array
    slots: Int64Array
    times_ms: Int64Array

    def __len__(self) -> int:
        return len(self.times_ms)

    def take(self, rows: npt.NDArray[np.intp]) -> "Cells":
        """Some of the rows."""
        return Cells(
            np.ascontiguousarray(self.places[:, rows]),
            np.ascontiguousarray(self.units[:, rows]),
            self.slots[rows],
            self.times_ms[rows],
        )


@dataclass(slots=True)
class _Window:
    """One that is open: its place among the states, its rows while they are few, its dead."""

    place: int
    rows: int = 0
    kept: bytearray | None = field(default_factory=bytearray)
    letters: Counter[int] = field(default_factory=Counter)


class WindowCounter:
    """Counts rows into the windows of their event times, until they are taken."""

    def __init__(self, layout: Layout, window_ms: int, way: Arithmetic) -> None:
        self._layout = layout
        self._window_ms = window_ms
        self._way = way
        self._windows: dict[int, _Window] = {}
        self._states = layout.empty(4)
        self.rows_without_time = 0
        self.letters_without_time: Counter[int] = Counter()

    @property
    def windows(self) -> int:
        """How many are open."""
        return len(self._windows)

    def cells(self, sources: Iterable[Source], slots: Int64Array, times_ms: Int64Array) -> Cells:
        """Find where each value is counted; every column is in one of the sources."""
        tables = self._layout.tables
        shape = len(self._layout.sections), len(times_ms)
        places, units = np.empty(shape, dtype=np.int16), np.empty(shape, dtype=np.int32)
        for each in sources:
            edges, room = tables.edges_for(each.tensor.dtype)
            self._way.find_cells(
                each.tensor, each.kinds, each.which, edges, room, tables, places, units
            )
        return Cells(places, units, slots, times_ms)

    def add(self, cells: Cells) -> None:
        """Count rows."""
        starts, inverse = self._starts(cells.times_ms)
        rows = self._count(cells, [self._open(start).place for start in starts], inverse, 1)
        self.rows_without_time += rows.pop()
        for number, (start, count) in enumerate(zip(starts, rows, strict=True)):
            window = self._windows[start]
            window.rows += count
            if window.kept is None or window.rows > _KEPT_ROWS:
                window.kept = None
            else:
                window.kept += self._written(cells, np.flatnonzero(inverse == number))

    def remove(self, cells: Cells) -> None:
        """Take rows out again that were added to windows still open."""
        starts, inverse = self._starts(cells.times_ms)
        rows = self._count(cells, [self._windows[start].place for start in starts], inverse, -1)
        self.rows_without_time -= rows.pop()
        for start, count in zip(starts, rows, strict=True):
            self._windows[start].rows -= count
            self._windows[start].kept = None

    def bury(self, faults: UInt16Array, times_ms: Int64Array) -> None:
        """Count dead letters; of those whose time cannot be trusted it is ``NO_TIMESTAMP``."""
        for fault, time_ms in zip(faults.tolist(), times_ms.tolist(), strict=True):
            if time_ms == NO_TIMESTAMP:
                self.letters_without_time[fault] += 1
            else:
                self._open(time_ms // self._window_ms * self._window_ms).letters[fault] += 1

    def take(self) -> tuple[WindowDelta, ...]:
        """What was counted in each window, by start. It stays, until :meth:`clear`."""
        return tuple(self._delta(start, self._windows[start]) for start in sorted(self._windows))

    def clear(self) -> None:
        """Begin anew."""
        self._states[: len(self._windows)] = 0
        self._windows.clear()
        self.rows_without_time = 0
        self.letters_without_time.clear()

    def _starts(self, times_ms: Int64Array) -> tuple[list[int], Int64Array]:
        """The windows of these times, and each row's among them; one past the last: in none."""
        if not len(times_ms):
            return [], np.empty(0, dtype=np.int64)
        least, greatest = int(times_ms.min()), int(times_ms.max())
        first = least // self._window_ms * self._window_ms
        if greatest < first + self._window_ms and not least <= NO_TIMESTAMP <= greatest:
            # Mostly: a batch spans less than a window, and divisions are slow.
            return [first], np.zeros(len(times_ms), dtype=np.int64)
        starts = times_ms // self._window_ms * self._window_ms
        unknown = times_ms == NO_TIMESTAMP
        found = np.unique(starts[~unknown])
        places = np.searchsorted(found, starts).astype(np.int64)
        return found.tolist(), np.where(unknown, len(found), places)

    def _open(self, start: int) -> _Window:
        window = self._windows.get(start)
        if window is None:
            place = len(self._windows)
            if place == len(self._states):
                self._states = np.concatenate([self._states, np.zeros_like(self._states)])
            window = self._windows[start] = _Window(place)
        return window

    def _count(
        self, cells: Cells, windows: list[int], inverse: Int64Array, weight: int
    ) -> list[int]:
        """Answers how many rows each window has, and then how many are in none."""
        layout = self._layout
        if len(windows) == 1 and not inverse.any():
            rows, of_row = [len(cells), 0], inverse + windows[0]
        else:
            rows = np.bincount(inverse, minlength=len(windows) + 1).tolist()
            # Row by row from window to window takes ten times as long.
            order = np.argsort(inverse, kind="stable")
            cells, inverse = cells.take(order), inverse[order]
            of_row = np.array([*windows, -1], dtype=np.int64)[inverse]
        self._way.add_cells(
            cells.places, cells.units, cells.slots, of_row, weight,
            layout.tables, layout.co_rows, layout.scores, self._states,
        )  # fmt: skip
        return rows

    def _written(self, cells: Cells, rows: npt.NDArray[np.intp]) -> bytes:
        out = np.empty(len(rows) * row_bytes(len(cells.places)), dtype=np.uint8)
        size = self._way.write_rows(
            cells.places, cells.units, cells.slots, rows, self._layout.tables, out
        )
        return out[:size].tobytes()

    def _delta(self, start: int, window: _Window) -> WindowDelta:
        state = self._states[window.place]
        out = np.empty(self._layout.size * SPARSE_BYTES, dtype=np.uint8)
        form, counts = Form.SPARSE, out[: self._way.write_sparse(state, out)].tobytes()
        if window.kept is not None and len(window.kept) < len(counts):
            form, counts = Form.ROWS, bytes(window.kept)
        return WindowDelta(start, window.rows, dict(window.letters), form, counts)


def add_delta(delta: WindowDelta, layout: Layout, way: Arithmetic, state: Int64Array) -> bool:
    """Add what a transaction counted to a window's state; answers whether it was sound.

    Args:
        delta: From anywhere; nothing of it is believed.
        layout: Of its stream's reference.
        way: Of reading and counting.
        state: int64, shape ``(size,)``; changed, and of no use if it was not sound.
    """
    data = np.frombuffer(delta.counts, dtype=np.uint8)
    before = int(state[0])
    if delta.form is Form.SPARSE:
        return way.read_sparse(data, state) and int(state[0]) - before == delta.rows
    columns = len(layout.sections)
    if not 0 <= delta.rows <= len(data):
        return False
    places = np.empty((columns, delta.rows), dtype=np.int16)
    units = np.empty((columns, delta.rows), dtype=np.int32)
    slots = np.empty(delta.rows, dtype=np.int64)
    most_slots = layout.size - layout.scores
    if not way.read_rows(data, layout.tables, most_slots, places, units, slots):
        return False
    way.add_cells(
        places, units, slots, np.zeros(delta.rows, dtype=np.int64), 1,
        layout.tables, layout.co_rows, layout.scores, state[np.newaxis, :],
    )  # fmt: skip
    return True
