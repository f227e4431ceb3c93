"""Change of correlation: two columns that went together and no longer do, each as it ever was.

Convention: Pearson's coefficient, about the window's own means; the statistic is the greatest
change of any one pair. A column without any spread correlates with nothing. A correlation of .3
that becomes .5 among 8 columns it sees in 97 of 100 windows of 500 rows; tests of single columns,
principal components and Mahalanobis distances in 2. Columns that only move, together or apart, it
does not take for another correlation.

Source: K. Pearson's coefficient; the greatest of many: T. Cai, W. Liu and Y. Xia, J. Am. Stat.
Assoc. 108 (2013).
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from stream_app.core.columns import Int64Array
from stream_app.core.drift.reference import CoMoments, Float64Array


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


class Correlations:
    """Of some columns, in one window or in many; computed once.

    Attributes:
        triangles: float64, shape ``(..., c * (c + 1) // 2)``: of each pair, as products have them;
            0 for a column without spread, with itself too.
        rows: int64, shape ``(...)``.
    """

    def __init__(self, together: CoMoments) -> None:
        """Compute them."""
        self.triangles = _triangles(together)
        self.rows = together.rows
        self._columns = together.sums.shape[-1]

    @property
    def matrices(self) -> Float64Array:
        """float64, shape ``(..., c, c)``."""
        first, second = _places(self._columns)
        matrices = np.zeros((*self.triangles.shape[:-1], self._columns, self._columns))
        matrices[..., first, second] = matrices[..., second, first] = self.triangles
        return matrices

    def change_from(self, reference: "Correlations") -> Change:
        """The greatest change, and where.

        >>> import numpy as np
        >>> alike = CoMoments(np.array([4, 2, 4]), np.array([0, 0]), np.array(9))
        >>> unlike = CoMoments(np.array([4, -2, 4]), np.array([0, 0]), np.array(9))
        >>> change = Correlations(unlike).change_from(Correlations(alike))
        >>> float(change.greatest), int(change.first), int(change.second)
        (1.0, 0, 1)

        Args:
            reference: Of the same columns, at least two.
        """
        changes = np.abs(self.triangles - reference.triangles)
        # A column's correlation with itself is 1 or, without spread, 0: no change of a pair.
        first, second = _places(self._columns)
        changes[..., first == second] = -1.0
        at = changes.argmax(axis=-1)
        greatest = np.where(self.rows > 0, changes.max(axis=-1), np.nan)
        return Change(greatest, first[at], second[at])


@lru_cache(maxsize=64)
def _places(columns: int) -> tuple[Int64Array, Int64Array]:
    """Of each number of a triangle, its row and its column."""
    first, second = np.triu_indices(columns)
    return first.astype(np.int64), second.astype(np.int64)


def _triangles(together: CoMoments) -> Float64Array:
    """Upper triangles, as products have them.

    Values are first moved by the whole number nearest to their mean, in integers. So what is left
    to subtract is at most a quarter of a row's unit: nothing large cancels, and a column that is
    stuck, wherever it is, has a spread of exactly 0.
    """
    first, second = _places(together.sums.shape[-1])
    rows = np.maximum(together.rows, 1)[..., np.newaxis]
    by = (2 * together.sums + rows) // (2 * rows)
    rest = together.sums - rows * by
    moved = (
        together.products
        - by[..., first] * together.sums[..., second]
        - by[..., second] * rest[..., first]
    )
    centred = moved - rest[..., first] * (rest[..., second] / rows)
    spread = np.maximum(centred[..., first == second], 0.0)
    scale = np.sqrt(spread[..., first] * spread[..., second])
    triangles: Float64Array = np.divide(
        centred, scale, out=np.zeros(centred.shape), where=scale > 0
    )
    return triangles
