"""From a schema's tree back to JSON, with full names, logical types and defaults.

Decides what a library is told of a schema: all that matters to values, and every name spelt out,
so that libraries with other ideas of where a name is looked for agree.
"""

from stream_app.core.avro.schema import (
    Array,
    Enum,
    Field,
    Fixed,
    JsonValue,
    Logical,
    Map,
    Primitive,
    Record,
    Reference,
    Schema,
    Union,
)


def document(schema: Schema) -> JsonValue:
    """JSON that parses to ``schema``."""
    return _document(schema, set())


def _document(schema: Schema, seen: set[str]) -> JsonValue:
    match schema:
        case Primitive(type=name, logical=logical):
            return {"type": name.value} | _logical(logical) if logical else name.value
        case Array(items=items):
            return {"type": "array", "items": _document(items, seen)}
        case Map(values=values):
            return {"type": "map", "values": _document(values, seen)}
        case Union(branches=branches):
            return [_document(branch, seen) for branch in branches]
        case Reference(name=name):
            return name
        case Record() | Enum() | Fixed():
            return _named(schema, seen)


def _named(schema: Record | Enum | Fixed, seen: set[str]) -> JsonValue:
    if schema.name in seen:
        return schema.name
    seen.add(schema.name)
    match schema:
        case Fixed(name=name, size=size, logical=logical):
            members: dict[str, JsonValue] = {"type": "fixed", "name": name, "size": size}
            return members | _logical(logical)
        case Enum(name=name, symbols=symbols):
            return {"type": "enum", "name": name, "symbols": list(symbols)}
        case Record(name=name, fields=fields):
            return {
                "type": "record",
                "name": name,
                "fields": [_field(field, seen) for field in fields],
            }


def _field(field: Field, seen: set[str]) -> JsonValue:
    members: dict[str, JsonValue] = {"name": field.name, "type": _document(field.schema, seen)}
    return members | {"default": field.default} if field.has_default else members


def _logical(logical: Logical | None) -> dict[str, JsonValue]:
    if logical is None:
        return {}
    if logical.name != "decimal":
        return {"logicalType": logical.name}
    return {
        "logicalType": logical.name,
        "precision": logical.precision,
        "scale": logical.scale,
    }
