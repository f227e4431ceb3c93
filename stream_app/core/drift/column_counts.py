"""What one column counts, bin by bin and in groups of bins, as statistics take it.

Decides nothing; everything is computed once, so that a reference is not summed again for each
window, nor a window for each statistic.
"""

from functools import cached_property

import numpy as np
import numpy.typing as npt

from stream_app.core.columns import Int64Array
from stream_app.core.drift.reference import Column
from stream_app.core.drift.statistics.groups import firsts_of
from stream_app.core.drift.statistics.shares import Counts


class ColumnCounts:
    """Of a reference, a window, or many windows.

    Attributes:
        bins: All of the column's.
    """

    def __init__(
        self, column: Column, counts: Int64Array, like: "ColumnCounts | None" = None
    ) -> None:
        """Take counts.

        Args:
            column: Of the reference.
            counts: int64, shape ``(..., bins)``.
            like: Of the same column: its groups begin where this one's do.
        """
        self.bins = Counts(counts)
        self._column = column
        self._like = like

    @cached_property
    def groups(self) -> Counts:
        """Of neighbouring bins; only of numeric columns."""
        return Counts(np.add.reduceat(self.bins.bins, self.firsts, axis=-1))

    @cached_property
    def firsts(self) -> npt.NDArray[np.intp]:
        """The first bin of each group."""
        return firsts_of(self._column.groups) if self._like is None else self._like.firsts

    @cached_property
    def rows(self) -> int:
        """That are in a bin; of one window only."""
        return int(self.bins.bins.sum())
