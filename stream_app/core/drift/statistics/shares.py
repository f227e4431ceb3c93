"""Counts as shares and as cumulative shares; without rows both are NaN."""

import numpy as np

from stream_app.core.columns import Int64Array
from stream_app.core.drift.reference import Float64Array


def shares(counts: Int64Array) -> Float64Array:
    """Of each bin in its row of ``counts``, shape ``(..., bins)``; NaN in a row without counts."""
    return _divided(counts, counts.sum(axis=-1, keepdims=True))


def cumulative_shares(counts: Int64Array) -> Float64Array:
    """Of each bin and all before it; summed as integers, so that the last is exactly 1."""
    sums = counts.cumsum(axis=-1)
    return _divided(sums, sums[..., -1:])


def _divided(counts: Int64Array, totals: Int64Array) -> Float64Array:
    with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN that is wanted
        quotients: Float64Array = counts / totals
    return quotients
