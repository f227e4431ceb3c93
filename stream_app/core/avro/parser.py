"""From a schema's JSON to its tree.

Decides what a well-formed schema is (Avro 1.12, "Schema Declaration"): names, defaults, unions.
Refuses to know whether a well-formed schema is wise: that is the gates' affair (``gates.py``).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, TypeGuard, TypeVar

from stream_app.core.avro.defaults import Defaults
from stream_app.core.avro.schema import (
    Array,
    Enum,
    Field,
    Fixed,
    JsonValue,
    Logical,
    Map,
    Named,
    Primitive,
    PrimitiveType,
    Record,
    Reference,
    Schema,
    Union,
    describe,
)

NamedT = TypeVar("NamedT", bound=Named)

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PRIMITIVES: Final[Mapping[str, PrimitiveType]] = {kind.value: kind for kind in PrimitiveType}


_LOGICAL: Final[Mapping[str, frozenset[str]]] = {
    "bytes": frozenset({"decimal", "big-decimal"}),
    "fixed": frozenset({"decimal", "duration", "uuid"}),
    "int": frozenset({"date", "time-millis"}),
    "long": frozenset(
        {"time-micros"}
        | {
            f"{kind}-{unit}"
            for kind in ("timestamp", "local-timestamp")
            for unit in ("millis", "micros", "nanos")
        }
    ),
    "string": frozenset({"uuid"}),
}
"""What may be annotated with what; anything else means nothing, and may be any text."""


class SchemaError(ValueError):
    """The JSON is no Avro schema; the message says where and why."""


def parse(document: JsonValue, references: Sequence[JsonValue] = ()) -> Schema:
    """Turn a schema's JSON into its tree.

    Args:
        document: The schema, as ``json.loads`` gives it.
        references: Schemas whose names ``document`` uses, each after those that it uses itself.

    Raises:
        SchemaError: one of them is no Avro schema.
        SchemaTooCostlyError: to find that out takes too long.
    """
    parser = _Parser()
    for reference in references:
        parser.schema(reference, "")
    return parser.schema(document, "")


class _Parser:
    def __init__(self) -> None:
        self._known: dict[str, Named] = {}
        self._open: set[str] = set()
        self._defaults = Defaults()

    def schema(self, node: JsonValue, namespace: str) -> Schema:
        if isinstance(node, str):
            return self._by_name(node, namespace)
        if isinstance(node, Mapping):
            return self._declared(node, namespace)
        if isinstance(node, Sequence):
            return self._union(node, namespace)
        raise SchemaError(f"expected a type, found {type(node).__name__}")

    def _by_name(self, name: str, namespace: str) -> Schema:
        if name in _PRIMITIVES:
            return Primitive(_PRIMITIVES[name])
        for full in dict.fromkeys((_full_name(name, namespace), name)):
            if full in self._open:
                return Reference(full)
            if full in self._known:
                return self._known[full]
        raise SchemaError(f"unknown type {_shown(name)}")

    def _declared(self, node: Mapping[str, JsonValue], namespace: str) -> Schema:
        declared = node.get("type")
        match declared:
            case "record" | "error":
                return self._record(node, namespace)
            case "enum":
                return self._enum(node, namespace)
            case "fixed":
                return self._fixed(node, namespace)
            case "array":
                return Array(self.schema(_needed(node, "items"), namespace))
            case "map":
                return Map(self.schema(_needed(node, "values"), namespace))
            case str() if declared in _PRIMITIVES:
                return Primitive(_PRIMITIVES[declared], _logical(node))
        # {"type": {...}} and {"type": "Name"} are allowed where a type is.
        return self.schema(declared, namespace)

    def _union(self, node: Sequence[JsonValue], namespace: str) -> Union:
        branches = tuple(self.schema(branch, namespace) for branch in node)
        keys = [_union_key(branch) for branch in branches]
        if not branches or len(set(keys)) < len(keys) or "union" in keys:
            raise SchemaError("a union has no branch, two of one type, or a union in it")
        return Union(branches)

    def _named(self, node: Mapping[str, JsonValue], namespace: str) -> tuple[str, str]:
        name = _text(node, "name")
        inner = node.get("namespace", namespace)
        full = _full_name(name, inner if isinstance(inner, str) else "")
        if not all(_NAME.fullmatch(part) for part in full.split(".")):
            raise SchemaError(f"{_shown(full)} is no name")
        if full in self._known or full in self._open or full in _PRIMITIVES:
            raise SchemaError(f"the name {_shown(full)} is declared twice")
        return full, full.rpartition(".")[0]

    def _record(self, node: Mapping[str, JsonValue], namespace: str) -> Record:
        name, inner = self._named(node, namespace)
        declared = _needed(node, "fields")
        if not _is_list(declared):
            raise SchemaError(f"the fields of {_shown(name)} are no list")
        self._open.add(name)
        fields = tuple(self._field(field, name, inner) for field in declared)
        self._open.discard(name)
        if len({field.name for field in fields}) < len(fields):
            raise SchemaError(f"record {_shown(name)} has two fields of one name")
        return self._keep(Record(name, fields))

    def _field(self, node: JsonValue, record: str, namespace: str) -> Field:
        if not isinstance(node, Mapping):
            raise SchemaError(f"record {_shown(record)} has a field that is no object")
        name = _text(node, "name")
        if not _NAME.fullmatch(name):
            raise SchemaError(f"{_shown(name)} in record {_shown(record)} is no name")
        schema = self.schema(_needed(node, "type"), namespace)
        if "default" not in node:
            return Field(name, schema)
        if not self._defaults.fit(node["default"], schema):
            raise SchemaError(
                f"the default of {_shown(record)}.{_shown(name)} is no {describe(schema)}"
            )
        return Field(name, schema, has_default=True, default=node["default"])

    def _enum(self, node: Mapping[str, JsonValue], namespace: str) -> Enum:
        name, _ = self._named(node, namespace)
        declared = _needed(node, "symbols")
        if not _is_list(declared):
            raise SchemaError(f"the symbols of {_shown(name)} are no list")
        symbols = tuple(s for s in declared if isinstance(s, str) and _NAME.fullmatch(s))
        if not declared or len(symbols) < len(declared) or len(set(symbols)) < len(symbols):
            raise SchemaError(f"enum {_shown(name)} has no symbol, a bad one or one twice")
        if "default" in node and node["default"] not in symbols:
            raise SchemaError(f"the default of enum {_shown(name)} is none of its symbols")
        return self._keep(Enum(name, symbols))

    def _fixed(self, node: Mapping[str, JsonValue], namespace: str) -> Fixed:
        name, _ = self._named(node, namespace)
        size = _needed(node, "size")
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise SchemaError(f"the size of fixed {_shown(name)} is no number of bytes")
        return self._keep(Fixed(name, size, _logical(node)))

    def _keep(self, schema: NamedT) -> NamedT:
        self._known[schema.name] = schema
        return schema


def _is_list(value: JsonValue) -> TypeGuard[Sequence[JsonValue]]:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _logical(node: Mapping[str, JsonValue]) -> Logical | None:
    """The annotation, if it is one; Avro asks readers to ignore what they do not understand."""
    name, precision, scale = node.get("logicalType"), node.get("precision"), node.get("scale", 0)
    if not isinstance(name, str) or name not in _LOGICAL.get(str(node.get("type")), ()):
        return None
    if name != "decimal":
        return Logical(name)
    if type(precision) is not int or type(scale) is not int or not 0 <= scale <= precision > 0:
        return None
    return Logical(name, precision, scale)


def _union_key(schema: Schema) -> str:
    match schema:
        case Primitive(type=name):
            return name
        case Fixed(name=name) | Enum(name=name) | Record(name=name) | Reference(name=name):
            return f"name {name}"
        case _:
            return type(schema).__name__.lower()


def _full_name(name: str, namespace: str) -> str:
    return name if "." in name or not namespace else f"{namespace}.{name}"


def _needed(node: Mapping[str, JsonValue], key: str) -> JsonValue:
    if key not in node:
        raise SchemaError(f"a {_shown(str(node.get('type')))} has no {key!r}")
    return node[key]


def _text(node: Mapping[str, JsonValue], key: str) -> str:
    value = _needed(node, key)
    if not isinstance(value, str):
        raise SchemaError(f"a {key!r} is no string")
    return value


def _shown(name: str) -> str:
    return repr(name if len(name) <= 64 else name[:61] + "...")
