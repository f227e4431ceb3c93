"""References for tests of drift: columns and coded rows from raw values.

Bins are cut as the specification of numeric columns has it, without atoms.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from stream_app.core.columns import Int64Array
from stream_app.core.drift.measures import Tally, firsts_of
from stream_app.core.drift.reference import (
    COARSE_MOST,
    COARSE_UNIT,
    Column,
    CoMoments,
    Float64Array,
    Kind,
    Moments,
    Origin,
    Role,
)
from stream_app.core.drift.statistics.groups import groups_of
from stream_app.core.drift.statistics.wasserstein import positions_of

NOTHING = np.zeros(0, np.int64)


def numeric(name: str, values: Float64Array) -> Column:
    """A column whose bins are cut from ``values``; NaN is no value."""
    known = values[~np.isnan(values)]
    least, greatest, sd = float(known.min()), float(known.max()), float(known.std())
    inner = np.quantile(known, np.arange(1, 64) / 64, method="inverted_cdf")
    edges = np.unique([np.nextafter(least, -np.inf), *inner, greatest])
    at = np.searchsorted(edges, known, side="left")
    counts = np.bincount(at, minlength=len(edges) + 1)
    sums = np.bincount(at, known, minlength=len(edges) + 1)
    means = np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)
    means[0], means[-1] = least, greatest
    spread = greatest - least
    return Column(
        name=name,
        origin=Origin(Role.INPUT, "x", 0),
        kind=Kind.NUMERIC,
        counts=counts,
        apart=np.zeros(5, np.int64),
        edges=edges,
        means=means,
        groups=groups_of(counts),
        moments=Moments(
            float(known.mean()), sd, least, greatest, least - spread, greatest + spread
        ),
        values=np.zeros(0),
        names=(),
        bin_of_code=NOTHING,
    )


def category(name: str, codes: Float64Array, known: int) -> Column:
    """A column of ``known`` categories, then OTHER and UNSEEN."""
    counts = np.bincount(codes.astype(np.int64), minlength=known + 2)
    return Column(
        name=name,
        origin=Origin(Role.INPUT, "x", 0),
        kind=Kind.CATEGORY,
        counts=counts,
        apart=np.zeros(5, np.int64),
        edges=np.zeros(0),
        means=np.zeros(0),
        groups=NOTHING,
        moments=None,
        values=np.zeros(0),
        names=tuple(map(str, range(known))),
        bin_of_code=np.arange(known),
    )


@dataclass(frozen=True)
class Sample:
    """Rows as a reference sees them.

    Attributes:
        bins: Shape ``(rows, columns)``; -1: no value.
        coarse: Shape ``(rows, correlated)``.
        values: Raw, clipped as sums are, shape ``(rows, columns)``.
    """

    bins: Int64Array
    coarse: Int64Array
    values: Float64Array


@dataclass(frozen=True)
class Made:
    """A reference's columns, and its rows.

    Attributes:
        columns: From the rows.
        correlated: Of them.
        sample: The rows.
    """

    columns: tuple[Column, ...]
    correlated: tuple[int, ...]
    sample: Sample

    @classmethod
    def of(cls, values: Float64Array, kinds: Sequence[int], correlated: Sequence[int]) -> "Made":
        """From raw values, shape ``(rows, columns)``; a kind is 0: numeric, else categories."""
        columns = tuple(
            category(f"c{at}", values[:, at], kind) if kind else numeric(f"x{at}", values[:, at])
            for at, kind in enumerate(kinds)
        )
        made = cls(columns, tuple(correlated), Sample(NOTHING, NOTHING, values))
        return replace(made, sample=made.coded(values))

    def coded(self, values: Float64Array) -> Sample:
        """Raw values as this reference sees them."""
        bins = np.full(values.shape, -1)
        clipped = values.copy()
        for at, column in enumerate(self.columns):
            known = ~np.isnan(values[:, at])
            if column.moments is None:
                bins[known, at] = np.minimum(values[known, at], column.bins - 1)
            else:
                bins[known, at] = np.searchsorted(column.edges, values[known, at], side="left")
                clipped[:, at] = values[:, at].clip(
                    column.moments.clip_low, column.moments.clip_high
                )
        coarse = [self._coarse(at, values[:, at]) for at in self.correlated]
        shape = (len(values), len(coarse))
        return Sample(bins, np.array(coarse, np.int64).T.reshape(shape), clipped)

    def _coarse(self, at: int, values: Float64Array) -> Int64Array:
        moments = self.columns[at].moments
        assert moments is not None
        units = np.rint((values - moments.mean) / moments.sd * COARSE_UNIT)
        return np.nan_to_num(units).clip(-COARSE_MOST, COARSE_MOST).astype(np.int64)

    def tally(self, sample: Sample) -> Tally:
        """One window's."""
        counts = [
            np.bincount(of[of >= 0], minlength=column.bins)
            for of, column in zip(sample.bins.T, self.columns, strict=True)
        ]
        usable = (sample.bins[:, self.correlated] >= 0).all(axis=1)
        coarse = sample.coarse[usable]
        products = (coarse.T @ coarse)[np.triu_indices(len(self.correlated))]
        assert firsts_of(self.columns)[-1] == sum(map(len, counts))
        together = CoMoments(products, coarse.sum(axis=0), np.array(usable.sum()))
        return Tally(np.concatenate(counts), together)

    def positions(self, sample: Sample) -> list[Float64Array]:
        """Of one window, where each column's bins lie."""
        return [
            self._positions(at, column, sample) if column.moments else column.means
            for at, column in enumerate(self.columns)
        ]

    def _positions(self, at: int, column: Column, sample: Sample) -> Float64Array:
        outer = [sample.values[sample.bins[:, at] == end, at] for end in (0, column.bins - 1)]
        low, high = (np.array(of.mean() if len(of) else np.nan) for of in outer)
        return positions_of(column.means, low, high)
