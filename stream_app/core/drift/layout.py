"""How the state of a window lies in memory: one vector of integers, told by the reference.

Decides which number means what. All are counts, or sums of integers, so that states of parts add
up to the state of the whole, in any order and to the last bit. Refuses to know times, and which
window is meant.

    rows | column 0 | column 1 | ... | co_rows, co-sums, co-moments | scores

A column's section is its bins, then ``Apart``'s five counters, and of numeric columns then five
sums (``Sum``).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from stream_app.core.columns import Int32Array, Int64Array
from stream_app.core.drift.reference import (
    SCORE_BINS,
    UNIT,
    Apart,
    Column,
    CoMoments,
    Float32Array,
    Float64Array,
    Kind,
    Reference,
)

ROWS = 0
"""The place of the number of rows."""

SPARSE_BYTES = 20
"""At most, of a number of a state when it is written."""

BLOCK = 8
"""Edges of which one is compared first."""

BLOCK_ROWS = 256
"""Rows that are looked at at a time: of all columns they stay in the processor's nearest memory."""

_VARINT_BYTES = 10


def row_bytes(columns: int) -> int:
    """At most, of a row whose cells are written: a place and units a column, and a score."""
    return (2 * columns + 1) * _VARINT_BYTES


class Sum(IntEnum):
    """Sums of a numeric column's values in units, in their order behind the counters.

    A square has up to 62 bits: its lower 32 and the rest are summed apart, so that no number of
    rows that one window can hold makes either too large.
    """

    UNITS = 0
    SQUARES_LOW = 1
    SQUARES_HIGH = 2
    BELOW = 3
    """Of the values in the first bin, below the reference's range."""
    ABOVE = 4


@dataclass(frozen=True, slots=True)
class Section:
    """Where a column's part of the vector lies.

    Attributes:
        begin: Of its bins.
        apart: Of its counters apart.
        sums: Of its sums; equal to ``end`` if it has none.
        end: Behind it.
    """

    begin: int
    apart: int
    sums: int
    end: int


class Tables(NamedTuple):
    """What kernels are told of the columns; one number a column unless said.

    Attributes:
        kind: int64, of :class:`_KindCode`.
        begin: int64: where its bins begin in the vector.
        bins: int64: how many.
        first: int64: where its edges, values or codes begin in ``numbers``, or ``codes``.
        length: int64: how many they are.
        numbers: float64: edges of numeric and values of discrete columns, one behind the other.
            Edges come in blocks of ``BLOCK``, the last filled up with infinity, of which there is
            one at least.
        singles: float32: the same, rounded down: a number of this type is above an edge exactly if
            it is above the rounded one.
        codes: int64: the bins of codes, likewise.
        mean: float64: of the reference.
        scale: float64: units in one; 0 for constant columns.
        low: float64: values below are taken for this in sums.
        high: float64: values above, likewise.
        place: int64: among the correlated columns; -1: it is none.
    """

    kind: Int64Array
    begin: Int64Array
    bins: Int64Array
    first: Int64Array
    length: Int64Array
    numbers: Float64Array
    singles: Float32Array
    codes: Int64Array
    mean: Float64Array
    scale: Float64Array
    low: Float64Array
    high: Float64Array
    place: Int64Array

    def edges_for(
        self, numbers: np.dtype[np.generic]
    ) -> tuple[Float64Array | Float32Array, Int64Array | Int32Array]:
        """The edges that numbers of a type are compared with, and room to count in."""
        if numbers == np.float32:
            return self.singles, np.empty(BLOCK_ROWS, dtype=np.int32)
        return self.numbers, np.empty(BLOCK_ROWS, dtype=np.int64)


class KindCode(IntEnum):
    """``Kind`` in numbers."""

    NUMERIC = 0
    DISCRETE = 1
    CATEGORY = 2


_CODES = {
    Kind.NUMERIC: KindCode.NUMERIC,
    Kind.DISCRETE: KindCode.DISCRETE,
    Kind.CATEGORY: KindCode.CATEGORY,
}


class Layout:
    """Of one reference."""

    def __init__(self, reference: Reference) -> None:
        self.reference = reference
        self.sections: list[Section] = []
        at = ROWS + 1
        for column in reference.columns:
            apart = at + column.bins
            sums = apart + len(Apart)
            end = sums + (len(Sum) if column.kind is Kind.NUMERIC else 0)
            self.sections.append(Section(at, apart, sums, end))
            at = end
        self.co_rows = at
        self.co_sums = at + 1
        self.co_moments = self.co_sums + len(reference.correlated)
        at = self.co_moments + len(reference.co_moments)
        self.scores = at
        scores = reference.scores
        self.size = at + (0 if scores is None else len(scores.probability) * SCORE_BINS)
        self.tables = self._tables()

    def empty(self, windows: int) -> Int64Array:
        """The states of so many windows without a row, shape ``(windows, size)``."""
        return np.zeros((windows, self.size), dtype=np.int64)

    def counts(self, state: Int64Array, column: int) -> Int64Array:
        """A column's bins, shape ``(bins,)``."""
        section = self.sections[column]
        return state[section.begin : section.apart]

    def apart(self, state: Int64Array, column: int) -> Int64Array:
        """A column's counters apart, by :class:`Apart`."""
        section = self.sections[column]
        return state[section.apart : section.apart + len(Apart)]

    def together(self, state: Int64Array) -> CoMoments:
        """Of the correlated columns."""
        return CoMoments(
            state[self.co_moments : self.scores],
            state[self.co_sums : self.co_moments],
            state[self.co_rows],
        )

    def sums(self, state: Int64Array, column: int) -> Int64Array:
        """A numeric column's sums, by :class:`Sum`; else empty."""
        section = self.sections[column]
        return state[section.sums : section.end]

    def _tables(self) -> Tables:
        columns = self.reference.columns
        numbers = [_numbers(column) for column in columns]
        all_numbers = np.concatenate([np.empty(0), *numbers])
        codes = [_codes(column) for column in columns]
        firsts = np.cumsum([0, *map(len, numbers)])
        code_firsts = np.cumsum([0, *map(len, codes)])
        of_codes = [column.kind is Kind.CATEGORY for column in columns]
        moments = [column.moments for column in columns]
        place = np.full(len(columns), -1, dtype=np.int64)
        for index, column in enumerate(self.reference.correlated):
            place[column] = index
        return Tables(
            kind=_ints(_CODES[column.kind] for column in columns),
            begin=_ints(section.begin for section in self.sections),
            bins=_ints(column.bins for column in columns),
            first=np.where(of_codes, code_firsts[:-1], firsts[:-1]).astype(np.int64),
            length=_ints(
                len(code) if is_code else len(number)
                for is_code, code, number in zip(of_codes, codes, numbers, strict=True)
            ),
            numbers=all_numbers,
            singles=_rounded_down(all_numbers),
            codes=np.concatenate([np.empty(0, dtype=np.int64), *codes]),
            mean=_reals(0.0 if m is None else m.mean for m in moments),
            scale=_reals(0.0 if m is None or not m.sd else UNIT / m.sd for m in moments),
            low=_reals(0.0 if m is None else m.clip_low for m in moments),
            high=_reals(0.0 if m is None else m.clip_high for m in moments),
            place=place,
        )


def _numbers(column: Column) -> Float64Array:
    if column.kind is not Kind.NUMERIC:
        return column.values
    missing = BLOCK - len(column.edges) % BLOCK
    return np.concatenate([column.edges, np.full(missing, np.inf)])


def _rounded_down(numbers: Float64Array) -> Float32Array:
    with np.errstate(over="ignore"):  # to infinity, and then one down
        nearest = numbers.astype(np.float32)
    return np.where(nearest > numbers, np.nextafter(nearest, np.float32(-np.inf)), nearest)


def _codes(column: Column) -> Int64Array:
    """The bins of a tensor's codes. Strings are given as their bins, which are looked up before."""
    if column.kind is Kind.CATEGORY and not len(column.bin_of_code):
        return np.arange(column.bins, dtype=np.int64)
    return column.bin_of_code


def _ints(numbers: Iterable[int]) -> Int64Array:
    return np.array(list(numbers), dtype=np.int64)


def _reals(numbers: Iterable[float]) -> Float64Array:
    return np.array(list(numbers), dtype=np.float64)
