"""Kolmogorov-Smirnov statistic: the greatest distance between two distribution functions.

Convention: looked for at the edges of bins only, which misses at most what lies within one: less
than 0.006 at n = 1,000 with 64 bins. No p-value: at a million rows a shift of a hundredth of a
standard deviation has one of 1e-6, and no importance.

Source: N. Smirnov, Bull. Math. Univ. Moscou 2 (1939).
"""

import numpy as np

from stream_app.core.columns import Int64Array
from stream_app.core.drift.reference import Float64Array
from stream_app.core.drift.statistics.shares import Counts, counted


def kolmogorov_smirnov(
    reference: Int64Array | Counts, current: Int64Array | Counts
) -> Float64Array:
    """The statistic of each window, for bins in the order of values.

    >>> import numpy as np
    >>> float(kolmogorov_smirnov(np.array([1, 1, 2]), np.array([0, 2, 2])))
    0.25

    Args:
        reference: int64, shape ``(bins,)``.
        current: int64, shape ``(..., bins)``.

    Returns:
        float64, shape ``(...)``, in [0, 1]; NaN where a side has no rows.
    """
    apart = np.abs(counted(current).cumulative - counted(reference).cumulative)
    greatest: Float64Array = apart.max(axis=-1)
    return greatest
