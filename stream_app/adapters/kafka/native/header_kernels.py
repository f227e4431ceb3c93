"""Headers of the library's messages to columns, without asking Python for each."""

from typing import NamedTuple

import numpy as np

from stream_app.adapters.kafka.columns import UNREADABLE_HEADERS
from stream_app.adapters.kafka.native.memory import (
    call_int32_5,
    copy_bytes,
    load_int64,
    load_uint8,
)
from stream_app.core.columns import BoolArray, BytesColumn, Int64Array, UInt8Array
from stream_app.core.header_columns import HeaderColumns
from stream_app.core.jit import kernel, was_compiled


class TakenHeaders(NamedTuple):
    """What headers become.

    Attributes:
        ends: int64, shape ``(n + 1,)``: of each row's headers.
        names: uint8, with room for all of them.
        name_ends: int64, shape ``(m + 1,)``.
        values: As ``names``.
        value_ends: Likewise.
        value_nulls: bool, shape ``(m,)``.
    """

    ends: Int64Array
    names: UInt8Array
    name_ends: Int64Array
    values: UInt8Array
    value_ends: Int64Array
    value_nulls: BoolArray


@kernel
def measure_headers(headers: Int64Array, get_all: int, sizes: Int64Array) -> None:
    """Fill ``sizes``: headers, bytes of names, bytes of values."""
    told = np.zeros(3, dtype=np.int64)
    aside = np.int64(told.ctypes.data)
    count, names, values = 0, 0, 0
    for row in range(len(headers)):
        index = 0
        while (
            headers[row] != 0
            and call_int32_5(get_all, headers[row], index, aside, aside + 8, aside + 16) == 0
        ):
            name = load_int64(aside)
            while load_uint8(name) != 0:
                name += 1
            names += name - load_int64(aside)
            values += load_int64(aside + 16)
            index += 1
        count += index
    sizes[0], sizes[1], sizes[2] = count, names, values
    told[0] = 0


@kernel
def take_headers(headers: Int64Array, get_all: int, taken: TakenHeaders) -> None:
    """Copy every header of every row."""
    ends, names, name_ends, values, value_ends, value_nulls = taken
    told = np.zeros(3, dtype=np.int64)
    aside = np.int64(told.ctypes.data)
    to_names, to_values = np.int64(names.ctypes.data), np.int64(values.ctypes.data)
    count, name_at, value_at = 0, 0, 0
    ends[0], name_ends[0], value_ends[0] = 0, 0, 0
    for row in range(len(headers)):
        index = 0
        while (
            headers[row] != 0
            and call_int32_5(get_all, headers[row], index, aside, aside + 8, aside + 16) == 0
        ):
            name, value, size = load_int64(aside), load_int64(aside + 8), load_int64(aside + 16)
            end = name
            while load_uint8(end) != 0:
                end += 1
            copy_bytes(to_names + name_at, name, end - name)
            name_at += end - name
            copy_bytes(to_values + value_at, value, size)
            value_at += size
            name_ends[count + 1], value_ends[count + 1] = name_at, value_at
            value_nulls[count] = value == 0
            count += 1
            index += 1
        ends[row + 1] = count
    told[0] = 0


def read_headers(headers: Int64Array, get_all: int) -> HeaderColumns:
    """Of rows, by the library's pointers to their headers; 0: the row has none."""
    sizes = np.zeros(3, dtype=np.int64)
    measure_headers(headers, get_all, sizes)
    count, name_bytes, value_bytes = sizes.tolist()
    taken = TakenHeaders(
        ends=np.empty(len(headers) + 1, dtype=np.int64),
        names=np.empty(name_bytes, dtype=np.uint8),
        name_ends=np.empty(count + 1, dtype=np.int64),
        values=np.empty(value_bytes, dtype=np.uint8),
        value_ends=np.empty(count + 1, dtype=np.int64),
        value_nulls=np.empty(count, dtype=np.bool_),
    )
    take_headers(headers, get_all, taken)
    return HeaderColumns(
        taken.ends,
        BytesColumn(taken.names.tobytes(), taken.name_ends),
        BytesColumn(taken.values.tobytes(), taken.value_ends, taken.value_nulls),
        UNREADABLE_HEADERS,
    )


def load() -> bool:
    """As ``kernels.load``."""
    read_headers(np.empty(0, dtype=np.int64), 0)
    return any(map(was_compiled, (measure_headers, take_headers)))
