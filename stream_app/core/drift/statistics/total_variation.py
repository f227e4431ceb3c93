"""Total variation distance: the share of rows that would have to be in other bins.

Convention: half the sum of absolute differences of shares, from 0 to 1.

Source: D. Levin and Y. Peres, Markov chains and mixing times, 2nd ed. (2017), section 4.1.
"""

import numpy as np

from stream_app.core.columns import Int64Array
from stream_app.core.drift.reference import Float64Array
from stream_app.core.drift.statistics.shares import Counts, counted


def total_variation(reference: Int64Array | Counts, current: Int64Array | Counts) -> Float64Array:
    """The distance of each window.

    >>> import numpy as np
    >>> float(total_variation(np.array([2, 1, 1]), np.array([1, 1, 2])))
    0.25

    Args:
        reference: int64, shape ``(bins,)``.
        current: int64, shape ``(..., bins)``.

    Returns:
        float64, shape ``(...)``, in [0, 1]; NaN where a side has no rows.
    """
    apart = np.abs(counted(current).shares - counted(reference).shares)
    sums: Float64Array = apart.sum(axis=-1)
    return np.minimum(sums / 2, 1.0)  # of rounded shares it may be a little more
