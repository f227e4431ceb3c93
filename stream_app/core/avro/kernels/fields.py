"""Framing, id, time, blocks, and values that are passed over; compiled.

Each answers where it ends and what is wrong with it, by the rules of ``framing.py``,
``identity.py`` and ``wire.py``.
"""

import numpy as np

from stream_app.core.avro.framing import CONFLUENT_BYTES, SINGLE_OBJECT_BYTES
from stream_app.core.avro.kernels import codes
from stream_app.core.avro.kernels.varints import (
    is_utf8,
    is_uuid,
    put_decimal,
    put_uuid,
    read_int,
    read_long,
    read_span,
)
from stream_app.core.avro.memory import NO_PROGRAM, UNREAD
from stream_app.core.avro.plan import MAX_TIME_MS, MIN_TIME_MS
from stream_app.core.jit import kernel

_LARGEST = (1 << 63) - 1


@kernel
def read_framing(data, begin, end, is_null, given, framing, max_bytes, keys, recent):
    """Where the value begins, which program it is for, what is wrong, and two numbers to say so."""
    size = end - begin
    if given == UNREAD:
        return begin, UNREAD, codes.NONE, size, 0
    if is_null:
        return begin, NO_PROGRAM, codes.TOMBSTONE, size, 0
    if size > max_bytes:
        return begin, NO_PROGRAM, codes.TOO_LARGE, size, 0
    if given >= 0:
        return begin, given, codes.NONE, size, 0
    if size <= framing:
        return begin, NO_PROGRAM, codes.TOO_SHORT, size, 0
    key = np.int64(0)
    if framing == CONFLUENT_BYTES:
        wrong = data[np.uintp(begin)] != 0
        for index in range(1, CONFLUENT_BYTES):
            key = (key << 8) | np.int64(data[np.uintp(begin + index)])
    else:
        wrong = data[np.uintp(begin)] != 0xC3 or data[np.uintp(begin + 1)] != 0x01
        for index in range(2, SINGLE_OBJECT_BYTES):
            key = (key << 8) | np.int64(data[np.uintp(begin + index)])
    if wrong:
        return begin, NO_PROGRAM, codes.BAD_MAGIC, np.int64(data[begin]), np.int64(data[begin + 1])
    if recent < len(keys) and keys[recent] == key:
        return begin + framing, recent, codes.NONE, size, 0
    for index in range(len(keys)):
        if keys[index] == key:
            return begin + framing, index, codes.NONE, size, 0
    return begin, NO_PROGRAM, codes.NONE, size, 0


@kernel
def take_id(op, is_uuid_text, data, at, end, ids, into):
    """The event's id as text; answers where it ends, a reason, a fault and where its text ends."""
    if op in (codes.ID_INT, codes.ID_LONG):
        number, after, reason = (
            read_int(data, at, end) if op == codes.ID_INT else read_long(data, at, end)
        )
        if reason != codes.NONE:
            return at, reason, 0, into
        return after, codes.NONE, 0, put_decimal(number, ids, into)
    if op == codes.ID_NULL:
        return at, codes.NONE, codes.MISSING_ID, into
    if op == codes.ID_UUID:
        if at + 16 > end:
            return at, codes.CUT, 0, into
        return at + 16, codes.NONE, 0, put_uuid(data, at, ids, into)
    begin, size, reason = read_span(data, at, end)
    if reason != codes.NONE:
        return at, reason, 0, into
    after = begin + size
    # Copied while it is looked at: what follows overwrites an id that is none.
    any_of_them = np.uint8(0)
    for index in range(size):
        byte = data[np.uintp(begin + index)]
        ids[np.uintp(into + index)] = byte
        any_of_them |= byte
    if any_of_them >= 0x80 and not is_utf8(data, begin, after):
        if op == codes.ID_STRING:
            return at, codes.NO_UTF8, 0, into
        return after, codes.NONE, codes.WRONG_TYPE, into
    if size == 0:
        return after, codes.NONE, codes.MISSING_ID, into
    if is_uuid_text and not is_uuid(data, begin, after):
        return after, codes.NONE, codes.BAD_LOGICAL, into
    return after, codes.NONE, 0, into + size


@kernel
def take_time(op, units_per_ms, data, at, end):
    """The event's time in milliseconds, behind where it ends, a reason and a fault."""
    if op == codes.TIME_NULL:
        return at, codes.NONE, codes.MISSING, np.int64(0)
    number, after, reason = read_long(data, at, end)
    if reason != codes.NONE:
        return at, reason, 0, np.int64(0)
    # A division takes as long as ten other instructions.
    time_ms = number if units_per_ms == 1 else number // units_per_ms
    if time_ms < MIN_TIME_MS or time_ms > MAX_TIME_MS:
        return after, codes.NONE, codes.BAD_LOGICAL, np.int64(0)
    return after, codes.NONE, 0, time_ms


@kernel
def block(data, at, end):
    """The items in the block of an array or a map that begins here."""
    count, at, reason = read_long(data, at, end)
    if reason != codes.NONE or count >= 0:
        return count, at, reason
    # However many are claimed: each takes a byte, so the end of the value ends this.
    count = _LARGEST if count == -_LARGEST - 1 else -count
    size, at, reason = read_long(data, at, end)
    if reason == codes.NONE and size < 0:
        reason = codes.NEGATIVE_BLOCK
    return count, at, reason


@kernel
def pass_over(op, size, data, at, end):
    """A value that nobody asked for; answers where it ends, and what is wrong with it."""
    if op == codes.FIXED:
        return (at, codes.CUT) if at + size > end else (at + size, codes.NONE)
    if op == codes.LONG:
        _, after, reason = read_long(data, at, end)
        return after, reason
    if op == codes.INT:
        _, after, reason = read_int(data, at, end)
        return after, reason
    if op in (codes.STRING, codes.BYTES):
        begin, length, reason = read_span(data, at, end)
        if reason == codes.NONE and op == codes.STRING and not is_utf8(data, begin, begin + length):
            reason = codes.NO_UTF8
        return begin + length, reason
    if op == codes.ENUM:
        index, after, reason = read_long(data, at, end)
        if reason == codes.NONE and not 0 <= index < size:
            reason = codes.NO_SYMBOL
        return after, reason
    if at >= end:
        return at, codes.CUT
    return at + 1, (codes.NO_BOOLEAN if data[at] > 1 else codes.NONE)
