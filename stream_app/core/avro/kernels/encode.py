"""Predictions to bytes: one loop over the rows, told by the prediction schema's program.

Decides nothing about fields (``outgoing_program.py`` did); writes what fastavro would, to the byte.
Refuses to know where outputs come from.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stream_app.core.avro.outgoing_program import NO_BRANCH, NO_CHOICE, Kind, Put
from stream_app.core.columns import NO_TIMESTAMP, Int32Array, Int64Array, UInt8Array
from stream_app.core.jit import kernel

_CONSTANT, _EVENT_ID, _EVENT_TIME = int(Put.CONSTANT), int(Put.EVENT_ID), int(Put.EVENT_TIME)
_TOPIC, _PARTITION, _OFFSET = int(Put.TOPIC), int(Put.PARTITION), int(Put.OFFSET)
_REAL, _WHOLE, _REALS, _WHOLES = int(Put.REAL), int(Put.WHOLE), int(Put.REALS), int(Put.WHOLES)
_ARRAY = int(Put.ARRAY)
_BOOLEAN, _INT, _LONG = int(Kind.BOOLEAN), int(Kind.INT), int(Kind.LONG)
_FLOAT, _DOUBLE = int(Kind.FLOAT), int(Kind.DOUBLE)
_NO_BRANCH, _NO_CHOICE = NO_BRANCH, NO_CHOICE

_GREATEST_FLOAT = float.fromhex("0x1.fffffep+127")


class Scored(NamedTuple):
    """What predictions are made of.

    Attributes:
        rows: intp, shape ``(k,)``: the event rows, in order.
        ids: uint8: the events' ids, one after another.
        id_ends: int64, shape ``(n + 1,)``.
        times: int64, shape ``(n,)``; ``NO_TIMESTAMP`` is written as null.
        partition: int32, shape ``(n,)``.
        offset: int64, shape ``(n,)``.
        topic: uint8: the input topic as an Avro string.
        reals: float64, shape ``(k, r)``: the outputs that are real numbers.
        wholes: int64, shape ``(k, i)``: those that are integers or booleans.
    """

    rows: npt.NDArray[np.intp]
    ids: UInt8Array
    id_ends: Int64Array
    times: Int64Array
    partition: Int32Array
    offset: Int64Array
    topic: UInt8Array
    reals: npt.NDArray[np.float64]
    wholes: Int64Array


@kernel
def encode_rows(
    scored: Scored,
    ops: Int64Array,
    constants: UInt8Array,
    out: UInt8Array,
    ends: Int64Array,
    misfits: Int32Array,
) -> int:
    """Write one prediction a row.

    Args:
        scored: What is in them.
        ops: Of the program, shape ``(m, outgoing_program.OP_WIDTH)``.
        constants: Likewise.
        out: With room for all: ``row_bytes`` a row, the topic in each, and all ids.
        ends: Shape ``(k + 1,)``; filled. A row that does not fit takes no bytes.
        misfits: Shape ``(k,)``; filled: 1 + the field that has no room for its value, or 0.

    Returns:
        Rows that do not fit.
    """
    rows, ids, id_ends, times, partition, offset, topic, reals, wholes = scored
    bits = np.zeros(1, dtype=np.uint64)
    single, double = bits.view(np.float32), bits.view(np.float64)
    at, bad = 0, 0
    ends[0] = 0
    for position in range(len(rows)):
        row = np.uintp(rows[position])
        misfits[position] = 0
        for pc in range(len(ops)):
            op, a, b = ops[pc, 0], ops[pc, 1], ops[pc, 2]
            if op == _CONSTANT:
                for index in range(b):
                    out[np.uintp(at + index)] = constants[np.uintp(a + index)]
                at += b
            elif op == _EVENT_ID:
                begin, size = id_ends[row], id_ends[row + np.uintp(1)] - id_ends[row]
                at = put_long(out, at, size)
                for index in range(size):
                    out[np.uintp(at + index)] = ids[np.uintp(begin + index)]
                at += size
            elif op == _EVENT_TIME:
                if times[row] == NO_TIMESTAMP:
                    at = put_long(out, at, 0)
                else:
                    at = put_long(out, at, 1)
                    at = put_long(out, at, times[row])
            elif op == _TOPIC:
                for index in range(len(topic)):
                    out[np.uintp(at + index)] = topic[np.uintp(index)]
                at += len(topic)
            elif op == _PARTITION:
                at = put_long(out, at, np.int64(partition[row]))
            elif op == _OFFSET:
                at = put_long(out, at, offset[row])
            elif op == _ARRAY:
                at = put_long(out, at, a)
            else:
                is_array = op in (_REALS, _WHOLES)
                is_real = op in (_REAL, _REALS)
                if is_array and b > 0:
                    at = put_long(out, at, b)
                for column in range(a, a + b):
                    number = reals[position, column] if is_real else 0.0
                    whole = np.int64(0) if is_real else wholes[position, column]
                    kind, branch = ops[pc, 4], ops[pc, 5]
                    if not has_room(kind, number, whole):
                        kind, branch = ops[pc, 6], ops[pc, 7]
                        if kind == _NO_CHOICE or not has_room(kind, number, whole):
                            misfits[position] = ops[pc, 3] + 1
                            break
                    if branch != _NO_BRANCH:
                        at = put_long(out, at, branch)
                    if kind in (_INT, _LONG):
                        at = put_long(out, at, whole)
                    elif kind == _BOOLEAN:
                        out[at] = np.uint8(whole)
                        at += 1
                    else:
                        number = number if is_real else np.float64(whole)
                        if kind == _DOUBLE:
                            double[0] = number
                        else:
                            bits[0] = 0
                            single[0] = np.float32(number)
                        size = 8 if kind == _DOUBLE else 4
                        for index in range(size):
                            out[np.uintp(at + index)] = np.uint8(
                                (bits[0] >> np.uint64(8 * index)) & np.uint64(0xFF)
                            )
                        at += size
                if is_array:
                    at = put_long(out, at, 0)
            if misfits[position] != 0:
                break
        if misfits[position] != 0:
            at = ends[position]
            bad += 1
        ends[position + 1] = at
    return bad


@kernel
def has_room(kind, number, whole):
    """Whether a number can be written as ``kind`` without becoming another."""
    if kind == _INT:
        return -(1 << 31) <= whole < (1 << 31)
    if kind == _FLOAT:
        return not np.isfinite(number) or abs(number) <= _GREATEST_FLOAT
    return True


@kernel
def put_long(out, at, number):
    """Write a zigzag varint; answers where it ends."""
    rest = np.uint64((number << 1) ^ (number >> 63))
    while rest >= np.uint64(0x80):
        out[np.uintp(at)] = np.uint8((rest & np.uint64(0x7F)) | np.uint64(0x80))
        rest >>= np.uint64(7)
        at += 1
    out[np.uintp(at)] = np.uint8(rest)
    return at + 1
