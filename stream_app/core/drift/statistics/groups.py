"""Neighbouring bins as groups: fewer bins see smooth shifts sooner, and need no second state.

Decides which bins form a group, once, from the reference; counts of groups are sums of counts of
bins. The two outer bins, which the reference leaves empty, stay alone.
"""

import numpy as np
import numpy.typing as npt

from stream_app.core.columns import Int64Array

MOST_GROUPS = 16
"""Beside the two outer ones."""


def groups_of(counts: Int64Array, most: int = MOST_GROUPS) -> Int64Array:
    """The group of each bin, so that groups have about the same number of the reference's rows.

    >>> import numpy as np
    >>> groups_of(np.array([0, 9, 1, 1, 9, 0]), most=2).tolist()
    [0, 1, 1, 2, 2, 3]

    Args:
        counts: int64, shape ``(bins,)``: of the reference, in the order of values; the first and
            the last bin are outside its range. At least two bins.
        most: Groups, beside the outer two.

    Returns:
        int64, shape ``(bins,)``, from 0, each the one before or one more.
    """
    inner = counts[1:-1]
    # By the middle of a bin, in units of half a row: a value that is much of the data stays alone.
    middles = 2 * inner.cumsum() - inner
    cuts = np.minimum(most * middles // max(1, 2 * int(inner.sum())), most - 1)
    steps = np.diff(cuts, prepend=-1) > 0
    inner_groups = steps.cumsum()
    last = int(inner_groups[-1]) if len(inner_groups) else 0
    return np.concatenate([[0], inner_groups, [last + 1]]).astype(np.int64)


def grouped(counts: Int64Array, groups: Int64Array) -> Int64Array:
    """Counts of groups.

    Args:
        counts: int64, shape ``(..., bins)``.
        groups: int64, shape ``(bins,)``, as :func:`groups_of` has them.

    Returns:
        int64, shape ``(..., groups)``.
    """
    sums: Int64Array = np.add.reduceat(counts, firsts_of(groups), axis=-1)
    return sums


def firsts_of(groups: Int64Array) -> npt.NDArray[np.intp]:
    """The first bin of each group."""
    return np.flatnonzero(np.diff(groups, prepend=-1))
