"""Calibration: how large statistics get by chance, tried on windows drawn from the reference.

Decides how windows are drawn and what is kept of them. Refuses to know files and clocks. The same
reference gives the same calibration everywhere: the seed is fixed, rows are counted as integers,
and what logarithms leave different in the last digits is rounded away.

Windows are drawn with all columns of a row together, so that what depends on each other alarms
together. They lie within the reference's range, as it does: no outer bin needs a mean here.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream_app.core.columns import Int64Array
from stream_app.core.drift.column_counts import ColumnCounts
from stream_app.core.drift.draw_kernels import count_bins, sum_products
from stream_app.core.drift.measures import (
    ALL_COLUMNS,
    Tally,
    alerting_tests,
    firsts_of,
    measured,
    measured_column,
)
from stream_app.core.drift.reference import (
    Calibration,
    Column,
    CoMoments,
    Float64Array,
    Int16Array,
    Test,
)

REPEATS = 2_000
TARGET = 0.01

_SIZES = (30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)
_LEAST_SIZES = 3
_SEED = 1
_SLICE_BYTES = 1 << 25
"""Of counts at a time; what is computed from them takes a few times as much."""
_LEAST_WINDOWS = 20
"""Of neighbouring rows: fewer say nothing of their 90 % quantile."""
_ERRORS = 2.0
"""Standard errors, of a mean that is not to be too small."""
_NEVER_SEEN = 1.0
"""The quantile where no row drawn had a value: one that no distance gets far above."""
_DIGITS = 9
"""Kept of each number. Its own error, of 2,000 windows, is in the second."""


def sizes_for(rows: int) -> tuple[int, ...]:
    """Windows to draw from a reference of so many rows.

    Ten times the reference is enough: further on chance falls by the root of the size alone.
    """
    enough = sum(size <= 10 * rows for size in _SIZES)
    return _SIZES[: max(_LEAST_SIZES, enough)]


def calibrate(
    columns: Sequence[Column],
    bins: npt.NDArray[np.integer],
    correlated: Sequence[int],
    coarse: npt.NDArray[np.integer],
    *,
    in_time_order: bool,
    target: float = TARGET,
    sizes: Sequence[int] | None = None,
    repeats: int = REPEATS,
    progress: Callable[[float], None] = lambda share: None,
) -> Calibration:
    """Draw windows of each size, and measure them.

    Args:
        columns: Of the reference; their counts may be of more rows than are given here.
        bins: Shape ``(rows, columns)``: the bin of each value; -1: it is in none.
        correlated: The columns whose correlation is watched.
        coarse: Shape ``(rows, correlated)``: their values in coarse units; only of rows in which
            all of these are in a bin.
        in_time_order: Whether the rows are; only then can neighbours be told from others.
        target: The share of windows without drift that may alert.
        sizes: Of windows, increasing; ``None``: as :func:`sizes_for` has it.
        repeats: Windows for each size.
        progress: Is told the share done, from 0 to 1.

    Returns:
        The calibration. Where a column never varied, and so no window differs from the reference,
        one row that does is given the score 1: it takes two to be drift.

    Raises:
        ValueError: There are no rows.
    """
    if not len(bins):
        raise ValueError("a reference without rows cannot be calibrated: give it data")
    source = _Source(columns, bins, correlated, coarse)
    grid = tuple(sizes) if sizes is not None else sizes_for(len(bins))
    work = [min(size, source.rows) * len(columns) + size + source.rows for size in grid]
    nulls = []
    for at, size in enumerate(grid):
        before, here = sum(work[:at]) / sum(work), work[at] / sum(work)
        values = np.empty((repeats, len(source.tests)))
        for done in source.draw(size, values):
            progress(before + here * done)
        nulls.append(_Null.of(values, source.of_one_row(size), target))
    alike = _neighbours(source, grid, nulls) if in_time_order else None
    factors = alike or _Neighbours(*np.ones((3, len(source.tests))))
    return Calibration(
        tests=source.tests,
        sizes=np.array(grid, np.int64),
        q99=_rounded(np.stack([null.q99 for null in nulls], axis=1)),
        mean=_rounded(np.stack([null.mean * factors.mean for null in nulls], axis=1)),
        sd=_rounded(np.stack([null.sd * factors.sd for null in nulls], axis=1)),
        threshold=_rounded(np.array([null.threshold for null in nulls])),
        kappa=_rounded(factors.q90),
        target=target,
        repeats=repeats,
        kind="iid" if alike is None else "contiguous",
    )


@dataclass(frozen=True, slots=True)
class _Null:
    """What windows of one size reach by chance; arrays of shape ``(tests,)``."""

    q90: Float64Array
    q99: Float64Array
    mean: Float64Array
    sd: Float64Array
    threshold: float

    @classmethod
    def of(cls, values: Float64Array, one_row: Float64Array, target: float) -> "_Null":
        """From statistics of windows, shape ``(windows, tests)``, and those of a single row."""
        least = np.where(np.isnan(one_row), _NEVER_SEEN, one_row)
        q99 = np.fmax(_quantiles(values, 0.99), least)
        greatest = np.nan_to_num(values / q99).max(axis=1, initial=0.0)
        return cls(
            q90=np.fmax(_quantiles(values, 0.9), least),
            q99=q99,
            mean=_above_0(_of_each(np.mean, values), least),
            sd=_above_0(_of_each(np.std, values), least),
            threshold=float(
                max((least / q99).max(initial=0.0), np.quantile(greatest, 1.0 - target))
            ),
        )


class _Source:
    """The reference's rows, of which windows are made."""

    def __init__(
        self,
        columns: Sequence[Column],
        bins: npt.NDArray[np.integer],
        correlated: Sequence[int],
        coarse: npt.NDArray[np.integer],
    ) -> None:
        self._columns = columns
        self._bins: Int16Array = np.ascontiguousarray(bins, np.int16)
        self._coarse: Int16Array = np.ascontiguousarray(coarse, np.int16)
        self._usable = np.flatnonzero((bins[:, list(correlated)] >= 0).all(axis=1))
        self._firsts = firsts_of(columns)
        self._pairs = len(correlated) * (len(correlated) + 1) // 2
        self._positions = [column.means for column in columns]
        self.rows = len(bins)
        self.tests = alerting_tests(columns, correlated)
        self._whole = self._tally([np.ones(self.rows, np.int64)])

    def draw(self, size: int, values: Float64Array) -> Iterator[float]:
        """Fill ``values``, shape ``(windows, tests)``; yields the share done."""
        generator = np.random.Generator(np.random.PCG64((_SEED, size)))
        windows = len(values)
        a_slice = max(1, _SLICE_BYTES // (8 * (int(self._firsts[-1]) + self._pairs)))
        for begin in range(0, windows, a_slice):
            end = min(windows, begin + a_slice)
            draws = (generator.integers(0, self.rows, size) for _ in range(begin, end))
            tally = self._tally(np.bincount(rows, minlength=self.rows) for rows in draws)
            values[begin:end] = self._measured(self._whole, tally)
            yield end / windows

    def neighbours(self, size: int) -> Float64Array:
        """Of each window of rows in sequence, the statistics against all other rows."""
        firsts = range(0, self.rows - size + 1, size)
        index = np.arange(self.rows)
        windows = self._tally(((index - first) // size == 0).astype(np.int64) for first in firsts)
        pairs = zip(self._whole.together, windows.together, strict=True)
        rest = Tally(
            self._whole.counts - windows.counts, CoMoments(*(all_ - own for all_, own in pairs))
        )
        return self._measured(rest, windows)

    def of_one_row(self, size: int) -> Float64Array:
        """The statistics of a window like the reference, but for one row in its worst bin."""
        found = np.empty(len(self.tests))
        for at, test in enumerate(self.tests):
            found[at] = 1.0 / size if test.column == ALL_COLUMNS else self._worst(test, size)
        return found

    def _worst(self, test: Test, size: int) -> float:
        column = self._columns[test.column]
        counts = self._whole.counts[0, self._firsts[test.column] : self._firsts[test.column + 1]]
        windows = counts * (size - 1) + counts.sum() * np.eye(len(counts), dtype=np.int64)
        reference, others = ColumnCounts(column, counts), ColumnCounts(column, windows)
        values = measured_column(test, column, reference, others, column.means)
        return float(values.max())

    def _measured(self, reference: Tally, windows: Tally) -> Float64Array:
        return measured(self.tests, self._columns, reference, windows, self._positions)

    def _tally(self, windows: Iterable[Int64Array]) -> Tally:
        counts, sums, products, rows = [], [], [], []
        for times in windows:
            counted = np.zeros(self._firsts[-1], np.int64)
            count_bins(times, self._bins, self._firsts[:-1], counted)
            summed, multiplied = np.zeros(self._coarse.shape[1]), np.zeros(self._pairs)
            sum_products(times, self._coarse, self._usable, summed, multiplied)
            counts.append(counted)
            sums.append(summed)
            products.append(multiplied)
            rows.append(times[self._usable].sum())
        together = CoMoments(
            np.stack(products).astype(np.int64),
            np.stack(sums).astype(np.int64),
            np.array(rows, np.int64),
        )
        return Tally(np.stack(counts), together)


@dataclass(frozen=True, slots=True)
class _Neighbours:
    """How much more windows of neighbours differ; arrays of shape ``(tests,)``, at least 1."""

    q90: Float64Array
    mean: Float64Array
    sd: Float64Array


def _neighbours(
    source: _Source, sizes: Sequence[int], nulls: Sequence[_Null]
) -> _Neighbours | None:
    """Of the largest size of which there are enough; ``None``: of none.

    They are held against the rest of the reference, of which they are no part. Their mean is taken
    at the upper end of what so few windows leave open: sums over windows would add up the rest.
    """
    enough = [at for at, size in enumerate(sizes) if source.rows // size >= _LEAST_WINDOWS]
    if not enough:
        return None
    size, null = sizes[enough[-1]], nulls[enough[-1]]
    # Of the rest, which is a sample as well and not what windows were drawn from.
    widened = np.sqrt(1.0 + size / (source.rows - size))
    found = source.neighbours(size)
    sd = _of_each(np.std, found)
    mean = _of_each(np.mean, found) + _ERRORS * sd / np.sqrt(len(found))
    return _Neighbours(
        q90=np.fmax(_quantiles(found, 0.9) / (null.q90 * widened), 1.0),
        mean=np.fmax(mean / (null.mean * widened), 1.0),
        sd=np.fmax(sd / (null.sd * widened), 1.0),
    )


def _quantiles(values: Float64Array, share: float) -> Float64Array:
    return _of_each(lambda known: np.quantile(known, share), values)


def _of_each(what: Callable[[Float64Array], np.floating], values: Float64Array) -> Float64Array:
    """Of each column's numbers; NaN where it has none."""
    known = (column[~np.isnan(column)] for column in values.T)
    return np.array([what(some) if len(some) else np.nan for some in known], np.float64)


def _above_0(values: Float64Array, otherwise: Float64Array) -> Float64Array:
    return np.where(values > 0.0, values, otherwise)


def _rounded(numbers: Float64Array) -> Float64Array:
    texts = [f"{number:.{_DIGITS}g}" for number in numbers.ravel()]
    return np.array(texts, np.float64).reshape(numbers.shape)
