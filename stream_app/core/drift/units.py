"""Values as whole numbers: how far they are from the reference's mean, in parts of its spread.

Decides clipping and rounding, for sums that have no order. Refuses to know what is summed.
"""

import numpy as np

from stream_app.core.columns import Int64Array
from stream_app.core.drift.reference import (
    COARSE_MOST,
    COARSE_UNIT,
    MOST_UNITS,
    UNIT,
    Float64Array,
    Moments,
)


def near_values(numbers: Float64Array, moments: Moments) -> Float64Array:
    """The values, those too far away moved to the nearest that sums take."""
    near: Float64Array = np.clip(numbers, moments.clip_low, moments.clip_high)
    return near


def units_of(numbers: Float64Array, moments: Moments) -> Int64Array:
    """How far values within the clipping range are from the mean, in units; 0 if it is constant."""
    scale = UNIT / moments.sd if moments.sd else 0.0
    units = np.rint((numbers - moments.mean) * scale)
    return np.clip(units, -MOST_UNITS, MOST_UNITS).astype(np.int64)


def coarse_units(numbers: Float64Array, moments: Moments) -> Int64Array:
    """The same, as coarse as co-moments have it."""
    step = UNIT // COARSE_UNIT
    coarse = (units_of(numbers, moments) + step // 2) // step
    return np.clip(coarse, -COARSE_MOST, COARSE_MOST)
