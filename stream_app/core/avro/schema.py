"""Avro schemas as a small typed tree: names resolved, logical types remembered beside them.

Decides the vocabulary of everything that looks at a schema. Refuses to know JSON (``parser.py``)
and bytes (``wire.py``). A schema that refers to itself has a :class:`Reference` where it does, so
that it can be named and refused; every other tree here is finite.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

JsonValue = None | bool | int | float | str | Sequence["JsonValue"] | Mapping[str, "JsonValue"]


class PrimitiveType(StrEnum):
    """Avro's types without a name or parts of their own."""

    NULL = "null"
    BOOLEAN = "boolean"
    INT = "int"
    LONG = "long"
    FLOAT = "float"
    DOUBLE = "double"
    BYTES = "bytes"
    STRING = "string"


@dataclass(frozen=True, slots=True)
class Logical:
    """A logical type's annotation; precision and scale only mean something for ``decimal``."""

    name: str
    precision: int = 0
    scale: int = 0


@dataclass(frozen=True, slots=True)
class Primitive:
    """A primitive type."""

    type: PrimitiveType
    logical: Logical | None = None


@dataclass(frozen=True, slots=True)
class Fixed:
    """A fixed number of bytes."""

    name: str
    size: int
    logical: Logical | None = None


@dataclass(frozen=True, slots=True)
class Enum:
    """One of some symbols, written as its index."""

    name: str
    symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Array:
    """Any number of items."""

    items: "Schema"


@dataclass(frozen=True, slots=True)
class Map:
    """Any number of values, each under a string."""

    values: "Schema"


@dataclass(frozen=True, slots=True)
class Union:
    """One of some branches, written as its index."""

    branches: tuple["Schema", ...]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record.

    ``default`` is as in the JSON; whether there is one at all is in ``has_default``.
    """

    name: str
    schema: "Schema"
    has_default: bool = False
    default: JsonValue = None


@dataclass(frozen=True, slots=True)
class Record:
    """Fields in the order in which they are written."""

    name: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a named type refers to itself, directly or through others."""

    name: str


Schema = Primitive | Fixed | Enum | Array | Map | Union | Record | Reference
Named = Fixed | Enum | Record

NULL: Final = Primitive(PrimitiveType.NULL)


def parts(schema: Schema) -> Iterator[Schema]:
    """The schemas right below ``schema``."""
    match schema:
        case Record(fields=fields):
            yield from (field.schema for field in fields)
        case Union(branches=branches):
            yield from branches
        case Array(items=items):
            yield items
        case Map(values=values):
            yield values


def describe(schema: Schema) -> str:
    """``schema`` in a few words, for messages."""
    match schema:
        case Primitive(type=name, logical=logical):
            return f"{name} ({logical.name})" if logical else str(name)
        case Fixed(name=name, size=size):
            return f"fixed {name} of {size} bytes"
        case Enum(name=name):
            return f"enum {name}"
        case Array(items=items):
            return f"array of {describe(items)}"
        case Map(values=values):
            return f"map of {describe(values)}"
        case Union(branches=branches):
            return "union of " + ", ".join(map(describe, branches))
        case Record(name=name):
            return f"record {name}"
        case Reference(name=name):
            return f"reference to {name}"
