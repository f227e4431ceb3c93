"""Rows into the states of their windows; compiled.

Decides each value's *cell*: its place in its column's section, and how many units it is from the
mean. All the rest is adding integers. Column by column, since what is known of a column then stays
in the processor's registers. A row may be taken out again with a weight of -1.
"""

import numpy as np

from stream_app.core.avro.kernels.encode import put_long
from stream_app.core.avro.kernels.varints import read_long
from stream_app.core.avro.opcodes import Reason
from stream_app.core.columns import Kind
from stream_app.core.drift.layout import BLOCK, ROWS, KindCode, Sum
from stream_app.core.drift.reference import COARSE_MOST, COARSE_UNIT, MOST_UNITS, UNIT, Apart
from stream_app.core.jit import kernel

_VALUE, _UNSEEN = int(Kind.VALUE), int(Kind.UNSEEN)
_NUMERIC, _DISCRETE = int(KindCode.NUMERIC), int(KindCode.DISCRETE)
_APART = len(Apart)
_CLIPPED = int(Apart.CLIPPED)
_LOW, _HIGH = int(Sum.SQUARES_LOW), int(Sum.SQUARES_HIGH)
_BELOW, _ABOVE = int(Sum.BELOW), int(Sum.ABOVE)
_COARSE_BITS = (UNIT // COARSE_UNIT).bit_length() - 1
_HALF = UNIT // COARSE_UNIT // 2
_MOST = COARSE_MOST
_ROWS = ROWS
_MOST_UNITS = MOST_UNITS
_FINE = int(Reason.NONE)
_BLOCK = BLOCK


@kernel
def cover_rows(partitions, offsets, times_ms, firsts, lasts, greatest):
    """Of each partition, what a batch covers.

    Args:
        partitions: int32, shape ``(k,)``: each row's.
        offsets: int64, likewise.
        times_ms: int64, likewise.
        firsts: int64, by partition; filled where the batch has rows of it: the first offset.
        lasts: int64, likewise: the last.
        greatest: int64, likewise: the greatest of the times, or what was there if that is greater.
    """
    for row in range(len(partitions) - 1, -1, -1):
        firsts[partitions[row]] = offsets[row]
    for row in range(len(partitions)):
        of = np.uintp(partitions[row])
        lasts[of] = offsets[row]
        greatest[of] = max(greatest[of], times_ms[row])


@kernel
def find_cells(numbers, kinds, tables, places, units):
    """Where each value is counted.

    Args:
        numbers: float64, shape ``(d, k)``; see ``watch.Values``, whose shape is the other way.
        kinds: uint8, likewise.
        tables: See ``layout.Tables``.
        places: int32, shape ``(d, k)``; filled: twice the place in the column's section (from the
            number of bins on: apart), and 1 more where the value was clipped.
        units: int64, likewise; filled: from the mean; 0 where the column has no sums.
    """
    column_kinds, _, all_bins, firsts, lengths, edges, all_marks, first_marks = tables[:8]
    codes, means, scales, lows, highs, _ = tables[8:]
    rows = numbers.shape[1]
    for column in range(len(column_kinds)):
        kind, bins = column_kinds[column], all_bins[column]
        begin, length = firsts[column], lengths[column]
        mean, scale, low, high = means[column], scales[column], lows[column], highs[column]
        if kind == _NUMERIC:
            blocks = length // _BLOCK
            own = edges[begin : begin + length]
            marks = all_marks[first_marks[column] : first_marks[column] + blocks - 1]
            for row in range(rows):
                of = np.uintp(row)
                number = numbers[column, of]
                # The edges below the number: first whole blocks, then those of the next one, all
                # compared at once. A search by halves takes ten times as long, since which half it
                # is cannot be foreseen. Of what is no value anything is found.
                block = 0
                for index in range(blocks - 1):
                    block += marks[np.uintp(index)] < number
                place = block * _BLOCK
                at = np.uintp(place)
                for index in range(_BLOCK):
                    place += own[at + np.uintp(index)] < number
                near = min(max(number, low), high)
                places[column, of] = 2 * place + (near != number)
                units[column, of] = np.int64(np.rint((near - mean) * scale))
        for row in range(rows):
            of = np.uintp(row)
            given = kinds[column, of]
            if given == _VALUE and kind == _NUMERIC:
                continue
            place = bins - 1
            if given == _VALUE:
                number = numbers[column, of]
                if kind == _DISCRETE:
                    for index in range(length):
                        if edges[np.uintp(begin + index)] == number:
                            place = index
                            break
                else:
                    code = np.int64(number)
                    if 0 <= code < length:
                        place = codes[np.uintp(begin + code)]
            elif given != _UNSEEN:
                # ``columns.Kind`` and ``Apart`` have the same order, from null on.
                place = bins + np.int64(given) - 1
            places[column, of] = 2 * place
            units[column, of] = 0


@kernel
def add_cells(places, units, slots, windows, weight, tables, co_rows, scores, states):
    """Add rows to the states of their windows.

    Args:
        places: See ``find_cells``.
        units: Likewise.
        slots: int64, shape ``(k,)``: the place of each row's score among the scores; -1: none.
        windows: int64, shape ``(k,)``: each row's, an index into ``states``; -1: in none.
        weight: 1 adds, -1 takes out.
        tables: See ``layout.Tables``.
        co_rows: See ``layout.Layout``.
        scores: Likewise.
        states: int64, shape ``(windows, size)``; changed.
    """
    column_kinds, begins, all_bins, correlated = tables[0], tables[1], tables[2], tables[13]
    rows, pairs = len(windows), 0
    for column in range(len(correlated)):
        pairs = max(pairs, correlated[column] + 1)
    coarse = np.zeros((pairs, rows), dtype=np.int16)
    complete = np.ones(rows, dtype=np.bool_)
    end = 0
    while end < rows:
        # Neighbours mostly belong to one window: sums grow in registers, and are stored once.
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
        for column in range(len(column_kinds)):
            begin, bins, pair = begins[column], all_bins[column], correlated[column]
            if column_kinds[column] != _NUMERIC:
                for row in range(first, end):
                    state[np.uintp(begin + (places[column, np.uintp(row)] >> 1))] += weight
                continue
            total, low, high, below, above, clipped = 0, 0, 0, 0, 0, 0
            for row in range(first, end):
                of = np.uintp(row)
                place = np.int64(places[column, of]) >> 1
                state[np.uintp(begin + place)] += weight
                if place >= bins:
                    if pair >= 0:
                        complete[of] = False
                    continue
                unit = units[column, of]
                square = unit * unit
                total += unit
                low += square & 0xFFFFFFFF
                high += square >> 32
                clipped += places[column, of] & 1
                if place == 0:
                    below += unit
                elif place == bins - 1:
                    above += unit
                if pair >= 0:
                    # Shifted, not divided: a division takes as long as ten other instructions.
                    coarse[pair, of] = min(max((unit + _HALF) >> _COARSE_BITS, -_MOST), _MOST)
            state[np.uintp(begin + bins + _CLIPPED)] += weight * clipped
            sums = begin + bins + _APART
            state[np.uintp(sums)] += weight * total
            state[np.uintp(sums + _LOW)] += weight * low
            state[np.uintp(sums + _HIGH)] += weight * high
            state[np.uintp(sums + _BELOW)] += weight * below
            state[np.uintp(sums + _ABOVE)] += weight * above
        if pairs == 0:
            continue
        for row in range(first, end):
            of = np.uintp(row)
            state[np.uintp(co_rows)] += weight * complete[of]
            if not complete[of]:
                for pair in range(pairs):
                    coarse[pair, of] = 0
        at = co_rows + 1 + pairs
        for one in range(pairs):
            mine = coarse[one, first:end]
            state[np.uintp(co_rows + 1 + one)] += weight * mine.sum()
            for other in range(one, pairs):
                others = coarse[other, first:end]
                products = np.int64(0)
                for row in range(len(mine)):
                    products += np.int64(mine[row]) * np.int64(others[row])
                state[np.uintp(at)] += weight * products
                at += 1


@kernel
def write_rows(places, units, slots, rows, tables, out):
    """Write the cells of some rows, one row behind the other; answers how many bytes.

    Args:
        places: See ``find_cells``.
        units: Likewise.
        slots: See ``add_cells``.
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
        places: int32, shape ``(d, rows)``; filled.
        units: int64, likewise; filled.
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
            unit = np.int64(0)
            if column_kinds[column] == _NUMERIC and place < bins:
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
