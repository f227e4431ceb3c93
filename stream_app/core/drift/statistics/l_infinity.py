"""L-infinity distance: the greatest change of any one bin's share.

Convention: of shares, from 0 to 1. Names its own cause: the bin.

Source: Chebyshev's distance; as a drift statistic: E. Breck et al., Data validation for machine
learning, MLSys (2019).
"""

import numpy as np

from stream_app.core.columns import Int64Array
from stream_app.core.drift.reference import Float64Array
from stream_app.core.drift.statistics.shares import Counts, counted


def l_infinity(reference: Int64Array | Counts, current: Int64Array | Counts) -> Float64Array:
    """The distance of each window.

    >>> import numpy as np
    >>> float(l_infinity(np.array([2, 1, 1]), np.array([1, 1, 2])))
    0.25

    Args:
        reference: int64, shape ``(bins,)``.
        current: int64, shape ``(..., bins)``.

    Returns:
        float64, shape ``(...)``, in [0, 1]; NaN where a side has no rows.
    """
    apart = np.abs(counted(current).shares - counted(reference).shares)
    greatest: Float64Array = apart.max(axis=-1)
    return greatest
