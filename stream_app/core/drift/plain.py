"""Rows into the states of their windows, without a compiler: what the kernels do, in numpy.

Decides nothing of its own: each function gives what its namesake gives, to the last bit. It serves
machines on which kernels cannot be had, and is what kernels are tested against.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from stream_app.core.columns import Int32Array, Int64Array, Kind, Tensor, UInt8Array
from stream_app.core.drift.layout import ROWS, KindCode, Sum, Tables
from stream_app.core.drift.reference import (
    COARSE_MOST,
    COARSE_UNIT,
    MOST_UNITS,
    UNIT,
    Apart,
    Float32Array,
    Float64Array,
    Int16Array,
)

_VARINT_BITS = 70


def cover_rows(
    partitions: Int32Array,
    offsets: Int64Array,
    times_ms: Int64Array,
    firsts: Int64Array,
    lasts: Int64Array,
    greatest: Int64Array,
) -> None:
    """See ``kernels.cover_rows``."""
    firsts[partitions[::-1]] = offsets[::-1]  # of several rows the last stays
    lasts[partitions] = offsets
    np.maximum.at(greatest, partitions, times_ms)


def find_cells(
    tensor: Tensor,
    kinds: UInt8Array,
    which: Int64Array,
    edges: Float64Array | Float32Array,  # kernels are fast with some of this width
    room: Int64Array | Int32Array,  # likewise
    tables: Tables,
    places: Int16Array,
    units: Int32Array,
) -> None:
    """See ``kernels.find_cells``."""
    for column, element, feature in which.tolist():
        kind, bins, begin = tables.kind[column], int(tables.bins[column]), int(tables.first[column])
        of_column = slice(begin, begin + int(tables.length[column]))
        values = tensor[:, element].astype(np.float64)
        given = _kinds_of(values, kinds[:, feature] if feature >= 0 else None)
        is_value = given == Kind.VALUE
        place = np.where(given == Kind.UNSEEN, bins - 1, bins + given - 1)
        near = np.clip(values, tables.low[column], tables.high[column])
        unit = np.zeros(len(values), dtype=np.int64)
        clipped = np.zeros(len(values), dtype=np.bool_)
        if kind == KindCode.NUMERIC:
            found = np.searchsorted(tables.numbers[of_column], values, side="left")
            scaled = np.rint((near[is_value] - tables.mean[column]) * tables.scale[column])
            unit[is_value] = np.clip(scaled, -MOST_UNITS, MOST_UNITS).astype(np.int64)
            clipped = is_value & (near != values)
        elif kind == KindCode.DISCRETE:
            own = tables.numbers[of_column]
            at = np.minimum(np.searchsorted(own, values), len(own) - 1)
            found = np.where(own[at] == values, at, bins - 1)
        else:
            own_codes = tables.codes[of_column]
            known = is_value & (values >= 0) & (values < len(own_codes))
            found = np.full(len(values), bins - 1, dtype=np.int64)
            found[known] = own_codes[values[known].astype(np.int64)]
        places[column] = 2 * np.where(is_value, found, place) + clipped
        units[column] = unit


def _kinds_of(values: Float64Array, given: UInt8Array | None) -> Int64Array:
    """Outputs have no kinds of their own, and a mean may overflow."""
    kinds = np.zeros(len(values), dtype=np.int64) if given is None else given.astype(np.int64)
    plain = kinds == Kind.VALUE
    kinds[plain & np.isnan(values)] = Kind.NAN
    kinds[plain & (values == np.inf)] = Kind.POSITIVE_INFINITY
    kinds[plain & (values == -np.inf)] = Kind.NEGATIVE_INFINITY
    return kinds


def add_cells(
    places: Int16Array,
    units: Int32Array,
    slots: Int64Array,
    windows: Int64Array,
    weight: int,
    tables: Tables,
    co_rows: int,
    scores: int,
    states: Int64Array,
) -> None:
    """See ``sum_kernels.add_cells``."""
    pairs = int((tables.place >= 0).sum())
    used = windows >= 0
    coarse = np.zeros((pairs, len(windows)), dtype=np.int64)
    complete = used.copy()
    np.add.at(states[:, ROWS], windows[used], weight)
    scored = used & (slots >= 0)
    np.add.at(states, (windows[scored], scores + slots[scored]), weight)
    for column, kind in enumerate(tables.kind.tolist()):
        begin, bins = int(tables.begin[column]), int(tables.bins[column])
        place, unit = places[column].astype(np.int64) >> 1, units[column].astype(np.int64)
        np.add.at(states, (windows[used], begin + place[used]), weight)
        valid = used & (place < bins)
        if kind != KindCode.NUMERIC:
            continue
        sums, square = begin + bins + len(Apart), unit * unit
        for at, rows, amounts in (
            (begin + bins + Apart.CLIPPED, valid, places[column].astype(np.int64) & 1),
            (sums + Sum.UNITS, valid, unit),
            (sums + Sum.SQUARES_LOW, valid, square & 0xFFFFFFFF),
            (sums + Sum.SQUARES_HIGH, valid, square >> 32),
            (sums + Sum.BELOW, valid & (place == 0), unit),
            (sums + Sum.ABOVE, valid & (place == bins - 1), unit),
        ):
            np.add.at(states[:, at], windows[rows], weight * amounts[rows])
        if (pair := int(tables.place[column])) >= 0:
            scale = UNIT // COARSE_UNIT
            coarse[pair] = np.clip((unit + scale // 2) // scale, -COARSE_MOST, COARSE_MOST)
            complete &= valid
    if not pairs:
        return
    np.add.at(states[:, co_rows], windows[complete], weight)
    at = co_rows + 1 + pairs
    for one in range(pairs):
        np.add.at(states[:, co_rows + 1 + one], windows[complete], weight * coarse[one, complete])
        for other in range(one, pairs):
            products = weight * coarse[one] * coarse[other]
            np.add.at(states[:, at], windows[complete], products[complete])
            at += 1


def write_rows(
    places: Int16Array,
    units: Int32Array,
    slots: Int64Array,
    rows: npt.NDArray[np.intp],
    tables: Tables,
    out: UInt8Array,
) -> int:
    """See ``byte_kernels.write_rows``."""
    has_units, bins = (tables.kind == KindCode.NUMERIC).tolist(), tables.bins.tolist()
    written = bytearray()
    for row in rows.tolist():
        for column, place in enumerate(places[:, row].tolist()):
            written += _varint(place)
            if has_units[column] and place >> 1 < bins[column]:
                written += _varint(int(units[column, row]))
        written += _varint(int(slots[row]))
    return _put(written, out)


def read_rows(
    data: UInt8Array,
    tables: Tables,
    most_slots: int,
    places: Int16Array,
    units: Int32Array,
    slots: Int64Array,
) -> bool:
    """See ``byte_kernels.read_rows``."""
    has_units, bins = (tables.kind == KindCode.NUMERIC).tolist(), tables.bins.tolist()
    numbers = _varints(data.tobytes())
    try:
        for row in range(len(slots)):
            for column in range(len(bins)):
                place, unit = next(numbers), 0
                if not 0 <= place >> 1 < bins[column] + Apart.CLIPPED:
                    return False
                is_number = has_units[column] and place >> 1 < bins[column]
                if place & 1 and not is_number:
                    return False
                if is_number:
                    unit = next(numbers)
                    if not -MOST_UNITS <= unit <= MOST_UNITS:
                        return False
                places[column, row], units[column, row] = place, unit
            slots[row] = slot = next(numbers)
            if not -1 <= slot < most_slots:
                return False
        return next(numbers, None) is None
    except (StopIteration, _NoVarintError):
        return False


def write_sparse(state: Int64Array, out: UInt8Array) -> int:
    """See ``byte_kernels.write_sparse``."""
    written, last = bytearray(), -1
    for index in np.flatnonzero(state).tolist():
        written += _varint(index - last) + _varint(int(state[index]))
        last = index
    return _put(written, out)


def read_sparse(data: UInt8Array, state: Int64Array) -> bool:
    """See ``byte_kernels.read_sparse``."""
    numbers, index = _varints(data.tobytes()), -1
    try:
        for gap in numbers:
            amount = next(numbers)
            if not 0 < gap < len(state) - index:
                return False
            index += gap
            state[index] += amount
    except (StopIteration, _NoVarintError):
        return False
    return True


def is_balanced(state: Int64Array, bounds: Int64Array) -> bool:
    """See ``byte_kernels.is_balanced``."""
    if not len(bounds):
        return True
    counted = np.add.reduceat(state, bounds)[::2]
    least = np.minimum.reduceat(state, bounds)[::2]
    return bool((counted == state[ROWS]).all() and least.min() >= 0)


class _NoVarintError(Exception):
    """Of 64 bits; only seen in this file."""


def _varint(number: int) -> bytes:
    """Avro's long: zigzag, seven bits a byte."""
    rest = (number << 1) ^ (number >> 63)
    written = bytearray()
    while rest >= 0x80:
        written.append(rest & 0x7F | 0x80)
        rest >>= 7
    written.append(rest)
    return bytes(written)


def _varints(data: bytes) -> Iterator[int]:
    rest, bits = 0, 0
    for byte in data:
        rest |= (byte & 0x7F) << bits
        bits += 7
        if rest >= 1 << 64 or bits > _VARINT_BITS:
            raise _NoVarintError
        if byte < 0x80:
            yield (rest >> 1) ^ -(rest & 1)
            rest, bits = 0, 0
    if bits:
        raise _NoVarintError


def _put(written: bytearray, out: UInt8Array) -> int:
    out[: len(written)] = np.frombuffer(bytes(written), dtype=np.uint8)
    return len(written)
