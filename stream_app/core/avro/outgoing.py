"""From model outputs to values of Avro fields.

Decides which Avro type a model's number, boolean or string may be written as, without loss but for
the narrowing of a float that has room for it. Refuses to know bytes and model sessions.
"""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Final

from stream_app.core.avro.defaults import default_fits
from stream_app.core.avro.schema import (
    Array,
    Enum,
    Fixed,
    JsonValue,
    Map,
    Primitive,
    PrimitiveType,
    Record,
    Schema,
    Union,
    describe,
)

Written = object
"""What an Avro writer takes: a value, and in a union the branch's name beside it."""
Fit = Callable[[object], Written]

_GREATEST_FLOAT: Final = float.fromhex("0x1.fffffep+127")
_PREFERRED: Final[Mapping[type, Sequence[PrimitiveType]]] = {
    bool: (PrimitiveType.BOOLEAN,),
    int: (PrimitiveType.INT, PrimitiveType.LONG, PrimitiveType.DOUBLE, PrimitiveType.FLOAT),
    float: (PrimitiveType.DOUBLE, PrimitiveType.FLOAT),
    str: (PrimitiveType.STRING,),
}


class MisfitError(ValueError):
    """A value that its field cannot hold; the message has no value in it."""


def fitter(schema: Schema, column: int | None) -> Fit:
    """What turns a row of a model output into a value of a field of ``schema``.

    Args:
        schema: Of the field.
        column: The element to take; ``None``: the whole row, as an array if the field may be one,
            else as its only element.

    Returns:
        A function of the row's elements (a list) that raises :class:`MisfitError`.

    Raises:
        MisfitError: no output at all fits such a field.
    """
    branches = schema.branches if isinstance(schema, Union) else (schema,)
    in_union = isinstance(schema, Union)
    arrays = [branch for branch in branches if isinstance(branch, Array)]
    if arrays and column is None:
        item = _scalar_fitter(arrays[0].items)

        def fit_array(row: object) -> Written:
            values = [item(element) for element in _elements(row)]
            return ("array", values) if in_union else values

        return fit_array
    scalar = _scalar_fitter(schema)

    def fit_scalar(row: object) -> Written:
        elements = _elements(row)
        if column is None:
            if len(elements) != 1:
                raise MisfitError(f"{len(elements)} elements for one {describe(schema)}")
            return scalar(elements[0])
        if column >= len(elements):
            raise MisfitError(f"no column {column} among {len(elements)}")
        return scalar(elements[column])

    return fit_scalar


def preferred(schema: Schema, of: type) -> list[tuple[PrimitiveType, int | None]]:
    """What a value of this Python type is written as: the first that has room for it.

    Beside each, its place among the branches if ``schema`` is a union.
    """
    branches = schema.branches if isinstance(schema, Union) else (schema,)
    places = {
        branch.type: place if isinstance(schema, Union) else None
        for place, branch in enumerate(branches)
        if isinstance(branch, Primitive)
    }
    return [(kind, places[kind]) for kind in _PREFERRED.get(of, ()) if kind in places]


def default_value(value: JsonValue, schema: Schema) -> Written:
    """A field's default, as it stands in the schema, as a value to write."""
    match schema:
        case Primitive(type=PrimitiveType.BYTES) | Fixed():
            return str(value).encode("latin-1")
        case Primitive(type=PrimitiveType.FLOAT | PrimitiveType.DOUBLE):
            return float(str(value))
        case Array(items=items) if isinstance(value, Sequence):
            return [default_value(item, items) for item in value]
        case Map(values=values) if isinstance(value, Mapping):
            return {key: default_value(item, values) for key, item in value.items()}
        case Record(fields=fields) if isinstance(value, Mapping):
            return {
                field.name: default_value(value.get(field.name, field.default), field.schema)
                for field in fields
            }
        case Union(branches=branches):
            branch = next(branch for branch in branches if default_fits(value, branch))
            return (_branch_name(branch), default_value(value, branch))
        case _:
            return value


def _elements(row: object) -> Sequence[object]:
    return row if isinstance(row, list) else [row]


def _scalar_fitter(schema: Schema) -> Fit:
    branches = schema.branches if isinstance(schema, Union) else (schema,)
    by_type = {branch.type: branch for branch in branches if isinstance(branch, Primitive)}
    enums = [branch for branch in branches if isinstance(branch, Enum)]
    writable = {kind for kinds in _PREFERRED.values() for kind in kinds}
    if not enums and writable.isdisjoint(by_type):
        raise MisfitError(f"no model output fits {describe(schema)}")
    in_union = isinstance(schema, Union)

    def fit(value: object) -> Written:
        for kind in _PREFERRED.get(type(value), ()):
            if kind in by_type and _has_room(value, kind):
                return (kind.value, value) if in_union else value
        for enum in enums:
            if value in enum.symbols:
                return (enum.name, value) if in_union else value
        raise MisfitError(f"a {type(value).__name__} that does not fit {describe(schema)}")

    return fit


def _has_room(value: object, kind: PrimitiveType) -> bool:
    match value, kind:
        case int(), PrimitiveType.INT:
            return -(2**31) <= value < 2**31
        case int(), PrimitiveType.LONG:
            return -(2**63) <= value < 2**63
        case float(), PrimitiveType.FLOAT:
            return not isfinite(value) or abs(value) <= _GREATEST_FLOAT
    return True


def _branch_name(schema: Schema) -> str:
    match schema:
        case Primitive(type=name):
            return name.value
        case Enum(name=name) | Fixed(name=name) | Record(name=name):
            return name
        case _:
            return type(schema).__name__.lower()
