"""What the compiled decoder works on: groups of arrays, each handed to the kernels as one.

Decides the layout in memory. Everything here is made once a contract, once a schema or once a
batch; the kernels allocate nothing that lasts.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stream_app.core.columns import BoolArray, Int32Array, Int64Array, UInt8Array, UInt16Array

Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]


class Values(NamedTuple):
    """The records' values.

    Attributes:
        data: uint8; all of them, one after another.
        offsets: int64, shape ``(n + 1,)``.
        nulls: bool, shape ``(n,)``, or ``(0,)`` when none is null.
        given: int32, shape ``(n,)``, or ``(0,)``: the program of rows whose key stands in a header,
            so that the value begins at once; ``PREFIXED`` for the others, ``UNREAD`` for rows that
            the kernel must leave alone.
        framing_bytes: Before a value that is prefixed: 5 (Confluent) or 10 (single object).
        max_bytes: Of a value, framing included.
    """

    data: UInt8Array
    offsets: Int64Array
    nulls: BoolArray
    given: Int32Array
    framing_bytes: int
    max_bytes: int


PREFIXED = -1
UNREAD = -2


class Programs(NamedTuple):
    """Of all writer schemas that are known.

    Attributes:
        keys: int64, shape ``(k,)``: a registry's id, or the bytes of a fingerprint as a number.
        entries: int64, shape ``(k,)``: where its program begins; ```NO_PROGRAM``.
        ops: int64, shape ``(m, opcodes.WIDTH)``.
        jumps: int64: places in ``ops``.
        codes: int64: of enums' symbols.
    """

    keys: Int64Array
    entries: Int64Array
    ops: Int64Array
    jumps: Int64Array
    codes: Int64Array


NO_PROGRAM = -1
"""The reference decoder has to do it; and in place of a program: none is known."""


class Columns(NamedTuple):
    """The contract's features, in its order.

    Attributes:
        numbers: int64, shape ``(features, FIELDS)``; see the places below.
        fills: float64, shape ``(features,)``: what null becomes, in tensors of floats.
        slots: int64, shape ``(s, 2)``: the hash tables of categories, one behind the other, with
            open addressing: a category's place in ``names_ends``, -1 if it is free; and its code.
        names: uint8: UTF-8, one category after another.
        names_ends: int64: where each begins, and the last ends.
    """

    numbers: Int64Array
    fills: Float64Array
    slots: Int64Array
    names: UInt8Array
    names_ends: Int64Array


CELL = 0
"""``opcodes.Cell``."""
SECTION = 1
"""Bytes of a row in all tensors before the column's; eight for a text."""
STRIDE = 2
"""Elements in a row of its tensor."""
FIRST = 3
"""Where its elements begin in such a row."""
SPAN = 4
"""How many they are."""
FILL = 5
"""What null becomes, in tensors of integers."""
REFUSES = 6
"""Bits of ``REFUSE_…``."""
SLOTS = 7
"""Where its categories' slots begin."""
MASK = 8
"""Their number less 1: a power of two, and one at least is free."""
CATEGORIES = 9
"""How many it has, and the code of all others."""
FIELDS = 10

REFUSE_NULL = 1
REFUSE_NON_FINITE = 2
REFUSE_UNSEEN = 4


class Decoded(NamedTuple):
    """What becomes of ``n`` rows.

    Attributes:
        float32: The block of all tensors, seen as these.
        float64: The same block.
        int64: The same block; a text is where it begins in the values, or ``-1`` for null, or
            ``-2 - i`` for text ``i`` of the program.
        uint8: The same block.
        text_ends: int64, as long as ``int64``, or ``(0,)`` without texts: where each text ends.
        kinds: uint8, shape ``(n, features)``.
        times: int64, shape ``(n,)``.
        ids: uint8, with room for all of them.
        id_ends: int64, shape ``(n + 1,)``.
        id_nulls: bool, shape ``(n,)``.
        program: int32, shape ``(n,)``: index into ``Programs.keys``; -1: not known.
        fault: uint16, shape ``(n,)``.
        status: uint8, shape ``(n,)``, of ``opcodes.Status``.
        about: int64, shape ``(n, 4)``: for messages; see the places below.
    """

    float32: Float32Array
    float64: Float64Array
    int64: Int64Array
    uint8: UInt8Array
    text_ends: Int64Array
    kinds: UInt8Array
    times: Int64Array
    ids: UInt8Array
    id_ends: Int64Array
    id_nulls: BoolArray
    program: Int32Array
    fault: UInt16Array
    status: UInt8Array
    about: Int64Array


REASON = 0
"""``opcodes.Reason``."""
PLACE = 1
"""For a fault of bytes the instruction; for one of a column its index."""
NUMBER = 2
"""And one more behind it: what was found."""
