"""Messages of the library to columns, and columns to messages: loops over pointers.

Decides nothing: rows in their order. The places in the structs are those of ``library.py``.
"""

from typing import NamedTuple

import numpy as np

from stream_app.adapters.kafka.native.memory import (
    call_int32,
    call_int64,
    call_int64_3,
    call_void,
    copy_bytes,
    load_int32,
    load_int64,
)
from stream_app.core.columns import BoolArray, Int8Array, Int32Array, Int64Array, UInt8Array
from stream_app.core.jit import kernel, was_compiled

ERR, PARTITION, PAYLOAD, LEN, KEY, KEY_LEN, OFFSET = 0, 16, 24, 32, 40, 48, 56
"""Of ``rd_kafka_message_t``."""


class Taken(NamedTuple):
    """What messages become; a row for each that is a record.

    Attributes:
        values: uint8, with room for all of them.
        value_ends: int64, shape ``(n + 1,)``.
        value_nulls: bool, shape ``(n,)``.
        keys: As ``values``.
        key_ends: Likewise.
        key_nulls: Likewise.
        partition: int32, shape ``(n,)``.
        offset: int64.
        timestamp_ms: int64.
        timestamp_type: int8.
        headers: int64: the library's headers; 0 for none.
        errors: int64, shape ``(m,)``: which messages are none.
    """

    values: UInt8Array
    value_ends: Int64Array
    value_nulls: BoolArray
    keys: UInt8Array
    key_ends: Int64Array
    key_nulls: BoolArray
    partition: Int32Array
    offset: Int64Array
    timestamp_ms: Int64Array
    timestamp_type: Int8Array
    headers: Int64Array
    errors: Int64Array


@kernel
def measure(messages: Int64Array, sizes: Int64Array) -> None:
    """Fill ``sizes``: records, errors, bytes of values, bytes of keys."""
    records, values, keys = 0, 0, 0
    for index in range(len(messages)):
        message = messages[index]
        if load_int32(message + ERR) == 0:
            records += 1
            values += load_int64(message + LEN)
            keys += load_int64(message + KEY_LEN)
    sizes[0], sizes[1] = records, len(messages) - records
    sizes[2], sizes[3] = values, keys


@kernel
def take(messages: Int64Array, timestamp_of: int, headers_of: int, taken: Taken) -> None:
    """Copy every record; which messages are none goes to ``taken.errors``."""
    # A field of a tuple costs a look-up and a count of references: none of them in the loop.
    (
        values,
        value_ends,
        value_nulls,
        keys,
        key_ends,
        key_nulls,
        partition,
        offset,
        timestamp_ms,
        timestamp_type,
        headers,
        errors,
    ) = taken
    scratch = np.zeros(1, dtype=np.int64)
    aside = np.int64(scratch.ctypes.data)
    to_values, to_keys = np.int64(values.ctypes.data), np.int64(keys.ctypes.data)
    value_at, key_at, row, bad = 0, 0, 0, 0
    value_ends[0] = 0
    key_ends[0] = 0
    for index in range(len(messages)):
        message = messages[index]
        if load_int32(message + ERR) != 0:
            errors[bad] = index
            bad += 1
            continue
        pointer, size = load_int64(message + PAYLOAD), load_int64(message + LEN)
        value_nulls[row] = pointer == 0
        copy_bytes(to_values + value_at, pointer, size)
        value_at += size
        value_ends[row + 1] = value_at
        pointer, size = load_int64(message + KEY), load_int64(message + KEY_LEN)
        key_nulls[row] = pointer == 0
        copy_bytes(to_keys + key_at, pointer, size)
        key_at += size
        key_ends[row + 1] = key_at
        partition[row] = load_int32(message + PARTITION)
        offset[row] = load_int64(message + OFFSET)
        scratch[0] = 0
        timestamp_ms[row] = call_int64(timestamp_of, message, aside)
        timestamp_type[row] = load_int32(aside)
        scratch[0] = 0
        headers[row] = load_int64(aside) if call_int32(headers_of, message, aside) == 0 else 0
        row += 1


@kernel
def release(messages: Int64Array, destroy: int) -> None:
    """Give every message back to the library."""
    for index in range(len(messages)):
        call_void(destroy, messages[index])


class Sending(NamedTuple):
    """Rows to hand over.

    Attributes:
        values: uint8; all of them.
        value_ends: int64, shape ``(n + 1,)``.
        value_nulls: bool, shape ``(n,)``, or ``(0,)`` when none is null.
        keys: As ``values``.
        key_ends: Likewise.
        key_nulls: Likewise.
        partition: int32, shape ``(n,)``; -1: by key.
        timestamp_ms: int64, shape ``(n,)``; 0: now.
        headers: int64, shape ``(n,)``, or ``(0,)``: the library's headers; 0 for none.
    """

    values: UInt8Array
    value_ends: Int64Array
    value_nulls: BoolArray
    keys: UInt8Array
    key_ends: Int64Array
    key_nulls: BoolArray
    partition: Int32Array
    timestamp_ms: Int64Array
    headers: Int64Array


ARGUMENTS = 7
"""Of one record: topic, partition, flags, value, time, key, headers."""

ARGUMENT_WORDS = 9
"""In each, a ``rd_kafka_vu_t``: what it is, then room for its value."""

RKT, AT, FLAGS, VALUE, TIME, KEYED, HEADERS = 2, 3, 7, 4, 8, 5, 10
"""``RD_KAFKA_VTYPE_…``."""

COPY = 2
"""``RD_KAFKA_MSG_F_COPY``."""


@kernel
def send(
    begin: int, produceva: int, rk: int, rkt: int, sending: Sending, refusal: Int64Array
) -> int:
    """Hand over rows from ``begin`` on; answers the first that is refused, or their number.

    Args:
        begin: The first row.
        produceva: The function.
        rk: The client.
        rkt: The topic.
        sending: The rows.
        refusal: Shape ``(1,)``; filled: the error object, or 0.
    """
    (
        values,
        value_ends,
        value_nulls,
        keys,
        key_ends,
        key_nulls,
        partition,
        timestamp_ms,
        headers,
    ) = sending
    arguments = np.zeros((ARGUMENTS, ARGUMENT_WORDS), dtype=np.int64)
    arguments[0, 0], arguments[0, 1] = RKT, rkt
    arguments[1, 0] = AT
    arguments[2, 0], arguments[2, 1] = FLAGS, COPY
    arguments[3, 0] = VALUE
    arguments[4, 0] = TIME
    arguments[5, 0] = KEYED
    arguments[6, 0] = HEADERS
    at = np.int64(arguments.ctypes.data)
    from_values, from_keys = np.int64(values.ctypes.data), np.int64(keys.ctypes.data)
    refusal[0] = 0
    for row in range(begin, len(partition)):
        arguments[1, 1] = partition[row]
        if len(value_nulls) > 0 and value_nulls[row]:
            arguments[3, 1], arguments[3, 2] = 0, 0
        else:
            arguments[3, 1] = from_values + value_ends[row]
            arguments[3, 2] = value_ends[row + 1] - value_ends[row]
        arguments[4, 1] = timestamp_ms[row]
        if len(key_nulls) > 0 and key_nulls[row]:
            arguments[5, 1], arguments[5, 2] = 0, 0
        else:
            arguments[5, 1] = from_keys + key_ends[row]
            arguments[5, 2] = key_ends[row + 1] - key_ends[row]
        count = ARGUMENTS - 1
        if len(headers) > 0 and headers[row] != 0:
            arguments[6, 1] = headers[row]
            count = ARGUMENTS
        error = call_int64_3(produceva, rk, at, count)
        if error != 0:
            refusal[0] = error
            return row
    return len(partition)


def load() -> bool:
    """Run each on no rows, as the clients do, so that none is compiled later; whether one was."""
    nothing = np.empty(0, dtype=np.int64)
    ends = np.zeros(1, dtype=np.int64)
    no_bytes = np.empty(0, dtype=np.uint8)
    no_flags = np.empty(0, dtype=np.bool_)
    measure(nothing, np.empty(4, dtype=np.int64))
    taken = Taken(
        values=no_bytes,
        value_ends=ends,
        value_nulls=no_flags,
        keys=no_bytes,
        key_ends=ends,
        key_nulls=no_flags,
        partition=np.empty(0, dtype=np.int32),
        offset=nothing,
        timestamp_ms=nothing,
        timestamp_type=np.empty(0, dtype=np.int8),
        headers=nothing,
        errors=nothing,
    )
    take(nothing, 0, 0, taken)
    release(nothing, 0)
    sending = Sending(
        values=np.frombuffer(b"", dtype=np.uint8),
        value_ends=ends,
        value_nulls=no_flags,
        keys=np.frombuffer(b"", dtype=np.uint8),
        key_ends=ends,
        key_nulls=no_flags,
        partition=taken.partition,
        timestamp_ms=nothing,
        headers=nothing,
    )
    send(0, 0, 0, 0, sending, np.empty(1, dtype=np.int64))
    return any(map(was_compiled, (measure, take, release, send)))
