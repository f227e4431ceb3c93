"""Values from CSV cells and JSON documents, made into values of an Avro schema.

Decides how records, arrays, maps and unions are read, and says field by field what does not fit.
Knows no files and no bytes. In a CSV cell a nested value is a JSON document; an empty cell is null
where null is allowed.
"""

import json
from collections.abc import Mapping
from typing import Any

from stream_app.adapters.avro.scalar_values import Converter, ValueMisfitError, scalar_converter
from stream_app.core.avro.schema import (
    NULL,
    Array,
    Enum,
    Field,
    Fixed,
    Map,
    Primitive,
    Record,
    Schema,
    Union,
    describe,
)


def converter(schema: Schema, *, text: bool) -> Converter:
    """What makes a value of ``schema`` out of a CSV cell (``text``) or a JSON value.

    The converter raises :class:`ValueMisfitError`.
    """
    match schema:
        case Record():
            make = _record(schema, text=False)
        case Array(items=items):
            make = _array(converter(items, text=False))
        case Map(values=values):
            make = _map(converter(values, text=False))
        case Union(branches=branches):
            # Its cells are not documents: each branch decides how its text is read.
            return _union(branches, text=text)
        case Primitive() | Enum() | Fixed():
            return scalar_converter(schema)
        case _:
            raise ValueMisfitError(f"{describe(schema)}: a schema that refers to itself")
    return _document(make) if text else make


def row_converter(record: Record, *, text: bool) -> Converter:
    """What makes an event of ``record`` out of a CSV row (``text``) or a JSON object."""
    return _record(record, text=text)


def _record(record: Record, *, text: bool) -> Converter:
    fields = [(field, converter(field.schema, text=text)) for field in record.fields]

    def convert(row: Any) -> dict[str, Any]:
        if not isinstance(row, Mapping):
            raise ValueMisfitError(f"expected {describe(record)} as an object")
        event = {}
        for field, make in fields:
            if field.name in row:
                try:
                    event[field.name] = make(row[field.name])
                except ValueMisfitError as exc:
                    raise ValueMisfitError(f"field {field.name!r}: {exc}") from exc
            elif not field.has_default:
                _require_nullable(field)
                event[field.name] = None
        return event

    return convert


def _require_nullable(field: Field) -> None:
    schema = field.schema
    if schema != NULL and not (isinstance(schema, Union) and NULL in schema.branches):
        raise ValueMisfitError(
            f"field {field.name!r} is missing, and the schema gives it no default; add it to the "
            "file"
        )


def _document(make: Converter) -> Converter:
    def convert(cell: Any) -> Any:
        try:
            return make(json.loads(cell))
        except json.JSONDecodeError as exc:
            raise ValueMisfitError("expected a JSON document in the cell") from exc

    return convert


def _array(item: Converter) -> Converter:
    def convert(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise ValueMisfitError("expected an array")
        return [item(part) for part in value]

    return convert


def _map(item: Converter) -> Converter:
    def convert(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValueMisfitError("expected an object")
        return {key: item(part) for key, part in value.items()}

    return convert


def _union(branches: tuple[Schema, ...], *, text: bool) -> Converter:
    nullable = NULL in branches
    others = [(branch, converter(branch, text=text)) for branch in branches if branch != NULL]
    expected = " or ".join(describe(branch) for branch in branches)

    def convert(value: Any) -> Any:
        if nullable and (value is None or (text and value == "")):
            return None
        if len(others) == 1:
            return others[0][1](value)
        for _, make in others:
            try:
                return make(value)
            except ValueMisfitError:
                continue
        raise ValueMisfitError(f"expected {expected}")

    return convert
