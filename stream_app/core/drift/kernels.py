"""Values into cells: which place in a column's section, and how many units from the mean; compiled.

Decides which cell it is; what is done with cells is in ``sum_kernels.py`` and ``byte_kernels.py``,
which belong to the same arithmetic.

Loops are short and over arrays of one dimension, without a branch that depends on a value: of such
the processor does several rows at once. What is odd, a null or a value out of range, is looked for
in whole blocks of rows, and done row by row only where a block has some.
"""

import numpy as np

from stream_app.core.columns import Kind
from stream_app.core.drift.byte_kernels import (
    is_balanced,
    read_rows,
    read_sparse,
    write_rows,
    write_sparse,
)
from stream_app.core.drift.layout import BLOCK, KindCode
from stream_app.core.drift.reference import MOST_UNITS
from stream_app.core.drift.sum_kernels import add_cells
from stream_app.core.jit import kernel

__all__ = [
    "add_cells",
    "cover_rows",
    "find_cells",
    "is_balanced",
    "read_rows",
    "read_sparse",
    "write_rows",
    "write_sparse",
]

_VALUE, _UNSEEN = int(Kind.VALUE), int(Kind.UNSEEN)
_NAN, _MORE, _LESS = int(Kind.NAN), int(Kind.POSITIVE_INFINITY), int(Kind.NEGATIVE_INFINITY)
_NUMERIC, _DISCRETE = int(KindCode.NUMERIC), int(KindCode.DISCRETE)
_MOST_UNITS = float(MOST_UNITS)
_ROUNDER = 1.5 * 2**52
"""Added, and taken off again, it leaves what ``rint`` does, which is a call on old processors."""
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
def find_cells(tensor, kinds, which, edges, room, tables, places, units):
    """Where each value of a tensor is counted.

    Args:
        tensor: float32, float64 or int64, shape ``(k, w)``.
        kinds: uint8, shape ``(k, features)``, of ``columns.Kind``.
        which: int64, shape ``(c, 3)``: of each column that is found here, which column it is, its
            place in the tensor's rows, and its feature; -1: it has none, and every value counts.
        edges: float64, ``tables.numbers``; for a tensor of float32 of float32, ``tables.singles``.
        room: int64, or for float32 int32, shape ``(BLOCK_ROWS,)``; to work in. Numbers and counts
            that are equally wide are compared and added several at once.
        tables: See ``layout.Tables``.
        places: int16, shape ``(d, k)``; of these columns filled: twice the place in the column's
            section (from the number of bins on: apart), and 1 more where the value was clipped.
        units: int32, likewise; filled: from the mean; 0 where the column has no sums.
    """
    rows = len(tensor)
    numbers = np.empty(len(room), edges.dtype)
    # Not looked up again for each column: that would take longer than what is done with them.
    column_kinds, _, all_bins, firsts, lengths, values, _, codes = tables[:8]
    means, scales, lows, highs, _ = tables[8:]
    for begin in range(0, rows, len(room)):
        end = min(begin + len(room), rows)
        some_are_odd = _are_odd(kinds[begin:end])
        for at in range(len(which)):
            column, element, feature = which[at, 0], which[at, 1], which[at, 2]
            kind, bins = column_kinds[column], all_bins[column]
            first, last = firsts[column], firsts[column] + lengths[column]
            own, own_places = numbers[: end - begin], places[column, begin:end]
            own_units, bin_of = units[column, begin:end], room[: end - begin]
            for row in range(end - begin):
                own[row] = tensor[np.uintp(begin + row), np.uintp(element)]
            if kind == _NUMERIC:
                _count_below(own, edges[first:last], bin_of)
                _measure(
                    own, bin_of, means[column], scales[column],
                    lows[column], highs[column], own_places, own_units,
                )  # fmt: skip
            else:
                if kind == _DISCRETE:
                    _look_up(own, values[first:last], bins - 1, bin_of)
                else:
                    _translate(own, codes[first:last], bins - 1, bin_of)
                for row in range(end - begin):
                    own_places[row] = 2 * bin_of[row]
                    own_units[row] = 0
            # What is not finite is above all edges, or not above any.
            may_be_odd = _touches_ends(bin_of, bins) and not _are_finite(own)
            if (some_are_odd and feature >= 0) or may_be_odd:
                for row in range(end - begin):
                    given = kinds[begin + row, feature] if feature >= 0 else _VALUE
                    place = _apart(own[row], given, bins)
                    if place >= 0:
                        own_places[row] = 2 * place
                        own_units[row] = 0


@kernel
def _are_odd(kinds):
    """Whether any is no value. Numpy's ``any`` takes ten times as long here."""
    flat, found = kinds.reshape(kinds.size), np.uint8(0)
    for at in range(len(flat)):
        found |= flat[at]
    return found != _VALUE


@kernel
def _count_below(numbers, edges, found):
    """Of each number, how many edges are below it; of what is no value anything.

    First whole blocks of edges, compared with all numbers; then three edges of the next block, each
    chosen by the one before, but without a branch: which way it goes cannot be foreseen.
    """
    found[:] = 0
    last = len(edges) - 1  # infinity, and so below nothing
    for begin in range(_BLOCK - 1, last, 4 * _BLOCK):
        a, b = edges[begin], edges[min(begin + _BLOCK, last)]
        c, d = edges[min(begin + 2 * _BLOCK, last)], edges[min(begin + 3 * _BLOCK, last)]
        for row in range(len(found)):
            number = numbers[row]
            found[row] += (a < number) + (b < number) + (c < number) + (d < number)
    for row in range(len(found)):
        number, at = numbers[row], np.uintp(found[row]) * np.uintp(_BLOCK)
        at += np.uintp(4) * (edges[at + np.uintp(3)] < number)
        at += np.uintp(2) * (edges[at + np.uintp(1)] < number)
        at += np.uintp(edges[at] < number)
        found[row] = at


@kernel
def _measure(numbers, bin_of, mean, scale, low, high, places, units):
    for row in range(len(numbers)):
        number = np.float64(numbers[row])
        near = min(max(number, low), high)
        unit = ((near - mean) * scale + _ROUNDER) - _ROUNDER
        units[row] = np.int32(min(max(unit, -_MOST_UNITS), _MOST_UNITS))
        places[row] = np.int16(2 * bin_of[row] + (near != number))


@kernel
def _look_up(numbers, values, otherwise, found):
    found[:] = otherwise
    for index in range(len(values)):
        value = values[index]
        for row in range(len(found)):
            if numbers[row] == value:
                found[row] = index


@kernel
def _translate(numbers, bin_of_code, otherwise, found):
    for row in range(len(found)):
        found[row] = otherwise
        if 0 <= numbers[row] < len(bin_of_code):
            found[row] = bin_of_code[np.int64(numbers[row])]


@kernel
def _touches_ends(bin_of, bins):
    least, most = bin_of[0], bin_of[0]
    for row in range(len(bin_of)):
        least, most = min(least, bin_of[row]), max(most, bin_of[row])
    return least == 0 or most == bins - 1


@kernel
def _are_finite(numbers):
    found = True
    for row in range(len(numbers)):
        found &= abs(numbers[row]) < np.inf
    return found


@kernel
def _apart(number, given, bins):
    """The place of what is no value, or none that was ever seen; -1: it is one."""
    if given == _VALUE:
        if np.isfinite(number):
            return -1
        given = _NAN if np.isnan(number) else _MORE if number > 0 else _LESS
    # ``columns.Kind`` and ``Apart`` have the same order, from null on.
    return bins - 1 if given == _UNSEEN else bins + given - 1
