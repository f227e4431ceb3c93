"""Parsing canonical form and fingerprint of a schema: how a schema is known without a registry.

Decides the 8 bytes that stand for a schema in single-object encoding. Two schemas with the same
canonical form read the same bytes alike, so the form, being a schema itself without logical
types, defaults and documentation, is also what the reference decoder reads with.

Avro 1.12 specification, "Parsing Canonical Form for Schemas" and "Schema Fingerprints".
"""

import json
from typing import Final

from stream_app.core.avro.schema import (
    Array,
    Enum,
    Field,
    Fixed,
    Map,
    Primitive,
    Record,
    Reference,
    Schema,
    Union,
)

_EMPTY: Final = 0xC15D213AA4D7A795


def canonical_form(schema: Schema) -> str:
    """The parsing canonical form of ``schema``, as JSON text."""
    return _form(schema, set())


def fingerprint(schema: Schema) -> bytes:
    """CRC-64-AVRO of the canonical form, as 8 bytes in the order of the wire (little-endian)."""
    value = _EMPTY
    for byte in canonical_form(schema).encode():
        value = (value >> 8) ^ _TABLE[(value ^ byte) & 0xFF]
    return value.to_bytes(8, "little")


def _form(schema: Schema, seen: set[str]) -> str:
    match schema:
        case Primitive(type=name):
            return _quoted(name)
        case Array(items=items):
            return f'{{"type":"array","items":{_form(items, seen)}}}'
        case Map(values=values):
            return f'{{"type":"map","values":{_form(values, seen)}}}'
        case Union(branches=branches):
            return "[" + ",".join(_form(branch, seen) for branch in branches) + "]"
        case Reference(name=name):
            return _quoted(name)
        case Record() | Enum() | Fixed():
            return _named(schema, seen)


def _named(schema: Record | Enum | Fixed, seen: set[str]) -> str:
    if schema.name in seen:
        return _quoted(schema.name)
    seen.add(schema.name)
    name = f'"name":{_quoted(schema.name)}'
    match schema:
        case Fixed(size=size):
            return f'{{{name},"type":"fixed","size":{size}}}'
        case Enum(symbols=symbols):
            listed = ",".join(map(_quoted, symbols))
            return f'{{{name},"type":"enum","symbols":[{listed}]}}'
        case Record(fields=fields):
            listed = ",".join(_field(field, seen) for field in fields)
            return f'{{{name},"type":"record","fields":[{listed}]}}'


def _field(field: Field, seen: set[str]) -> str:
    return f'{{"name":{_quoted(field.name)},"type":{_form(field.schema, seen)}}}'


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _table_entry(value: int) -> int:
    for _ in range(8):
        value = (value >> 1) ^ (_EMPTY if value & 1 else 0)
    return value


_TABLE: Final = tuple(_table_entry(byte) for byte in range(256))
