"""Whether a value, as it stands in a schema's JSON, can be a default of a type.

Decides how much work that may be: a text within its size limit can ask for any amount, since each
union around a union's branches doubles the ways in which a value may turn out not to fit.
"""

from collections.abc import Mapping, Sequence
from typing import Final, TypeGuard

from stream_app.core.avro.schema import (
    Array,
    Enum,
    Fixed,
    JsonValue,
    Map,
    Primitive,
    PrimitiveType,
    Record,
    Reference,
    Schema,
    Union,
)

MAX_STEPS: Final = 200_000
"""Comparisons of a value with a type; honest schemas need a few for each default."""


class SchemaTooCostlyError(ValueError):
    """It may be a schema, but to find out takes too long."""


def default_fits(value: JsonValue, schema: Schema) -> bool:
    """Whether ``value`` can be the default of a field of ``schema``.

    Raises:
        SchemaTooCostlyError: to find out takes too long.
    """
    return Defaults().fit(value, schema)


class Defaults:
    """Compares the defaults of one schema with their types as long as its budget lasts."""

    def __init__(self) -> None:
        self._steps_left = MAX_STEPS

    def fit(self, value: JsonValue, schema: Schema) -> bool:
        """See :func:`default_fits`."""
        self._steps_left -= 1
        if self._steps_left < 0:
            raise SchemaTooCostlyError(f"its defaults take more than {MAX_STEPS} steps to check")
        match schema:
            case Primitive(type=name):
                return _primitive_fits(value, name)
            case Fixed(size=size):
                return isinstance(value, str) and len(value) == size and _is_latin1(value)
            case Enum(symbols=symbols):
                self._steps_left -= len(symbols) // 16
                return value in symbols
            case Array(items=items):
                return _is_list(value) and all(self.fit(item, items) for item in value)
            case Map(values=values):
                return isinstance(value, Mapping) and all(
                    self.fit(item, values) for item in value.values()
                )
            case Union(branches=branches):
                # Avro 1.12 allows any branch; before, only the first.
                return any(self.fit(value, branch) for branch in branches)
            case Record(fields=fields):
                return isinstance(value, Mapping) and all(
                    self.fit(value[field.name], field.schema)
                    if field.name in value
                    else field.has_default
                    for field in fields
                )
            case Reference():
                return True


def _primitive_fits(value: JsonValue, name: PrimitiveType) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match name:
        case PrimitiveType.NULL:
            return value is None
        case PrimitiveType.BOOLEAN:
            return isinstance(value, bool)
        case PrimitiveType.INT:
            return isinstance(value, int) and is_number and -(2**31) <= value < 2**31
        case PrimitiveType.LONG:
            return isinstance(value, int) and is_number and -(2**63) <= value < 2**63
        case PrimitiveType.FLOAT | PrimitiveType.DOUBLE:
            return is_number or value in ("NaN", "Infinity", "-Infinity")
        case PrimitiveType.BYTES:
            return isinstance(value, str) and _is_latin1(value)
        case PrimitiveType.STRING:
            return isinstance(value, str)


def _is_list(value: JsonValue) -> TypeGuard[Sequence[JsonValue]]:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _is_latin1(text: str) -> bool:
    return all(ord(character) < 256 for character in text)
