"""Population stability index: what each of two distributions says against the other, summed.

Convention: natural logarithms; half a row is added to every bin of both sides, so that an empty bin
is no infinity. With the widespread 0.0001 instead, a window of 50 rows reaches 1.95 by chance
alone, with a half 0.67. The customary limits 0.1 and 0.25 say nothing without the number of rows:
see :func:`psi_noise`.

Source: H. Jeffreys, Proc. R. Soc. A 186 (1946), as its symmetric divergence, and likewise its half
a row; the noise: B. Yurdakul, Statistical properties of population stability index (2018).
"""

import numpy as np
import numpy.typing as npt

from stream_app.core.columns import Int64Array
from stream_app.core.drift.reference import Float64Array
from stream_app.core.drift.statistics.shares import Counts, counted


def psi(reference: Int64Array | Counts, current: Int64Array | Counts) -> Float64Array:
    """The index of each window.

    >>> import numpy as np
    >>> round(float(psi(np.array([500, 500]), np.array([600, 400]))), 4)
    0.0405

    Args:
        reference: int64, shape ``(bins,)``.
        current: int64, shape ``(..., bins)``.

    Returns:
        float64, shape ``(...)``, at least 0; NaN where a side has no rows.
    """
    p, q = counted(reference).smoothed, counted(current).smoothed
    index: Float64Array = ((q - p) * np.log(q / p)).sum(axis=-1)
    return index


def psi_noise(bins: int, reference: npt.ArrayLike, current: npt.ArrayLike) -> Float64Array:
    """What the index is expected to be without drift.

    Args:
        bins: How many.
        reference: Its rows.
        current: The rows of windows, shape ``(...)``.

    Returns:
        float64, shape ``(...)``: ``(bins - 1) * (1 / reference + 1 / current)``; NaN without rows.
    """
    rows = np.asarray(reference, np.float64), np.asarray(current, np.float64)
    m, n = (np.where(side > 0, side, np.nan) for side in rows)
    noise: Float64Array = (bins - 1) * (1 / m + 1 / n)
    return noise
