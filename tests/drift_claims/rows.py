"""Rows of any data, made into a reference and judged window by window, by the product's own parts.

Decides how data that no contract describes is watched: a column a field, numbers as the float32
that a model would get. Nothing is measured here in a second way: bins, counts, calibration and
verdicts are the product's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, cast

import numpy as np

from stream_app.adapters.drift.compiled_counting import kernels
from stream_app.core.columns import Int64Array
from stream_app.core.columns import Kind as Cell
from stream_app.core.drift.calibrate import REPEATS, calibrate
from stream_app.core.drift.counter import Arithmetic
from stream_app.core.drift.layout import Layout
from stream_app.core.drift.partial import Stream
from stream_app.core.drift.profile import Survey, Tally, rows_to_draw
from stream_app.core.drift.reference import Float64Array, Origin, Reference, Role
from stream_app.core.drift.report_window import WindowCounts, report_window
from stream_app.core.drift.watch import Values, Watched
from stream_app.core.drift.window_report import WindowHead, WindowReport

MIN_ROWS = 30
_WAY: Final = cast(Arithmetic, kernels)
_STREAM = Stream("claims", "1", "primary", "0" * 16, 1_000)
_AT_A_TIME = 200_000
"""Rows that are counted at once."""


@dataclass(frozen=True, slots=True)
class Field:
    """One column of data.

    Attributes:
        name: Of it.
        labels: Of its categories, whose places are the values; ``None``: it is a number.
    """

    name: str
    labels: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """Data in its order.

    Attributes:
        fields: One a column.
        numbers: float64, shape ``(rows, fields)``; NaN: null.
    """

    fields: tuple[Field, ...]
    numbers: Float64Array

    def __len__(self) -> int:
        return len(self.numbers)

    def part(self, begin: int, end: int) -> "Rows":
        """Some rows in sequence; ``end`` is exclusive."""
        return Rows(self.fields, self.numbers[begin:end])

    def values(self) -> Values:
        """As the product reads them off tensors."""
        numbers = np.asfortranarray(self.numbers.astype(np.float32), np.float64)
        kinds = np.where(np.isnan(numbers), Cell.NULL, Cell.VALUE).astype(np.uint8)
        return Values(numbers, np.asfortranarray(kinds), {})


def joined(parts: Sequence[Rows]) -> Rows:
    """One behind the other."""
    return Rows(parts[0].fields, np.concatenate([part.numbers for part in parts]))


def reference_of(
    rows: Rows, *, in_time_order: bool, sizes: Sequence[int] | None = None, repeats: int = REPEATS
) -> Layout:
    """A reference of these rows, calibrated.

    Args:
        rows: Of a time without drift.
        in_time_order: See :func:`~stream_app.core.drift.calibrate.calibrate`, as the following.
        sizes: Of windows.
        repeats: Windows of each size.
    """
    watched = [
        Watched(field.name, Origin(Role.INPUT, "x", at, feature=at), field.labels)
        for at, field in enumerate(rows.fields)
    ]
    values, survey = rows.values(), Survey(watched, sample_rows=len(rows))
    survey.add(values)
    tally = Tally(survey.blank_columns())
    tally.add(values)
    columns, correlated = tally.columns(), tally.correlated
    bins, coarse = rows_to_draw(columns, correlated, survey.sample.values())
    calibration = calibrate(
        columns, bins, correlated, coarse,
        in_time_order=in_time_order, sizes=sizes, repeats=repeats,
    )  # fmt: skip
    reference = Reference(
        "claims", "1", tally.rows, columns, correlated, tally.co_moments(), tally.co_sums,
        tally.co_rows, None, calibration,
    )  # fmt: skip
    return Layout(reference)


def reports(layout: Layout, values: Values, size: int) -> Iterator[WindowReport]:
    """What is told of each window of so many rows in sequence; a rest of fewer rows is left out."""
    most = max(1, _AT_A_TIME // size)
    windows = len(values) // size
    for first in range(0, windows, most):
        count = min(most, windows - first)
        part = slice(first * size, (first + count) * size)
        states = _counted(layout, Values(values.numbers[part], values.kinds[part], {}), size)
        for at, state in enumerate(states):
            head = WindowHead(_STREAM, (first + at) * 1_000, 1_000, 1, True, True, 1, size, {})
            yield report_window(layout, WindowCounts(head, state), MIN_ROWS)


def _counted(layout: Layout, values: Values, size: int) -> Int64Array:
    rows, columns = values.numbers.shape
    places = np.empty((columns, rows), dtype=np.int16)
    units = np.empty((columns, rows), dtype=np.int32)
    tables, which = layout.tables, np.repeat(np.arange(columns), 3).reshape(-1, 3)
    tensor, kinds = map(np.ascontiguousarray, (values.numbers, values.kinds))
    edges, room = tables.edges_for(tensor.dtype)
    _WAY.find_cells(tensor, kinds, which, edges, room, tables, places, units)
    states = layout.empty(rows // size)
    _WAY.add_cells(
        places, units, np.full(rows, -1), np.arange(rows) // size, 1,
        layout.tables, layout.co_rows, layout.scores, states,
    )  # fmt: skip
    return states


def is_loud(report: WindowReport) -> bool:
    """Whether its greatest score is above the threshold: what one window in a hundred may be."""
    return report.greatest > report.threshold
