"""Gates against hostile schemas: looked at once per schema, before a single row is read with it.

Decides which well-formed schemas are never used, because reading with them could kill the process
or cost more than the bytes they come with. Refuses to know the contract.

What lies behind each gate was measured on the reference decoder: a schema that refers to itself
overflows the C stack with 5 KB of data; an array of items without bytes makes 5e7 objects out of
7 bytes, one of 28 records within one another 4.4 KB out of each byte; ten to the precision of a
decimal can take hours. Named types are written once and used often, so counts are of the
*expanded* schema.
"""

import json
from dataclasses import dataclass
from typing import Final

from stream_app.core.avro.defaults import SchemaTooCostlyError
from stream_app.core.avro.parser import SchemaError, parse
from stream_app.core.avro.schema import (
    Array,
    Enum,
    Fixed,
    JsonValue,
    Logical,
    Map,
    Primitive,
    PrimitiveType,
    Record,
    Reference,
    Schema,
    Union,
    describe,
    parts,
)
from stream_app.core.faults import Fault

MAX_TEXT_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 32
MAX_FIELDS: Final = 5_000
MAX_DECIMAL_DIGITS: Final = 1_000
MAX_EMPTY_PARTS_PER_BYTE: Final = 4
"""Of an array's or map's items: records, and leaves that take no bytes. More of them, and a value
of a megabyte becomes more than a gigabyte of objects."""
_MAX_JSON_DEPTH: Final = 4 * MAX_DEPTH
"""A level of schema takes up to four of JSON: record, fields, field, type."""
_WIDTH: Final = {PrimitiveType.NULL: 0, PrimitiveType.FLOAT: 4, PrimitiveType.DOUBLE: 8}


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why rows of a schema cannot be read; they get this fault, and this detail."""

    fault: Fault
    detail: str


@dataclass(frozen=True, slots=True)
class _Measures:
    """Of a schema, expanded: least bytes, parts that take none at worst, fields and depth.

    A record is such a part too: an object that no byte of its own pays for.
    """

    width: int
    empty_parts: int
    fields: int
    depth: int


def admit(text: str, references: tuple[str, ...] = ()) -> Schema | Rejection:
    """The schema behind ``text``, or why it is refused.

    Args:
        text: A schema as JSON.
        references: Schemas whose names ``text`` uses, each after those that it uses itself.
    """
    # JSON can carry half a surrogate pair, which UTF-8 cannot.
    size = sum(len(part.encode(errors="surrogatepass")) for part in (*references, text))
    if size > MAX_TEXT_BYTES:
        return _limit(f"{size} bytes long, at most {MAX_TEXT_BYTES} are allowed")
    try:
        documents = [_document(part) for part in (*references, text)]
        if max(map(_json_depth, documents)) > _MAX_JSON_DEPTH:
            return _limit(f"deeper than {MAX_DEPTH} levels")
        schema = parse(documents[-1], documents[:-1])
    except RecursionError:
        return _limit(f"deeper than {MAX_DEPTH} levels")
    except SchemaTooCostlyError as exc:
        return _limit(f"too costly: {exc}")
    except SchemaError as exc:
        return Rejection(Fault.SCHEMA_INCOMPATIBLE, f"not a valid Avro schema: {exc}")
    return check(schema) or schema


def check(schema: Schema) -> Rejection | None:
    """Why ``schema`` is refused, or ``None``."""
    try:
        measures = _Meter().measure(schema)
    except _RejectedError as exc:
        return exc.rejection
    except RecursionError:
        return _limit(f"deeper than {MAX_DEPTH} levels")
    if measures.depth > MAX_DEPTH:
        return _limit(f"{measures.depth} levels deep, at most {MAX_DEPTH} are allowed")
    if measures.fields > MAX_FIELDS:
        return _limit(f"of {measures.fields} fields, at most {MAX_FIELDS} are allowed")
    return None


class _RejectedError(Exception):
    def __init__(self, rejection: Rejection) -> None:
        super().__init__(rejection.detail)
        self.rejection = rejection


class _Meter:
    """Measures each named type once, however often it is used: no walk over the expansion."""

    def __init__(self) -> None:
        self._of_records: dict[str, _Measures] = {}

    def measure(self, schema: Schema) -> _Measures:
        if isinstance(schema, Record) and schema.name in self._of_records:
            return self._of_records[schema.name]
        below = [self.measure(part) for part in parts(schema)]
        depth = 1 + max((part.depth for part in below), default=0)
        fields = sum(part.fields for part in below)
        match schema:
            case Reference(name=name):
                raise _RejectedError(
                    Rejection(Fault.SCHEMA_RECURSIVE, f"{name!r} contains itself; unfold it")
                )
            case Array(items=part) | Map(values=part):
                _check_items(part, below[0])
                return _Measures(1, 0, fields, depth)
            case Union():
                # The branch's index takes a byte, and pays for one part.
                most = max(0, *(part.empty_parts - 1 for part in below))
                return _Measures(1 + min(part.width for part in below), most, fields, depth)
            case Record(name=name, fields=own):
                width = sum(part.width for part in below)
                empty = sum(part.empty_parts for part in below) + 1
                measures = _Measures(width, empty, fields + len(own), depth)
                self._of_records[name] = measures
                return measures
            case Primitive(type=primitive, logical=logical):
                _check_digits(logical)
                width = _WIDTH.get(primitive, 1)
            case Fixed(size=size, logical=logical):
                _check_digits(logical)
                width = size
            case Enum():
                width = 1
        return _Measures(width, int(width == 0), fields, depth)


def _check_items(items: Schema, measures: _Measures) -> None:
    if measures.empty_parts > MAX_EMPTY_PARTS_PER_BYTE * measures.width:
        raise _RejectedError(
            Rejection(
                Fault.SCHEMA_ZERO_WIDTH_ITEMS,
                f"an array or map of {describe(items)}: each may be {measures.empty_parts} parts "
                f"without bytes on {measures.width} bytes",
            )
        )


def _check_digits(logical: Logical | None) -> None:
    if logical is not None and logical.precision > MAX_DECIMAL_DIGITS:
        raise _RejectedError(_limit(f"one with a decimal of more than {MAX_DECIMAL_DIGITS} digits"))


def _document(text: str) -> JsonValue:
    try:
        document: JsonValue = json.loads(text)
    except ValueError as exc:
        raise SchemaError("the text is not JSON") from exc
    return document


def _json_depth(document: JsonValue) -> int:
    depth, level = 0, [document]
    while level:
        depth += 1
        below: list[JsonValue] = []
        for node in level:
            if isinstance(node, dict):
                below.extend(node.values())
            elif isinstance(node, list):
                below.extend(node)
        level = below
    return depth


def _limit(detail: str) -> Rejection:
    return Rejection(Fault.SCHEMA_LIMIT, f"the schema is {detail}")
