"""Bins: where they are cut, once, and which of them a value falls into, ever after.

Decides both, for the reference that is made and for the windows that are compared with it: the
rule may not be written twice. Refuses to know where values come from and what is done with counts.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from stream_app.core.columns import Int64Array, UInt8Array
from stream_app.core.columns import Kind as Cell
from stream_app.core.drift.reference import Column, Float64Array, Kind
from stream_app.core.drift.watch import Values

BASE_BINS = 64
"""Of a numeric column, by quantiles; and a value that so large a part of rows has is one itself."""
WIDE = 1 / 32
"""Of the range: where more of it is empty, that has bins of its own, none of them wider."""
MOST_DISCRETE = 20
"""Distinct whole numbers that are still names rather than amounts."""
MOST_NAMES = 255
APART = -1
"""In the place of a bin: the value is in none."""


def numeric_edges(values: Float64Array, least: float, greatest: float) -> Float64Array:
    """Where the bins of a numeric column end.

    Bins hold equal shares of ``values``. A value that at least a 64th of them have is alone in its
    bin, so that zeros, say, never share one with what is just below zero. A gap between values that
    is wider than a 32nd of the range has bins of its own, in which nothing is: one with values on
    both sides of it would lie somewhere between, and its rows with it. A constant column has three
    bins: below, the value, above.

    Args:
        values: A sample, finite, at least one.
        least: Of all rows, not only of the sample.
        greatest: Likewise.

    Returns:
        Increasing; a value x is in bin ``searchsorted(edges, x, side="left")``, the first bin is
        below all rows, the last above.
    """
    ordered = np.sort(values)
    count = len(ordered)
    ranks = -(-np.arange(1, BASE_BINS) * count // BASE_BINS) - 1
    distinct, held = np.unique(ordered, return_counts=True)
    atoms = distinct[held * BASE_BINS >= count]
    gaps = _wide_gaps(np.union1d(distinct, [least, greatest]))
    with np.errstate(over="ignore"):  # below the least double is minus infinity: no bin less
        below_least, below_atoms = np.nextafter(least, -np.inf), np.nextafter(atoms, -np.inf)
    edges = np.concatenate([ordered[ranks], atoms, below_atoms, gaps, [greatest]])
    inner = edges[(edges > least) & (edges <= greatest)]
    # ``least`` ends a bin only where it is alone in one.
    own = [least] if least in atoms or least in gaps else []
    found: Float64Array = np.unique(np.concatenate([[below_least], own, inner]))
    return found


def _wide_gaps(distinct: Float64Array) -> Float64Array:
    """The ends of their bins, and of the bins before; of all values that are there, in order."""
    # A range that no double holds has no gap that is wide.
    with np.errstate(over="ignore", invalid="ignore"):
        shares = np.diff(distinct) / (distinct[-1] - distinct[0])
    edges: list[float] = []
    for at in np.flatnonzero(shares > WIDE).tolist():
        first, after = distinct[at : at + 2].tolist()
        parts = int(np.ceil(shares[at] / WIDE))
        edges += [first + (after - first) / parts * part for part in range(parts)]
        edges.append(float(np.nextafter(after, -np.inf)))
    return np.array(edges)


def plain_name(text: str) -> str:
    """A name as it is compared: the same letters are the same, however they were composed."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def choose_names(counts: Counter[str]) -> tuple[str, ...]:
    """The most frequent names; of equals, the smaller in UTF-8."""
    ranked = sorted(counts.items(), key=lambda found: (-found[1], found[0].encode()))
    return tuple(name for name, _ in ranked[:MOST_NAMES])


class Binner:
    """The bins of rows, column by column, for one reference."""

    def __init__(self, columns: Iterable[Column], *, is_reference: bool = False) -> None:
        """Prepare what names need.

        Args:
            columns: With their bins.
            is_reference: The rows are the reference's own, so that none of their names is unseen.
        """
        self._columns = tuple(columns)
        self._is_reference = is_reference
        self._texts = {
            index: {name: bin_ for bin_, name in enumerate(column.names)}
            for index, column in enumerate(self._columns)
            if column.kind is Kind.CATEGORY
        }

    def bins(self, index: int, values: Values) -> Int64Array:
        """The bins of one column.

        Args:
            index: The column's.
            values: Of rows.

        Returns:
            int64, shape ``(k,)``; ``APART`` for null, NaN and infinities.
        """
        column, numbers = self._columns[index], values.numbers[:, index]
        kinds = values.kinds[:, index]
        if column.kind is Kind.NUMERIC:
            found = np.searchsorted(column.edges, numbers, side="left")
        elif column.kind is Kind.DISCRETE:
            found = _of_numbers(column, numbers)
        elif index in values.texts:
            found = self.of_texts(index, values.texts[index])
        else:
            found = _of_codes(column, numbers)
        if column.unseen is not None:
            found = np.where(kinds == Cell.UNSEEN, column.unseen, found)
        return np.where(is_valid(kinds), found, APART).astype(np.int64)

    def of_texts(self, index: int, texts: Iterable[str]) -> Int64Array:
        """The bins of one column's names, int64, shape ``(k,)``; of what is no value anything."""
        column, known = self._columns[index], self._texts[index]
        missing = column.bins - 2 if self._is_reference else unlisted(column)
        found = (known.get(plain_name(text), missing) for text in texts)
        return np.fromiter(found, dtype=np.int64)


def is_valid(kinds: UInt8Array) -> npt.NDArray[np.bool_]:
    """Which cells hold something that has a bin; the code for unseen categories has one too."""
    return np.asarray((kinds == Cell.VALUE) | (kinds == Cell.UNSEEN), dtype=np.bool_)


def unlisted(column: Column) -> int:
    """The bin of a name that is not in the list.

    The names that OTHER stands for are not kept. Where the reference has any, a name that it does
    not have cannot be told from them.
    """
    return column.bins - 2 if column.counts[-2] else column.bins - 1


def _of_numbers(column: Column, numbers: Float64Array) -> Int64Array:
    if not len(column.values):
        return np.full(len(numbers), column.bins - 1, dtype=np.int64)
    place = np.minimum(np.searchsorted(column.values, numbers), len(column.values) - 1)
    return np.where(column.values[place] == numbers, place, column.bins - 1)


def _of_codes(column: Column, numbers: Float64Array) -> Int64Array:
    last = len(column.bin_of_code) - 1
    # Cells without a value may hold anything, NaN too.
    codes = np.where((numbers >= 0) & (numbers <= last), numbers, last).astype(np.int64)
    bins: Int64Array = column.bin_of_code[codes]
    return bins
