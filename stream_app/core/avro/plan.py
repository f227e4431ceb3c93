"""The plan: for one contract and one writer schema, where each value lies and how it is read.

Decides the vocabulary that ``resolve.py`` writes and every decoder reads: the reference one
through Python values, a compiled one by walking ``Plan.schema`` and looking up which column, if
any, each leaf belongs to. Refuses to know how either does it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from stream_app.core.avro.schema import (
    Enum,
    Fixed,
    Logical,
    Map,
    Primitive,
    PrimitiveType,
    Record,
    Schema,
)
from stream_app.core.contract import DType, Feature

Path = tuple[str, ...]
"""Field names from the event's root; a union on the way is looked through to its record."""


class Reading(StrEnum):
    """How one value becomes one element of a tensor."""

    NUMBER = "number"
    """Numbers and booleans, widened as Avro promotes: through int64 or float64."""
    DECIMAL = "decimal"
    """Two's complement, big-endian, divided by ten to the scale."""
    CATEGORY = "category"
    """A string or an enum's symbol, by its place in the contract's list."""
    TEXT = "text"
    """A string, a symbol or UTF-8 bytes, as it is."""
    RAW = "raw"
    """Bytes that are all elements at once, little-endian."""


@dataclass(frozen=True, slots=True)
class Column:
    """One feature on its way into its tensor.

    Attributes:
        feature: As in the contract.
        dtype: Of the tensor.
        path: Where the value lies; ``None``: this schema has no such field, every row is null.
        leaf: What lies there, unions included; ``None`` with ``path``.
        reading: How an element is read.
        depth: Arrays around an element: 0, 1 (flat, in C order), or the rank of the shape.
        types: Python types of the elements that can be read.
        is_mixed: Whether values of other types can come, which are faults of their rows.
        logical: Of the elements.
        codes: For categories, by name; the code belongs to the name, never to a writer's index.
        fill: What null becomes; ``None``: a fault.
    """

    feature: Feature
    dtype: DType
    path: Path | None
    leaf: Schema | None
    reading: Reading
    depth: int
    types: frozenset[type]
    is_mixed: bool
    logical: Logical | None
    codes: Mapping[str, int]
    fill: float | int | str | None

    @property
    def unseen_code(self) -> int:
        """The code of all categories that the contract does not list."""
        return len(self.codes)

    def enum_codes(self, enum: Enum) -> tuple[int, ...]:
        """The code of each symbol of a writer's enum, by the index that the writer gives it."""
        return tuple(self.codes.get(symbol, self.unseen_code) for symbol in enum.symbols)


@dataclass(frozen=True, slots=True)
class IdColumn:
    """The event's id; ``is_uuid`` asks for the text, or the 16 bytes, of one."""

    path: Path
    leaf: Schema
    is_uuid: bool


@dataclass(frozen=True, slots=True)
class TimeColumn:
    """The event's time: a long, ``units_per_ms`` of which are a millisecond."""

    path: Path
    leaf: Schema
    units_per_ms: int


@dataclass(frozen=True, slots=True)
class Plan:
    """How events of one writer schema become columns.

    Attributes:
        schema: The writer schema.
        id: The id.
        time: The event time, if the contract names one.
        columns: In the contract's order of features.
    """

    schema: Record
    id: IdColumn
    time: TimeColumn | None
    columns: tuple[Column, ...]


_MS_PER_DAY: Final = 86_400_000
_EPOCH: Final = date(1970, 1, 1).toordinal()
MIN_TIME_MS: Final = (date.min.toordinal() - _EPOCH) * _MS_PER_DAY
"""0001-01-01 and, below, the last millisecond of 9999: what calendars can show."""
MAX_TIME_MS: Final = (date.max.toordinal() - _EPOCH + 1) * _MS_PER_DAY - 1

UNITS_PER_MS: Final[Mapping[str, int]] = {
    "timestamp-millis": 1,
    "timestamp-micros": 1_000,
    "timestamp-nanos": 1_000_000,
}


def logical_range(logical: Logical | None) -> tuple[int, int] | None:
    """The least and greatest number that means something, or ``None`` if all do."""
    name = "" if logical is None else logical.name.removeprefix("local-")
    if name in UNITS_PER_MS:
        units = UNITS_PER_MS[name]
        return MIN_TIME_MS * units, (MAX_TIME_MS + 1) * units - 1
    if name == "date":
        return date.min.toordinal() - _EPOCH, date.max.toordinal() - _EPOCH
    if name == "time-millis":
        return 0, _MS_PER_DAY - 1
    if name == "time-micros":
        return 0, _MS_PER_DAY * 1_000 - 1
    return None


def python_type(schema: Schema) -> type:
    """The type of the values that a decoder of logical-free schemas gives for ``schema``."""
    match schema:
        case Primitive(type=name):
            return _PYTHON_TYPES[name]
        case Fixed():
            return bytes
        case Enum():
            return str
        case Record() | Map():
            return dict
        case _:
            return list


_PYTHON_TYPES: Final[Mapping[PrimitiveType, type]] = {
    PrimitiveType.NULL: type(None),
    PrimitiveType.BOOLEAN: bool,
    PrimitiveType.INT: int,
    PrimitiveType.LONG: int,
    PrimitiveType.FLOAT: float,
    PrimitiveType.DOUBLE: float,
    PrimitiveType.BYTES: bytes,
    PrimitiveType.STRING: str,
}
