"""A sample of rows that the rows' numbers alone decide: no seed, no order, no size of chunks.

Decides by a hash of each row's number: the rows with the smallest ones stay. Of data with no more
rows than that, the sample is all of it. Rows keep their order, which is that of time if the
data's is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream_app.core.columns import UInt8Array
from stream_app.core.drift.reference import Float64Array
from stream_app.core.drift.watch import Values

UInt64Array = npt.NDArray[np.uint64]

MOST_ROWS = 200_000
LEAST_ROWS = 20_000
MOST_CELLS = 20_000_000
"""Rows times columns; of very wide rows fewer are kept, though never less than ``LEAST_ROWS``."""


def rows_to_keep(columns: int) -> int:
    """How many rows of so many columns a sample has."""
    return max(LEAST_ROWS, min(MOST_ROWS, MOST_CELLS // max(1, columns)))


def splitmix64(numbers: UInt64Array) -> UInt64Array:
    """Hashes that look drawn; no two numbers have the same.

    Source: G. Steele, D. Lea, C. Flood, Fast splittable pseudorandom number generators (2014).
    """
    mixed = numbers + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


@dataclass(frozen=True, slots=True)
class _Part:
    hashes: UInt64Array
    rows: UInt64Array
    values: Values


class RowSample:
    """Add all rows, then ask."""

    def __init__(self, limit: int = MOST_ROWS) -> None:
        """Keep at most ``limit`` rows, and at most twice as many while rows are added."""
        self.limit = limit
        self.seen = 0
        self._parts: list[_Part] = []
        self._held = 0
        self._below = np.uint64(np.iinfo(np.uint64).max)

    @property
    def is_whole(self) -> bool:
        """Whether no row was left out."""
        return self.seen <= self.limit

    def add(self, values: Values) -> None:
        """Add the next rows."""
        rows = np.arange(self.seen, self.seen + len(values), dtype=np.uint64)
        self.seen += len(values)
        hashes = splitmix64(rows)
        near = np.flatnonzero(hashes <= self._below)
        part = _Part(hashes, rows, values)
        self._parts.append(part if len(near) == len(rows) else _take(part, near))
        self._held += len(near)
        if self._held > 2 * self.limit:
            self._shrink()

    def values(self) -> Values:
        """The rows of the sample, in their order."""
        self._shrink()
        return self._parts[0].values

    def _shrink(self) -> None:
        whole = _join(self._parts)
        if len(whole.rows) > self.limit:
            nearest = np.argpartition(whole.hashes, self.limit - 1)[: self.limit]
            whole = _take(whole, np.sort(nearest))
            self._below = whole.hashes.max()
        self._parts, self._held = [whole], len(whole.rows)


def take_rows(values: Values, rows: npt.NDArray[np.intp]) -> Values:
    """The given rows."""
    texts = {
        column: [column_texts[row] for row in rows.tolist()]
        for column, column_texts in values.texts.items()
    }
    return Values(values.numbers[rows], values.kinds[rows], texts)


def _take(part: _Part, rows: npt.NDArray[np.intp]) -> _Part:
    return _Part(part.hashes[rows], part.rows[rows], take_rows(part.values, rows))


def _join(parts: Sequence[_Part]) -> _Part:
    if len(parts) == 1:
        return parts[0]
    numbers: list[Float64Array] = [part.values.numbers for part in parts]
    kinds: list[UInt8Array] = [part.values.kinds for part in parts]
    texts: Mapping[int, Sequence[str]] = {
        column: [text for part in parts for text in part.values.texts[column]]
        for column in parts[0].values.texts
    }
    return _Part(
        np.concatenate([part.hashes for part in parts]),
        np.concatenate([part.rows for part in parts]),
        Values(np.concatenate(numbers), np.concatenate(kinds), texts),
    )
