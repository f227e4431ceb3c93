"""Wasserstein-1 distance: how far values have to be carried to turn one distribution into another.

Convention: in standard deviations of the reference. All of a bin lies at the mean of the
reference's values in it; what lies outside the reference's range, at its own mean in the window.
That is within 0.01 of the distance of raw values, unless a window has values where the reference
has a gap: those are taken to lie in the middle of one of the gap's bins (``bins.py``), none of
which is wider than a 32nd of the reference's range.

Source: the area between the distribution functions, S. Vallender, Theory Probab. Appl. 18 (1974).
"""

import numpy as np

from stream_app.core.columns import Int64Array
from stream_app.core.drift.reference import Float64Array
from stream_app.core.drift.statistics.shares import Counts, counted


def wasserstein(
    reference: Int64Array | Counts,
    current: Int64Array | Counts,
    positions: Float64Array,
    sd: float,
) -> Float64Array:
    """The distance of each window.

    >>> import numpy as np
    >>> a, b = np.array([0, 50, 50, 0]), np.array([0, 0, 50, 50])
    >>> float(wasserstein(a, b, np.array([-1.0, 0.0, 1.0, 2.0]), 0.5))
    2.0

    Args:
        reference: int64, shape ``(bins,)``.
        current: int64, shape ``(..., bins)``.
        positions: float64, shape ``(bins,)`` or ``(..., bins)``, not decreasing: where each bin's
            rows lie; see :func:`positions_of`.
        sd: Of the reference's values, in the unit of ``positions``.

    Returns:
        float64, shape ``(...)``; NaN where a side has no rows, and everywhere if ``sd`` is 0: a
        reference without spread has no unit to measure in.
    """
    apart = np.abs(counted(current).cumulative - counted(reference).cumulative)[..., :-1]
    area: Float64Array = (apart * np.diff(positions, axis=-1)).sum(axis=-1)
    return area / sd if sd > 0 else np.full_like(area, np.nan)


def positions_of(means: Float64Array, low: Float64Array, high: Float64Array) -> Float64Array:
    """Where the rows of windows lie.

    Args:
        means: float64, shape ``(bins,)``: of the reference, by bin.
        low: float64, shape ``(...)``: each window's mean below the reference's range; NaN where
            none of its rows is.
        high: float64, shape ``(...)``: likewise above.

    Returns:
        float64, shape ``(..., bins)``.
    """
    positions: Float64Array = np.tile(means, (*np.shape(low), 1))
    # An empty bin may lie anywhere: no share is carried from or to it.
    positions[..., 0] = np.where(np.isnan(low), means[0], low)
    positions[..., -1] = np.where(np.isnan(high), means[-1], high)
    return positions
