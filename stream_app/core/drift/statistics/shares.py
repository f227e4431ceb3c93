"""Counts as shares and as cumulative shares; without rows both are NaN."""

from functools import cached_property

import numpy as np

from stream_app.core.columns import Int64Array
from stream_app.core.drift.reference import Float64Array


class Counts:
    """Counts of bins, and what is made of them: each once, when it is first asked for.

    For a side that is compared more than once: a reference, or a window by several statistics.

    Attributes:
        bins: int64, shape ``(..., bins)``.
    """

    def __init__(self, bins: Int64Array) -> None:
        """Count nothing yet."""
        self.bins = bins

    @cached_property
    def shares(self) -> Float64Array:
        """Of each bin; NaN without rows."""
        return _divided(self.bins, self.bins.sum(axis=-1, keepdims=True))

    @cached_property
    def cumulative(self) -> Float64Array:
        """The share of each bin and all before it; NaN without rows."""
        sums = self.bins.cumsum(axis=-1)
        return _divided(sums, sums[..., -1:])

    @cached_property
    def roots(self) -> Float64Array:
        """Of shares."""
        found: Float64Array = np.sqrt(self.shares)
        return found

    @cached_property
    def smoothed(self) -> Float64Array:
        """Shares, with half a row more in every bin; NaN without rows."""
        rows = self.bins.sum(axis=-1, keepdims=True)
        half = np.where(rows > 0, 0.5, np.nan)
        found: Float64Array = (self.bins + half) / (rows + self.bins.shape[-1] * half)
        return found


def counted(counts: Int64Array | Counts) -> Counts:
    """Counts as such."""
    return counts if isinstance(counts, Counts) else Counts(counts)


def _divided(counts: Int64Array, totals: Int64Array) -> Float64Array:
    with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN that is wanted
        quotients: Float64Array = counts / totals
    return quotients
