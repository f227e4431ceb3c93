"""Counts and cells as bytes, and back; compiled.

Decides how a partial's numbers are written: as Avro's longs, one behind the other. Nothing that is
read is believed before it is checked.
"""

import numpy as np

from stream_app.core.avro.kernels.encode import put_long
from stream_app.core.avro.kernels.varints import read_long
from stream_app.core.avro.opcodes import Reason
from stream_app.core.drift.layout import ROWS, KindCode
from stream_app.core.drift.reference import MOST_UNITS, Apart
from stream_app.core.jit import kernel

_NUMERIC = int(KindCode.NUMERIC)
_CLIPPED = int(Apart.CLIPPED)
_ROWS = ROWS
_MOST_UNITS = MOST_UNITS
_FINE = int(Reason.NONE)


@kernel
def write_rows(places, units, slots, rows, tables, out):
    """Write the cells of some rows, one row behind the other; answers how many bytes.

    Args:
        places: See ``kernels.find_cells``.
        units: Likewise.
        slots: See ``sum_kernels.add_cells``.
        rows: intp, shape ``(r,)``: which.
        tables: See ``layout.Tables``.
        out: uint8, with room for ``ROW_CELL_BYTES`` a column and row, and as much a row.
    """
    column_kinds, all_bins = tables.kind, tables.bins
    at = np.int64(0)
    for index in range(len(rows)):
        row = np.uintp(rows[index])
        for column in range(len(column_kinds)):
            place = np.int64(places[column, row])
            at = put_long(out, at, place)
            if column_kinds[column] == _NUMERIC and place >> 1 < all_bins[column]:
                at = put_long(out, at, units[column, row])
        at = put_long(out, at, slots[row])
    return at


@kernel
def read_rows(data, tables, most_slots, places, units, slots):
    """Read what ``write_rows`` wrote; answers whether it was sound.

    Args:
        data: uint8: all the rows, and nothing else.
        tables: See ``layout.Tables``.
        most_slots: Every slot is below this.
        places: int16, shape ``(d, rows)``; filled.
        units: int32, likewise; filled.
        slots: int64, shape ``(rows,)``; filled.
    """
    column_kinds, all_bins = tables.kind, tables.bins
    at, end = np.int64(0), len(data)
    for row in range(len(slots)):
        for column in range(len(column_kinds)):
            cell, at, reason = read_long(data, at, end)
            place, bins = cell >> 1, all_bins[column]
            if reason != _FINE or place < 0 or place >= bins + _CLIPPED:
                return False
            unit, has_units = np.int64(0), column_kinds[column] == _NUMERIC and place < bins
            if cell & 1 and not has_units:
                return False
            if has_units:
                unit, at, reason = read_long(data, at, end)
                if reason != _FINE or not -_MOST_UNITS <= unit <= _MOST_UNITS:
                    return False
            places[column, row], units[column, row] = cell, unit
        slot, at, reason = read_long(data, at, end)
        if reason != _FINE or slot < -1 or slot >= most_slots:
            return False
        slots[row] = slot
    return at == end


@kernel
def write_sparse(state, out):
    """Write what is not nought of a state: gap and amount, by turns; answers how many bytes.

    Args:
        state: int64, shape ``(size,)``.
        out: uint8, with room for ``SPARSE_BYTES`` a number.
    """
    at, last = np.int64(0), np.int64(-1)
    for index in range(len(state)):
        amount = state[np.uintp(index)]
        if amount != 0:
            at = put_long(out, at, index - last)
            at = put_long(out, at, amount)
            last = index
    return at


@kernel
def read_sparse(data, state):
    """Add what ``write_sparse`` wrote to a state; answers whether it was sound.

    Args:
        data: uint8: all of it, and nothing else.
        state: int64, shape ``(size,)``; changed, and of no use if it was not sound.
    """
    at, index, end = np.int64(0), np.int64(-1), len(data)
    while at < end:
        gap, at, reason = read_long(data, at, end)
        if reason != _FINE or gap <= 0 or gap >= len(state) - index:
            return False
        amount, at, reason = read_long(data, at, end)
        if reason != _FINE:
            return False
        index += gap
        state[np.uintp(index)] += amount
    return True


@kernel
def is_balanced(state, bounds):
    """Whether each of some parts of a state adds up to its rows, and no count in them is negative.

    Args:
        state: int64, shape ``(size,)``.
        bounds: int64, shape ``(2 * parts,)``: where a part begins, and where it ends, by turns.
    """
    for part in range(0, len(bounds), 2):
        counts = state[bounds[part] : bounds[part + 1]]
        total, least = np.int64(0), np.int64(0)
        for at in range(len(counts)):
            total += counts[at]
            least = min(least, counts[at])
        if total != state[_ROWS] or least < 0:
            return False
    return True
