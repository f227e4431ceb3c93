"""Jensen-Shannon distance: how well one could tell which of two distributions a value is from.

Convention: the *distance*, which is the root of the divergence, with logarithms to base 2: from 0
(equal) to 1 (nothing in common). The same two histograms are 0.125 here, 0.104 with natural
logarithms, and 0.016 or 0.011 where the root is not taken.

Source: J. Lin, Divergence measures based on the Shannon entropy, IEEE Trans. Inf. Theory 37 (1991);
the root is a metric: D. Endres and J. Schindelin, IEEE Trans. Inf. Theory 49 (2003).
"""

import numpy as np

from stream_app.core.columns import Int64Array
from stream_app.core.drift.reference import Float64Array
from stream_app.core.drift.statistics.shares import Counts, counted


def jensen_shannon(reference: Int64Array | Counts, current: Int64Array | Counts) -> Float64Array:
    """The distance of each window; no constant is added to empty bins, since none is needed.

    >>> import numpy as np
    >>> round(float(jensen_shannon(np.array([500, 500]), np.array([645, 355]))), 3)
    0.125

    Args:
        reference: int64, shape ``(bins,)``.
        current: int64, shape ``(..., bins)``.

    Returns:
        float64, shape ``(...)``, in [0, 1]; NaN where a side has no rows.
    """
    p, q = counted(reference).shares, counted(current).shares
    middle = (p + q) / 2
    divergence = (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2
    # Rounding may leave a little less than 0, whose root is not a number.
    distance: Float64Array = np.sqrt(np.minimum(np.maximum(divergence, 0.0), 1.0))
    return distance


def _relative_entropy(p: Float64Array, middle: Float64Array) -> Float64Array:
    """In bits; ``0 log 0`` is 0."""
    ratio = np.divide(p, middle, out=np.ones_like(middle), where=p != 0)
    bits: Float64Array = (p * np.log2(ratio)).sum(axis=-1)
    return bits
