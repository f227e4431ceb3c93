"""From a column of Python values to its piece of a tensor, with a kind and a fault for each row.

Decides what null, NaN, categories out of the list, wrong sizes and numbers beyond a type become:
the contract's policies, a whole column at a time. Refuses to know where the values came from.
This is the meaning that a compiled decoder must reproduce.

Precedence within a row: the first element with a fault. A number goes to a float tensor through
float64, also an integer, and is narrowed once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

import numpy as np
import numpy.typing as npt

from stream_app.core.avro.identity import is_uuid_text
from stream_app.core.avro.plan import Column, Reading, logical_range
from stream_app.core.columns import BoolArray, Kind, Tensor, UInt8Array, UInt16Array
from stream_app.core.contract import DType, OnNonFinite, OnUnseen
from stream_app.core.faults import Fault

_FLOATS: Final = {DType.FLOAT32, DType.FLOAT64}

_DETAILS: Final = {
    Fault.MISSING_FEATURE: "is null, and the contract says that it must not be",
    Fault.NON_FINITE: "is NaN, infinite or too large for {dtype}",
    Fault.WRONG_TYPE: "has a value of a type that cannot fill {dtype}",
    Fault.WRONG_SHAPE: "has another size than {shape}",
    Fault.UNSEEN_CATEGORY: "has a category that the contract does not list",
    Fault.OUT_OF_RANGE: "is a number outside the range of its type",
    Fault.BAD_LOGICAL_VALUE: "is not a possible {logical}",
}


@dataclass(frozen=True, slots=True)
class Cells:
    """A column's piece of its tensor.

    Attributes:
        data: Shape ``(n, width)``; rows with a fault hold anything.
        kinds: uint8, shape ``(n,)``, of ``Kind``; of an array, the greatest of its elements'.
        fault: uint16, shape ``(n,)``.
    """

    data: Tensor
    kinds: UInt8Array
    fault: UInt16Array


def describe_fault(column: Column, fault: Fault) -> str:
    """What is wrong with a row's value of ``column``, without the value."""
    detail = _DETAILS[fault].format(
        dtype=column.dtype,
        shape=list(column.feature.shape),
        logical=column.logical.name if column.logical else "value",
    )
    return f"field {column.feature.field!r} {detail}"


def fill(column: Column, values: Sequence[object]) -> Cells:
    """Turn one value a row into a piece of a tensor; ``None`` is null.

    Args:
        column: How; its ``path`` has been followed.
        values: What lies at the end of the path, logical types left out.
    """
    if column.reading is Reading.RAW:
        return _raw(column, values)
    width = column.feature.width
    if column.depth == 0:
        elements, fault = list(values), np.zeros(len(values), dtype=np.uint16)
    else:
        elements, fault = _flatten(column, values)
    found = _Elements(column, elements)
    data = _READERS[column.reading](found)
    if column.depth == 0 and width > 1:
        # A null, or a field that the schema does not have, fills all of its elements alike.
        return Cells(np.repeat(data[:, None], width, axis=1), found.kinds, found.fault)
    by_row = (len(values), width)
    first_fault = _first_nonzero(found.fault.reshape(by_row))
    return Cells(
        data.reshape(by_row),
        found.kinds.reshape(by_row).max(axis=1),
        np.where(fault == 0, first_fault, fault),
    )


class _Elements:
    """The elements of all rows, one after another, with what is found out about each."""

    def __init__(self, column: Column, values: list[object]) -> None:
        self.column = column
        self.values = values
        self.nulls = np.fromiter((v is None for v in values), np.bool_, len(values))
        self.kinds: UInt8Array = np.where(self.nulls, Kind.NULL, Kind.VALUE).astype(np.uint8)
        self.fault: UInt16Array = np.zeros(len(values), dtype=np.uint16)
        if column.fill is None:
            self.blame(self.nulls, Fault.MISSING_FEATURE)
        if column.is_mixed:
            self.refuse(Fault.WRONG_TYPE, lambda v: v is None or type(v) in column.types)

    def blame(self, where: BoolArray, fault: Fault) -> None:
        """Give ``fault`` to the elements of the mask that have none yet."""
        self.fault[where & (self.fault == 0)] = fault

    def refuse(self, fault: Fault, is_good: Callable[[object], bool]) -> None:
        """Give ``fault`` to the elements that are not good, and treat them as null from here."""
        for index, value in enumerate(self.values):
            if not is_good(value):
                self.values[index] = None
                self.nulls[index] = True
                self.fault[index] = self.fault[index] or fault


def _flatten(column: Column, values: Sequence[object]) -> tuple[list[object], UInt16Array]:
    """All elements in C order, ``width`` for each row; a row of another size gets nulls."""
    width = column.feature.width
    shape = column.feature.shape if column.depth > 1 else (width,)
    elements: list[object] = []
    fault: UInt16Array = np.zeros(len(values), dtype=np.uint16)
    for row, value in enumerate(values):
        own: list[object] = []
        if value is not None and not isinstance(value, list):
            fault[row] = Fault.WRONG_TYPE
        elif value is not None and not _take(value, shape, own):
            fault[row] = Fault.WRONG_SHAPE
        is_whole = value is not None and fault[row] == 0
        elements.extend(own if is_whole else [None] * width)
    return elements, fault


def _take(value: object, shape: Sequence[int], into: list[object]) -> bool:
    """Append the elements of a nested list of exactly this shape; false if it is another."""
    if not isinstance(value, list) or len(value) != shape[0]:
        return False
    if len(shape) == 1:
        into.extend(value)
        return True
    return all(_take(part, shape[1:], into) for part in value)


def _first_nonzero(fault: UInt16Array) -> UInt16Array:
    first: UInt16Array = fault[np.arange(len(fault)), (fault != 0).argmax(axis=1)]
    return first


def _any_in_row(mask: BoolArray) -> BoolArray:
    rows: BoolArray = np.logical_or.reduce(mask, axis=1)
    return rows


def _kinds(data: Tensor) -> UInt8Array:
    """What each element of a float tensor is."""
    kinds = np.full(data.shape, Kind.VALUE, dtype=np.uint8)
    kinds[np.isnan(data)] = Kind.NAN
    kinds[data == np.inf] = Kind.POSITIVE_INFINITY
    kinds[data == -np.inf] = Kind.NEGATIVE_INFINITY
    return kinds


def _numbers(found: _Elements) -> Tensor:
    column = found.column
    bounds = logical_range(column.logical)
    if bounds is not None:
        least, greatest = bounds
        found.refuse(
            Fault.BAD_LOGICAL_VALUE,
            lambda value: value is None or least <= cast(int, value) <= greatest,
        )
    if column.dtype in _FLOATS:
        # numpy turns None into NaN, and every int and bool into the nearest float64.
        return _narrowed(found, np.array(found.values, dtype=np.float64))
    numbers = np.array([0 if v is None else v for v in found.values], dtype=np.int64)
    if column.dtype is DType.UINT8:
        found.blame((numbers < 0) | (numbers > 255), Fault.OUT_OF_RANGE)
    return _filled(found, numbers.astype(column.dtype.numpy))


def _decimals(found: _Elements) -> Tensor:
    logical = found.column.logical
    precision, scale = (logical.precision, logical.scale) if logical else (0, 0)
    found.values = [
        None if v is None else int.from_bytes(cast(bytes, v), "big", signed=True)
        for v in found.values
    ]
    limit, divisor = 10**precision, 10**scale
    found.refuse(Fault.OUT_OF_RANGE, lambda v: v is None or abs(cast(int, v)) < limit)
    floats = [np.nan if v is None else _quotient(cast(int, v), divisor) for v in found.values]
    return _narrowed(found, np.array(floats, dtype=np.float64))


def _quotient(unscaled: int, divisor: int) -> float:
    try:
        return unscaled / divisor  # correctly rounded, however long the integers are
    except OverflowError:
        return float("-inf") if unscaled < 0 else float("inf")


def _narrowed(found: _Elements, numbers: npt.NDArray[np.float64]) -> Tensor:
    """To the tensor's type, with the policy for what is not finite, also after narrowing."""
    with np.errstate(over="ignore", invalid="ignore"):
        data = numbers.astype(found.column.dtype.numpy)
    odd = ~np.isfinite(data) & ~found.nulls
    if odd.any():
        found.kinds[odd] = _kinds(data)[odd]
        if found.column.feature.on_non_finite is OnNonFinite.DEAD_LETTER:
            found.blame(odd, Fault.NON_FINITE)
    return _filled(found, data)


def _categories(found: _Elements) -> Tensor:
    column = found.column
    # Only null is no string here, and no category is called None.
    codes = np.array([column.codes.get(cast(str, v), -1) for v in found.values], dtype=np.int64)
    codes[found.nulls] = 0
    unseen = codes < 0
    if unseen.any():
        codes[unseen] = column.unseen_code
        found.kinds[unseen] = Kind.UNSEEN
        if column.feature.on_unseen is OnUnseen.DEAD_LETTER:
            found.blame(unseen, Fault.UNSEEN_CATEGORY)
    return _filled(found, codes.astype(column.dtype.numpy))


def _texts(found: _Elements) -> Tensor:
    if found.column.logical is not None and found.column.logical.name == "uuid":
        found.refuse(Fault.BAD_LOGICAL_VALUE, lambda v: v is None or is_uuid_text(cast(str, v)))
    data = np.full(len(found.values), "", dtype=object)
    for index, value in enumerate(found.values):
        if isinstance(value, bytes):
            try:
                data[index] = value.decode()
            except UnicodeDecodeError:
                found.fault[index] = found.fault[index] or Fault.WRONG_TYPE
        elif value is not None:
            data[index] = value
    return _filled(found, data)


def _filled(found: _Elements, data: Tensor) -> Tensor:
    if found.column.fill is not None and found.nulls.any():
        data[found.nulls] = found.column.fill
    return data


def _raw(column: Column, values: Sequence[object]) -> Cells:
    """Bytes that are the elements of a row, in little-endian C order."""
    width, little = column.feature.width, column.dtype.numpy.newbyteorder("<")
    size = width * little.itemsize
    found = _Elements(column, list(values))
    found.refuse(Fault.WRONG_SHAPE, lambda v: v is None or len(cast(bytes, v)) == size)
    joined = b"".join(bytes(size) if v is None else cast(bytes, v) for v in found.values)
    data = np.frombuffer(joined, dtype=np.uint8 if column.dtype is DType.BOOL else little)
    data = data.reshape(len(values), width)
    if column.dtype is DType.BOOL:
        found.blame(_any_in_row(data > 1), Fault.OUT_OF_RANGE)
    native = data.astype(column.dtype.numpy)
    if column.dtype in _FLOATS:
        kinds = np.where(found.nulls, found.kinds, _kinds(native).max(axis=1))
        found.kinds = kinds.astype(np.uint8)
        if column.feature.on_non_finite is OnNonFinite.DEAD_LETTER:
            found.blame(_any_in_row(~np.isfinite(native)) & ~found.nulls, Fault.NON_FINITE)
    return Cells(_filled(found, native), found.kinds, found.fault)


_READERS: Final[Mapping[Reading, Callable[[_Elements], Tensor]]] = {
    Reading.NUMBER: _numbers,
    Reading.DECIMAL: _decimals,
    Reading.CATEGORY: _categories,
    Reading.TEXT: _texts,
}
