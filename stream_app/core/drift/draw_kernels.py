"""Compiled loops of calibration: what a window that was drawn from the reference's rows counts.

Rows are drawn with replacement, so a window is how often it has each row of the reference. A large
window then costs no more than the reference has rows.
"""

import numpy as np

from stream_app.core.columns import Int64Array
from stream_app.core.drift.reference import Float64Array, Int16Array
from stream_app.core.jit import kernel


@kernel
def count_bins(times: Int64Array, bins: Int16Array, firsts: Int64Array, counts: Int64Array) -> None:
    """Add a window to ``counts``.

    Args:
        times: int64, shape ``(rows,)``: how often the window has each row.
        bins: int16, shape ``(rows, columns)``: of each value; -1: it is in none.
        firsts: int64, shape ``(columns,)``: where each column's bins begin in ``counts``.
        counts: int64, one-dimensional: of all columns.
    """
    for row in range(len(times)):
        if times[row]:
            for column in range(len(firsts)):
                if bins[row, column] >= 0:
                    counts[firsts[column] + bins[row, column]] += times[row]


@kernel
def sum_products(
    times: Int64Array,
    coarse: Int16Array,
    usable: Int64Array,
    sums: Float64Array,
    products: Float64Array,
) -> None:
    """Add what a window's values and their products sum up to.

    In doubles, which machines multiply several of at once. They hold integers below 2^53, of which
    2^31 rows' sums stay short, so that nothing is rounded and no order matters.

    Args:
        times: int64, shape ``(rows,)``: how often the window has each row.
        coarse: int16, shape ``(rows, columns)``.
        usable: int64, increasing: the rows that count.
        sums: float64, shape ``(columns,)``: of values.
        products: float64, shape ``(columns * (columns + 1) // 2,)``: of products, the upper
            triangle row by row.
    """
    columns = coarse.shape[1]
    values = np.empty(columns, np.float64)
    for row in usable:
        if times[row]:
            for column in range(columns):
                values[column] = coarse[row, column]
            begin = 0
            for first in range(columns):
                weighted = times[row] * values[first]
                sums[first] += weighted
                for second in range(first, columns):
                    products[begin + second - first] += weighted * values[second]
                begin += columns - first
