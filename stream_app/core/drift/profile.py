"""From rows to the columns of a reference, in two looks at all of them.

Decides of each column what kind it is, which it then stays for ever. The first look (``Survey``)
finds range, mean, spread and a sample that cuts the bins; the second (``Tally``) counts. Nothing
depends on how the rows are cut into chunks. Refuses to know files, models and calibration.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from stream_app.core.columns import Int64Array
from stream_app.core.columns import Kind as Cell
from stream_app.core.drift.bins import (
    APART,
    Binner,
    choose_names,
    is_valid,
    numeric_edges,
    plain_name,
)
from stream_app.core.drift.exact_sums import ExactSums
from stream_app.core.drift.reference import (
    Apart,
    Column,
    Float64Array,
    Kind,
    Moments,
    Role,
)
from stream_app.core.drift.row_sample import RowSample, rows_to_keep
from stream_app.core.drift.statistics.groups import groups_of
from stream_app.core.drift.units import coarse_units, near_values
from stream_app.core.drift.value_range import ValueRange
from stream_app.core.drift.watch import Values, Watched

MOST_CORRELATED = 64

_NO_INTS = np.empty(0, dtype=np.int64)
_NO_FLOATS = np.empty(0, dtype=np.float64)


class Survey:
    """The first look."""

    def __init__(self, watched: Sequence[Watched], sample_rows: int = 0) -> None:
        """See no rows yet.

        Args:
            watched: The columns.
            sample_rows: How many to keep; 0: as many as there is room for.
        """
        self.watched = tuple(watched)
        self.sample = RowSample(sample_rows or rows_to_keep(len(self.watched)))
        self._ranges = [ValueRange() for _ in self.watched]
        self._codes = [
            np.zeros(len(each.categories or ()), dtype=np.int64) for each in self.watched
        ]

    def add(self, values: Values) -> None:
        """See the next rows."""
        self.sample.add(values)
        for index, watched in enumerate(self.watched):
            if index in values.texts:
                continue
            if watched.categories is not None:
                codes = values.numbers[values.kinds[:, index] == Cell.VALUE, index]
                size = len(watched.categories)
                self._codes[index] += np.bincount(codes.astype(np.int64), minlength=size)[:size]
            else:
                numbers = values.numbers[is_valid(values.kinds[:, index]), index]
                # Minus nought is nought, in every bin and every sum.
                self._ranges[index].add(numbers + 0.0)

    def blank_columns(self) -> tuple[Column, ...]:
        """The columns with their bins, and nothing counted."""
        sample = self.sample.values()
        return tuple(self._blank(index, sample) for index in range(len(self.watched)))

    def _blank(self, index: int, sample: Values) -> Column:
        watched, seen = self.watched[index], self._ranges[index]
        valid = is_valid(sample.kinds[:, index])
        if index in sample.texts:
            names = Counter(
                plain_name(text)
                for text, good in zip(sample.texts[index], valid.tolist(), strict=True)
                if good
            )
            return _category(watched, choose_names(names))
        if watched.categories is not None:
            return _coded(watched, self._codes[index])
        if seen.is_discrete:
            return replace(
                _column(watched, Kind.DISCRETE, len(seen.distinct) + 2), values=seen.distinct
            )
        edges = numeric_edges(sample.numbers[valid, index] + 0.0, seen.least, seen.greatest)
        blank = _column(watched, Kind.NUMERIC, len(edges) + 1)
        return replace(blank, edges=edges, moments=seen.moments())


class Tally:
    """The second look."""

    def __init__(self, blank: Sequence[Column]) -> None:
        """Count in the bins of ``blank``."""
        self.rows = 0
        self._blank = tuple(blank)
        self._binner = Binner(blank, is_reference=True)
        self._counts = [np.zeros(column.bins, dtype=np.int64) for column in blank]
        self._apart = np.zeros((len(blank), len(Apart)), dtype=np.int64)
        self._sums = {
            index: ExactSums(column.bins)
            for index, column in enumerate(blank)
            if column.kind is Kind.NUMERIC
        }
        self.correlated = _correlated(blank)
        width = len(self.correlated)
        self._products = np.zeros((width, width), dtype=np.int64)
        self.co_sums: Int64Array = np.zeros(width, dtype=np.int64)
        self.co_rows = 0

    def add(self, values: Values) -> None:
        """Count the next rows."""
        self.rows += len(values)
        complete = np.ones(len(values), dtype=np.bool_)
        coarse = np.zeros((len(values), len(self.correlated)), dtype=np.float64)
        places = {column: place for place, column in enumerate(self.correlated)}
        for index, column in enumerate(self._blank):
            bins = self._binner.bins(index, values)
            valid = bins != APART
            self._counts[index] += np.bincount(bins[valid], minlength=column.bins)
            kinds = np.bincount(values.kinds[:, index], minlength=len(Cell))
            # From null on the two have the same order.
            self._apart[index, : Apart.CLIPPED] += kinds[Cell.NULL : Cell.UNSEEN]
            if column.moments is None:
                continue
            numbers = values.numbers[valid, index] + 0.0
            self._sums[index].add(numbers, bins[valid])
            near = near_values(numbers, column.moments)
            self._apart[index, Apart.CLIPPED] += np.count_nonzero(near != numbers)
            if index in places:
                complete &= valid
                coarse[valid, places[index]] = coarse_units(near, column.moments)
        self._multiply(coarse[complete])

    def columns(self) -> tuple[Column, ...]:
        """The columns, counted."""
        return tuple(self._finished(index) for index in range(len(self._blank)))

    def co_moments(self) -> Int64Array:
        """Sums of products, the upper triangle row by row."""
        return self._products[np.triu_indices(len(self.correlated))]

    def _multiply(self, coarse: Float64Array) -> None:
        # Whole numbers of at most 22 bits: as doubles their sums are exact.
        self._products += (coarse.T @ coarse).astype(np.int64)
        self.co_sums += coarse.sum(axis=0).astype(np.int64)
        self.co_rows += len(coarse) if self.correlated else 0

    def _finished(self, index: int) -> Column:
        blank, counts = self._blank[index], self._counts[index]
        done = replace(blank, counts=counts, apart=self._apart[index].copy())
        if blank.moments is None:
            return done
        means = _means(blank.edges, counts, self._sums[index], blank.moments)
        return replace(done, means=means, groups=groups_of(counts))


def rows_to_draw(
    columns: Sequence[Column], correlated: Sequence[int], sample: Values
) -> tuple[Int64Array, Int64Array]:
    """The sample as calibration draws from it.

    Returns:
        Bins, shape ``(k, columns)``, ``APART`` where a value is in none; and coarse values of the
        correlated columns, shape ``(k, correlated)``, which mean nothing where one is in none.
    """
    binner = Binner(columns, is_reference=True)
    bins = np.stack([binner.bins(index, sample) for index in range(len(columns))], axis=1)
    coarse = np.zeros((len(sample), len(correlated)), dtype=np.int64)
    for place, index in enumerate(correlated):
        valid, moments = bins[:, index] != APART, columns[index].moments
        if moments is not None:
            near = near_values(sample.numbers[valid, index], moments)
            coarse[valid, place] = coarse_units(near, moments)
    return bins, coarse


def _column(watched: Watched, kind: Kind, bins: int) -> Column:
    return Column(
        name=watched.name,
        origin=watched.origin,
        kind=kind,
        counts=np.zeros(bins, dtype=np.int64),
        apart=np.zeros(len(Apart), dtype=np.int64),
        edges=_NO_FLOATS,
        means=_NO_FLOATS,
        groups=_NO_INTS,
        moments=None,
        values=_NO_FLOATS,
        names=(),
        bin_of_code=_NO_INTS,
    )


def _category(watched: Watched, names: tuple[str, ...]) -> Column:
    return replace(_column(watched, Kind.CATEGORY, len(names) + 2), names=names)


def _coded(watched: Watched, held: Int64Array) -> Column:
    """Bins of the contract's categories that some row has; a code without one is unseen."""
    categories = [plain_name(name) for name in watched.categories or ()]
    counts: Counter[str] = Counter()
    for name, count in zip(categories, held.tolist(), strict=True):
        if count:
            counts[name] += count
    names = choose_names(counts)
    place = {name: bin_ for bin_, name in enumerate(names)}
    other, unseen = len(names), len(names) + 1
    bins = [place.get(name, other if name in counts else unseen) for name in categories]
    bin_of_code = np.array([*bins, unseen], dtype=np.int64)
    return replace(_category(watched, names), bin_of_code=bin_of_code)


def _correlated(columns: Sequence[Column]) -> tuple[int, ...]:
    """Numeric inputs that vary, the first of them."""
    found = (
        index
        for index, column in enumerate(columns)
        if column.origin.role is Role.INPUT and column.moments is not None and column.moments.sd > 0
    )
    return tuple(found)[:MOST_CORRELATED]


def _means(
    edges: Float64Array, counts: Int64Array, sums: ExactSums, moments: Moments
) -> Float64Array:
    """Of each bin; of one between atoms, in which nothing lies, its middle."""
    means = np.empty(len(counts), dtype=np.float64)
    for bin_, count in enumerate(counts.tolist()):
        if count:
            means[bin_] = float(sums.total(bin_) / count)
        elif 0 < bin_ < len(edges):
            means[bin_] = edges[bin_ - 1] / 2 + edges[bin_] / 2
    means[0], means[-1] = moments.least, moments.greatest
    return means
