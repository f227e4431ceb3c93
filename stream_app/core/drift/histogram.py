"""A numeric column as a histogram for eyes: bars of equal width, from bins of equal mass.

Decides which part of the range is worth looking at. For pictures only: nothing is computed from
it.
"""

from dataclasses import dataclass

import numpy as np

from stream_app.core.drift.reference import Column, Float64Array

BARS = 48
_MOST_STRETCH = 2.0
"""A tail longer than so many times the middle is left out of the picture."""
_LOW, _HIGH = 0.01, 0.99


@dataclass(frozen=True, slots=True)
class Histogram:
    """Bars.

    Attributes:
        edges: float64, shape ``(bars + 1,)``.
        spread: float64, shape ``(bars,)``: share of valid rows, of values in between others.
        single: float64, likewise: of values that are a bin alone, since many rows have them or
            since they stand at the end of the range behind a wide gap.
        outside: Share of rows beyond the edges.
    """

    edges: Float64Array
    spread: Float64Array
    single: Float64Array
    outside: float


def histogram_of(column: Column) -> Histogram:
    """The bars of a numeric column; values are taken to lie evenly within their bin.

    Raises:
        ValueError: the column is not numeric.
    """
    if column.moments is None:
        raise ValueError(f"{column.name}: only numeric columns have a histogram")
    inner = column.counts[1:-1].astype(np.float64)
    shares = inner / inner.sum()
    low, high = column.edges[:-1], column.edges[1:]
    is_single = np.nextafter(high, -np.inf) <= low
    begin, end = _range(column, np.cumsum(shares))
    edges = np.linspace(begin, end, BARS + 1)
    width = np.where(is_single, 1.0, high - low)
    # Of each bin, the part below each edge.
    below = np.clip((edges[:, None] - low) / width, 0.0, 1.0)
    spread = np.diff(below @ np.where(is_single, 0.0, shares))
    place = np.clip(np.searchsorted(edges, high[is_single], side="left") - 1, 0, BARS - 1)
    is_shown = (high[is_single] >= begin) & (high[is_single] <= end)
    held = shares[is_single][is_shown]
    single = np.bincount(place[is_shown], weights=held, minlength=BARS).astype(np.float64)
    outside = max(0.0, 1.0 - float(spread.sum() + single.sum()))
    return Histogram(edges, spread, single, outside if outside > 1e-9 else 0.0)


def _range(column: Column, cumulated: Float64Array) -> tuple[float, float]:
    high = column.edges[1:]
    first = float(column.moments.least) if column.moments else 0.0
    last = float(high[-1])
    if first == last:
        return first - 0.5, last + 0.5
    # Of the bins in which the tails begin, the inner ends: the outer ones may be anywhere.
    at_first, at_last = np.searchsorted(cumulated, [_LOW, _HIGH]).tolist()
    near_first, near_last = float(high[at_first]), float(high[max(at_last, 1) - 1])
    longest = _MOST_STRETCH * (near_last - near_first)
    if longest <= 0:
        return first, last
    begin = near_first if near_first - first > longest else first
    return begin, near_last if last - near_last > longest else last
