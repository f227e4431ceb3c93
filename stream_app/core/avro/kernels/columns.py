"""The values of columns, read from a value's bytes; compiled.

Decides what the bytes of a decimal, a category, a text or a raw tensor are. What null, NaN,
categories out of the list and numbers beyond a type become is in ``kernels/decode.py``.
"""

import numpy as np

from stream_app.core.avro.kernels.varints import (
    are_equal,
    hash_bytes,
    is_utf8,
    is_uuid,
    read_span,
    read_word,
)
from stream_app.core.avro.memory import CELL, SPAN
from stream_app.core.avro.opcodes import DIGITS_BASE, Cell, Reason
from stream_app.core.columns import Kind
from stream_app.core.faults import Fault
from stream_app.core.jit import kernel

_FLOAT32, _FLOAT64, _INT64 = int(Cell.FLOAT32), int(Cell.FLOAT64), int(Cell.INT64)
_BOOL = int(Cell.BOOL)
_FINE, _OUT_OF_RANGE = 0, int(Fault.OUT_OF_RANGE)
_NON_FINITE, _BAD_LOGICAL = int(Fault.NON_FINITE), int(Fault.BAD_LOGICAL_VALUE)
_WRONG_TYPE = int(Fault.WRONG_TYPE)
_VALUE, _NAN = int(Kind.VALUE), int(Kind.NAN)
_POSITIVE, _NEGATIVE = int(Kind.POSITIVE_INFINITY), int(Kind.NEGATIVE_INFINITY)
_NONE, _CUT, _NO_UTF8 = int(Reason.NONE), int(Reason.CUT), int(Reason.NO_UTF8)

EXACT = 1 << 53
"""Integers up to here, and powers of ten up to the 22nd, are exact as float64: a quotient of two
is rounded once."""
LEFT = -1
"""In place of a fault: the reference decoder can do it, and this kernel cannot."""

_POWERS = np.array([10**power for power in range(19)], dtype=np.int64)


@kernel
def read_double(data, at, bits, double):
    """The double of 8 bytes at ``at``; ``bits`` and ``double`` are one place in memory."""
    bits[0] = read_word(data, at)
    return double[0]


@kernel
def read_single(data, at, bits, single):
    """The float of 4 bytes at ``at``, likewise."""
    raw = np.uint64(0)
    for index in range(4):
        raw |= np.uint64(data[np.uintp(at + index)]) << np.uint64(8 * index)
    bits[0] = raw
    return np.float64(single[0])


@kernel
def kind_of(number):
    """What a number is that is not finite."""
    if np.isnan(number):
        return _NAN
    return _POSITIVE if number > 0 else _NEGATIVE


@kernel
def code_of(data, begin, end, slots, slots_begin, mask, names, names_ends):
    """The code of the category with this name; -1: none has it."""
    slot = np.int64(hash_bytes(data, begin, end) & np.uint64(mask))
    while True:
        name = slots[slots_begin + slot, 0]
        if name < 0:
            return np.int64(-1)
        first = names_ends[name]
        size = names_ends[name + 1] - first
        if size == end - begin and are_equal(names, first, data, begin, size):
            return slots[slots_begin + slot, 1]
        slot = (slot + 1) & mask


@kernel
def sized(size, data, at, end):
    """Where bytes of this size lie, or of the size that is written before them."""
    if size < 0:
        return read_span(data, at, end)
    if at + size > end:
        return at, size, _CUT
    return at, size, _NONE


@kernel
def read_decimal(size, digits, data, at, end):
    """Two's complement, big-endian, divided by ten to the scale.

    Answers the number, where it ends, a reason and a fault.
    """
    begin, length, reason = sized(size, data, at, end)
    if reason != _NONE:
        return 0.0, at, reason, _FINE
    after = begin + length
    negative = length > 0 and data[begin] >= 0x80
    unscaled = np.int64(-1) if negative else np.int64(0)
    sign = 0xFF if negative else 0x00
    while after - begin > 8:
        if data[begin] != sign:
            return 0.0, after, _NONE, _OUT_OF_RANGE
        begin += 1
    if after - begin == 8 and (data[begin] >= 0x80) != negative:
        return 0.0, after, _NONE, _OUT_OF_RANGE
    for index in range(begin, after):
        unscaled = (unscaled << 8) | np.int64(data[index])
    limit = _POWERS[digits // DIGITS_BASE]
    if unscaled >= limit or unscaled <= -limit:
        return 0.0, after, _NONE, _OUT_OF_RANGE
    if unscaled > EXACT or unscaled < -EXACT:
        return 0.0, after, _NONE, LEFT
    number = np.float64(unscaled) / np.float64(_POWERS[digits % DIGITS_BASE])
    return number, after, _NONE, _FINE


@kernel
def read_text(is_bytes, must_be_uuid, data, at, end):
    """A string, or bytes that must be one.

    Answers where it begins and ends, a reason and a fault.
    """
    begin, size, reason = read_span(data, at, end)
    if reason != _NONE:
        return at, at, reason, _FINE
    after = begin + size
    if not is_utf8(data, begin, after):
        if is_bytes:
            return begin, after, _NONE, _WRONG_TYPE
        return at, at, _NO_UTF8, _FINE
    if must_be_uuid and not is_uuid(data, begin, after):
        return begin, after, _NONE, _BAD_LOGICAL
    return begin, after, _NONE, _FINE


@kernel
def take_raw(data, begin, of_column, refuses, where, float32, float64, int64, uint8, bits, reals):
    """Elements of a raw tensor, little-endian, into their tensor; answers fault and kind.

    Args:
        data: Holds them from ``begin`` on.
        begin: In it.
        of_column: Its numbers.
        refuses: Whether what is not finite is a fault.
        where: In the tensors.
        float32: See ``memory.Decoded``, and so on.
        float64: Likewise.
        int64: Likewise.
        uint8: Likewise.
        bits: A place in memory,
        reals: the same as float32 and float64.
    """
    single, double = reals
    cell = of_column[CELL]
    each = raw_bytes(cell)
    worst, worst_kind = _FINE, _VALUE
    for index in range(of_column[SPAN]):
        here = begin + index * each
        fault, number = _FINE, 0.0
        if each == 1:
            uint8[where + index] = data[here]
            fault = _OUT_OF_RANGE if cell == _BOOL and data[here] > 1 else _FINE
        elif cell == _FLOAT32:
            number = read_single(data, here, bits, single)
            float32[where + index] = np.float32(number)
        else:
            number = read_double(data, here, bits, double)
            if cell == _INT64:
                int64[where + index] = np.int64(bits[0])
                number = 0.0
            else:
                float64[where + index] = number
        if not np.isfinite(number):
            worst_kind = max(worst_kind, kind_of(number))
            fault = _NON_FINITE if refuses else _FINE
        worst = fault if worst == _FINE else worst
    return worst, worst_kind


@kernel
def raw_bytes(cell):
    """Of an element of a raw tensor."""
    return 4 if cell == _FLOAT32 else 8 if cell in (_FLOAT64, _INT64) else 1
