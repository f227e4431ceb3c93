"""Hellinger distance: like Jensen-Shannon, by roots instead of logarithms.

Convention: from 0 (equal) to 1 (nothing in common).

Source: A. Bhattacharyya, Bull. Calcutta Math. Soc. 35 (1943), for the coefficient under the root.
"""

import numpy as np

from stream_app.core.columns import Int64Array
from stream_app.core.drift.reference import Float64Array
from stream_app.core.drift.statistics.shares import Counts, counted


def hellinger(reference: Int64Array | Counts, current: Int64Array | Counts) -> Float64Array:
    """The distance of each window.

    >>> import numpy as np
    >>> float(hellinger(np.array([1, 0]), np.array([0, 1])))
    1.0

    Args:
        reference: int64, shape ``(bins,)``.
        current: int64, shape ``(..., bins)``.

    Returns:
        float64, shape ``(...)``, in [0, 1]; NaN where a side has no rows.
    """
    # 1 - sum(sqrt(p q)) loses all digits where p and q are close; this is the same, and does not.
    roots = counted(current).roots - counted(reference).roots
    distance: Float64Array = np.sqrt(np.minimum((roots * roots).sum(axis=-1) / 2, 1.0))
    return distance
