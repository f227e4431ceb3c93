"""Numbers and texts in a value's bytes, for compiled kernels; the rules are those of ``wire.py``.

Each reader is given the value's bytes, where to read and where the value ends, and answers what it
read, where that ends and what is wrong with it (``Reason``). It never reads behind the end.
"""

import numpy as np

from stream_app.core.avro.opcodes import Reason
from stream_app.core.jit import kernel

_NONE, _CUT = int(Reason.NONE), int(Reason.CUT)
_OVER_32, _OVER_64 = int(Reason.OVER_32_BITS), int(Reason.OVER_64_BITS)
_NEGATIVE, _BEYOND = int(Reason.NEGATIVE_LENGTH), int(Reason.LENGTH_BEYOND)


@kernel
def read_long(data, at, end):
    """A zigzag varint of at most 64 bits."""
    if at < end and data[np.uintp(at)] < 0x80:
        byte = np.int64(data[np.uintp(at)])
        return (byte >> 1) ^ -(byte & 1), at + 1, _NONE
    raw = np.uint64(0)
    for index in range(10):
        if at + index >= end:
            return np.int64(0), at, _CUT
        byte = np.int64(data[np.uintp(at + index)])
        raw |= np.uint64(byte & 0x7F) << np.uint64(7 * index)
        if byte < 0x80:
            if index == 9 and byte > 1:
                break
            signed = np.int64(raw >> np.uint64(1)) ^ -np.int64(raw & np.uint64(1))
            return signed, at + index + 1, _NONE
    return np.int64(0), at, _OVER_64


@kernel
def read_int(data, at, end):
    """A zigzag varint of at most 32 bits."""
    raw = np.int64(0)
    for index in range(5):
        if at + index >= end:
            return np.int64(0), at, _CUT
        byte = np.int64(data[np.uintp(at + index)])
        raw |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            if index == 4 and byte > 0x0F:
                break
            return (raw >> 1) ^ -(raw & 1), at + index + 1, _NONE
    return np.int64(0), at, _OVER_32


@kernel
def read_span(data, at, end):
    """The length of what follows; answers where that begins and how long it is."""
    size, begin, reason = read_long(data, at, end)
    if reason != _NONE:
        return at, np.int64(0), reason
    if size < 0:
        return at, np.int64(0), _NEGATIVE
    if size > end - begin:
        return at, np.int64(0), _BEYOND
    return begin, size, _NONE


@kernel
def is_utf8(data, begin, end):
    """Whether these bytes are UTF-8 as RFC 3629 has it: no surrogates, nothing longer than due."""
    at = begin
    while at < end:
        lead = np.int64(data[np.uintp(at)])
        at += 1
        if lead < 0x80:
            continue
        if lead < 0xC2 or lead > 0xF4:
            return False
        more = 1 if lead < 0xE0 else 2 if lead < 0xF0 else 3
        if end - at < more:
            return False
        second = np.int64(data[at])
        least, greatest = np.int64(0x80), np.int64(0xBF)
        if lead == 0xE0:
            least = np.int64(0xA0)
        elif lead == 0xED:
            greatest = np.int64(0x9F)
        elif lead == 0xF0:
            least = np.int64(0x90)
        elif lead == 0xF4:
            greatest = np.int64(0x8F)
        if second < least or second > greatest:
            return False
        for index in range(1, more):
            if data[at + index] & 0xC0 != 0x80:
                return False
        at += more
    return True


@kernel
def is_uuid(data, begin, end):
    """Whether these bytes are the text of a uuid (RFC 9562)."""
    if end - begin != 36:
        return False
    for index in range(36):
        byte = data[begin + index]
        if index in (8, 13, 18, 23):
            if byte != 0x2D:
                return False
        elif not (0x30 <= byte <= 0x39 or 0x41 <= byte <= 0x46 or 0x61 <= byte <= 0x66):
            return False
    return True


@kernel
def put_uuid(data, begin, into, at):
    """Write the text of the uuid of 16 bytes; answers where it ends."""
    for index in range(16):
        if index in (4, 6, 8, 10):
            into[at] = 0x2D
            at += 1
        byte = np.int64(data[begin + index])
        for digit in (byte >> 4, byte & 0x0F):
            into[at] = digit + (0x30 if digit < 10 else 0x57)
            at += 1
    return at


@kernel
def put_decimal(number, into, at):
    """Write a number in decimal; answers where it ends."""
    if number < 0:
        into[at] = 0x2D
        at += 1
        # The least number has no opposite of 64 signed bits.
        rest = np.uint64(-(number + 1)) + np.uint64(1)
    else:
        rest = np.uint64(number)
    digits = 1
    power = np.uint64(10)
    while digits < 20 and rest >= power:
        digits += 1
        if digits < 20:
            power *= np.uint64(10)
    for index in range(digits - 1, -1, -1):
        into[at + index] = np.uint8(0x30) + np.uint8(rest % np.uint64(10))
        rest //= np.uint64(10)
    return at + digits


@kernel
def read_word(data, at):
    """The 8 bytes at ``at``, little-endian: one load of the processor."""
    word = np.uint64(0)
    for index in range(8):
        word |= np.uint64(data[np.uintp(at + index)]) << np.uint64(8 * index)
    return word


@kernel
def hash_bytes(data, begin, end):
    """FNV-1a of 64 bits (Fowler, Noll and Vo), eight bytes a step where there are eight.

    The last step looks at the last eight, some of them again. The halves are folded after each
    step, since a product's lower bits know nothing of its factors' upper ones.
    """
    state = np.uint64(0xCBF29CE484222325) ^ np.uint64(end - begin)
    if end - begin < 8:
        for at in range(begin, end):
            state = (state ^ np.uint64(data[np.uintp(at)])) * np.uint64(0x100000001B3)
        return state
    last = end - 8
    at = begin
    while True:
        state = (state ^ read_word(data, at)) * np.uint64(0x100000001B3)
        state ^= state >> np.uint64(32)
        if at == last:
            return state
        at = min(at + 8, last)


@kernel
def are_equal(one, begin, other, other_begin, size):
    """Whether ``size`` bytes are the same here and there."""
    if size < 8:
        for index in range(size):
            if one[np.uintp(begin + index)] != other[np.uintp(other_begin + index)]:
                return False
        return True
    last = size - 8
    at = np.int64(0)
    while True:
        if read_word(one, begin + at) != read_word(other, other_begin + at):
            return False
        if at == last:
            return True
        at = min(at + 8, last)
