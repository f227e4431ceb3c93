"""Pearson's chi-square of two samples: squared differences in units of their expected size.

Convention: both sides are samples, so both have expected counts; no correction of Yates. Bins of
which either side expects fewer than 5 rows are counted as one: there the chi-square distribution
does not hold, and a single unseen value would be significant.

Source: K. Pearson, Phil. Mag. 50 (1900); the rule of 5: W. Cochran, Biometrics 10 (1954).
"""

import numpy as np

from stream_app.core.columns import BoolArray, Int64Array
from stream_app.core.drift.reference import Float64Array

LEAST_EXPECTED = 5.0


def chi_square(reference: Int64Array, current: Int64Array) -> tuple[Float64Array, Float64Array]:
    """The statistic of each window, and its degrees of freedom.

    >>> import numpy as np
    >>> value, freedom = chi_square(np.array([50, 50]), np.array([60, 40]))
    >>> round(float(value), 3), float(freedom)
    (2.02, 1.0)

    Args:
        reference: int64, shape ``(bins,)``.
        current: int64, shape ``(..., bins)``.

    Returns:
        Twice float64, shape ``(...)``; NaN where a side has no rows.
    """
    m = reference.sum(axis=-1, keepdims=True)
    n = current.sum(axis=-1, keepdims=True)
    both = reference + current
    small = both * np.minimum(m, n) < LEAST_EXPECTED * (m + n)
    # The small ones become one more bin; where there are none it is empty, and counts for nothing.
    r = _merged(np.broadcast_to(reference, both.shape), small)
    c = _merged(np.broadcast_to(current, both.shape), small)
    cells = r + c > 0
    with np.errstate(invalid="ignore", divide="ignore"):  # without rows: NaN, which is wanted
        ratio = np.sqrt(m / n)
        squares = (c * ratio - r / ratio) ** 2
    terms = np.divide(squares, r + c, out=np.zeros_like(squares), where=cells)
    known = (m > 0) & (n > 0)
    statistic = np.where(known[..., 0], terms.sum(axis=-1), np.nan)
    return statistic, np.where(known[..., 0], cells.sum(axis=-1) - 1.0, np.nan)


def _merged(counts: Int64Array, small: BoolArray) -> Int64Array:
    apart = np.where(small, 0, counts)
    rest = np.where(small, counts, 0).sum(axis=-1, keepdims=True)
    merged: Int64Array = np.concatenate([apart, rest], axis=-1)
    return merged
