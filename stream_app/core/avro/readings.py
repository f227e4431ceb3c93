"""Which Avro types may fill which tensor, and how.

Decides what is promoted and what would be lossy or meaningless. Refuses to know where in an event
a value lies.

| tensor           | Avro                                                                   |
|------------------|------------------------------------------------------------------------|
| float32, float64 | boolean, int, long, float, double, decimal; string, enum by categories |
| int64, uint8     | boolean, int, long; string, enum by categories                         |
| bool             | boolean                                                                |
| string           | string, enum, bytes                                                    |

Each also as array, or but for string as raw bytes; each also in a union with null. Other branches
of a union are allowed where a value shows of which branch it is; rows that have one are faults.
"""

from typing import Final

from stream_app.core.avro.plan import Reading
from stream_app.core.avro.schema import (
    NULL,
    Enum,
    Fixed,
    Logical,
    Primitive,
    PrimitiveType,
    Schema,
    Union,
)
from stream_app.core.contract import DType, Encoding, Feature

FLOATS: Final = frozenset({DType.FLOAT32, DType.FLOAT64})
_INTEGERS: Final = frozenset({PrimitiveType.BOOLEAN, PrimitiveType.INT, PrimitiveType.LONG})
_NUMBERS: Final = _INTEGERS | {PrimitiveType.FLOAT, PrimitiveType.DOUBLE}


def reading_of(feature: Feature, dtype: DType, branch: Schema) -> Reading | None:
    """How ``branch`` fills an element of ``dtype``; ``None``: not at all."""
    if feature.encoding is Encoding.RAW:
        return _raw_reading(feature, dtype, branch)
    if feature.categories is not None:
        named = isinstance(branch, Enum) or _is_string(branch)
        fits = named and dtype not in {DType.BOOL, DType.STRING}
        return Reading.CATEGORY if fits else None
    match branch:
        case (
            Primitive(type=PrimitiveType.BYTES, logical=Logical(name="decimal"))
            | Fixed(logical=Logical(name="decimal"))
        ):
            return Reading.DECIMAL if dtype in FLOATS else None
        case Primitive(type=PrimitiveType.STRING | PrimitiveType.BYTES) | Enum():
            return Reading.TEXT if dtype is DType.STRING else None
        case Primitive(type=name) if name in _readable_numbers(dtype):
            return Reading.NUMBER
    return None


def _raw_reading(feature: Feature, dtype: DType, branch: Schema) -> Reading | None:
    if dtype is DType.STRING:
        return None
    match branch:
        case Primitive(type=PrimitiveType.BYTES):
            return Reading.RAW
        case Fixed(size=size) if size == feature.width * dtype.numpy.itemsize:
            return Reading.RAW
    return None


def _readable_numbers(dtype: DType) -> frozenset[PrimitiveType]:
    if dtype in FLOATS:
        return _NUMBERS
    if dtype is DType.BOOL:
        return frozenset({PrimitiveType.BOOLEAN})
    return frozenset() if dtype is DType.STRING else _INTEGERS


def expectation(feature: Feature, dtype: DType) -> str:
    """What may fill an element of ``dtype``, for messages."""
    if feature.encoding is Encoding.RAW:
        size = feature.width * dtype.numpy.itemsize
        return f"bytes, or fixed of {size} bytes, for {dtype}"
    if feature.categories is not None:
        return f"a string or an enum for categories as {dtype}"
    if dtype is DType.STRING:
        return "a string, an enum or bytes"
    return f"{', '.join(sorted(_readable_numbers(dtype)))} for {dtype}"


def non_null(schema: Schema) -> tuple[Schema, ...]:
    """The branches of a union, or ``schema`` itself, but for null."""
    branches = schema.branches if isinstance(schema, Union) else (schema,)
    return tuple(branch for branch in branches if not _is_null(branch))


def _is_null(schema: Schema) -> bool:
    return isinstance(schema, Primitive) and schema.type is NULL.type


def _is_string(schema: Schema) -> bool:
    return isinstance(schema, Primitive) and schema.type is PrimitiveType.STRING


def logical_of(schema: Schema) -> Logical | None:
    """The annotation of ``schema``, if it may have one."""
    return schema.logical if isinstance(schema, Primitive | Fixed) else None
