"""Cells into the states of their windows; compiled.

Decides nothing that is not said in ``layout.py``: all is adding integers. Loops are short, over one
column of a run of rows that are in one window, and are so made that a processor without any recent
extension adds several rows at once: hence the care about widths.
"""

import numpy as np

from stream_app.core.drift.layout import BLOCK_ROWS, ROWS, KindCode, Sum
from stream_app.core.drift.reference import COARSE_MOST, COARSE_UNIT, UNIT, Apart
from stream_app.core.jit import kernel

_NUMERIC = int(KindCode.NUMERIC)
_APART = len(Apart)
_CLIPPED = int(Apart.CLIPPED)
_LOW, _HIGH = int(Sum.SQUARES_LOW), int(Sum.SQUARES_HIGH)
_BELOW, _ABOVE = int(Sum.BELOW), int(Sum.ABOVE)
_HALF_BITS = (UNIT // COARSE_UNIT).bit_length() - 2
_MOST = COARSE_MOST
_ROWS = ROWS
_PRODUCT_ROWS = BLOCK_ROWS
"""The products of two coarse values of so many rows add up to less than 2^31."""


@kernel
def add_cells(places, units, slots, windows, weight, tables, co_rows, scores, states):
    """Add rows to the states of their windows.

    Args:
        places: See ``kernels.find_cells``.
        units: Likewise.
        slots: int64, shape ``(k,)``: the place of each row's score among the scores; -1: none.
        windows: int64, shape ``(k,)``: each row's, an index into ``states``; -1: in none. It is
            fast where neighbours are in one window.
        weight: 1 adds, -1 takes out.
        tables: See ``layout.Tables``.
        co_rows: See ``layout.Layout``.
        scores: Likewise.
        states: int64, shape ``(windows, size)``; changed.
    """
    rows, pairs = len(windows), 0
    for column in range(len(tables.place)):
        pairs = max(pairs, tables.place[column] + 1)
    coarse = np.zeros((pairs, rows), dtype=np.int16)
    end = 0
    while end < rows:
        first, window = end, windows[end]
        while end < rows and windows[np.uintp(end)] == window:
            end += 1
        if window < 0:
            continue
        state = states[window]
        state[_ROWS] += weight * (end - first)
        for row in range(first, end):
            if slots[np.uintp(row)] >= 0:
                state[np.uintp(scores + slots[np.uintp(row)])] += weight
        complete = np.ones(end - first if pairs else 0, dtype=np.bool_)
        for column in range(len(tables.kind)):
            begin, bins, pair = tables.begin[column], tables.bins[column], tables.place[column]
            own = places[column, first:end]
            counts = state[begin : begin + bins + _APART]
            outer, apart = counts[0] + counts[bins - 1], counts[bins:-1].sum()
            for row in range(len(own)):
                counts[np.uintp(own[row] >> 1)] += weight
            if tables.kind[column] != _NUMERIC:
                continue
            own_units, sums = units[column, first:end], state[begin + bins + _APART :]
            _add_sums(own, own_units, weight, counts, sums)
            if counts[0] + counts[bins - 1] != outer:
                _add_outer(own, own_units, bins, weight, sums)
            if pair >= 0:
                _round(own_units, coarse[pair, first:end])
                if counts[bins:-1].sum() != apart:
                    for row in range(len(own)):
                        complete[row] &= own[row] >> 1 < bins
        if pairs:
            together = state[co_rows:]
            _add_products(coarse, first, complete, weight, together)


@kernel
def _add_sums(places, units, weight, counts, sums):
    """Cells apart have no units, and so add nothing."""
    total, low, high, clipped = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    for row in range(len(units)):
        unit = np.int64(units[row])
        square = unit * unit
        total += unit
        low += square & 0xFFFFFFFF
        high += square >> 32
    for row in range(len(places)):
        clipped += places[row] & 1
    counts[len(counts) - _APART + _CLIPPED] += weight * clipped
    sums[0] += weight * total
    sums[_LOW] += weight * low
    sums[_HIGH] += weight * high


@kernel
def _add_outer(places, units, bins, weight, sums):
    for row in range(len(places)):
        if places[row] >> 1 == 0:
            sums[_BELOW] += weight * units[row]
        elif places[row] >> 1 == bins - 1:
            sums[_ABOVE] += weight * units[row]


@kernel
def _round(units, coarse):
    """To coarse units; shifted, not divided, and in 32 bits: several at once."""
    for row in range(len(units)):
        halves = np.int32(units[row] >> _HALF_BITS)
        rounded = np.int32(np.int32(halves + 1) >> 1)
        coarse[row] = np.int16(min(max(rounded, np.int32(-_MOST)), np.int32(_MOST)))


@kernel
def _add_products(coarse, first, complete, weight, together):
    """Count complete rows from ``first`` on, and add their values' sums and products."""
    pairs, end, rows = len(coarse), first + len(complete), 0
    for row in range(len(complete)):
        rows += complete[row]
    together[0] += weight * rows
    if rows < len(complete):
        for one in range(pairs):
            mine = coarse[one, first:end]
            for row in range(len(complete)):
                mine[row] *= complete[row]
    for begin in range(first, end, _PRODUCT_ROWS):
        after = min(begin + _PRODUCT_ROWS, end)
        at = 1 + pairs
        for one in range(pairs):
            mine, total = coarse[one, begin:after], 0
            for row in range(len(mine)):
                total += mine[row]
            together[1 + one] += weight * total
            for other in range(one, pairs):
                others, products = coarse[other, begin:after], np.int32(0)
                for row in range(len(mine)):
                    product = np.int32(np.int32(mine[row]) * np.int32(others[row]))
                    products = np.int32(products + product)
                together[at] += weight * products
                at += 1
