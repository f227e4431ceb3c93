"""Writer schemas, read once more: their types with names resolved, and which cost too much to read.

Decides what a schema's JSON means, to the letter of the specification. Uses no Avro library and
nothing of the scorer's, which would repeat its own mistakes here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stream_app.verify.refused import RefusedError

_MOST_PARTS = 5_000
"""Of a schema written out: records nested without bytes would multiply for ever."""
_MOST_PARTS_PER_BYTE = 64
"""Of an array's or a map's items, for the same reason."""

_PRIMITIVES = {"null", "boolean", "int", "long", "float", "double", "bytes", "string"}
_TIMES = {f"timestamp-{unit}" for unit in ("millis", "micros", "nanos")}
_LOGICAL = {
    "bytes": {"decimal", "big-decimal"},
    "fixed": {"decimal", "duration", "uuid"},
    "int": {"date", "time-millis"},
    "long": {"time-micros", *_TIMES, *(f"local-{name}" for name in _TIMES)},
    "string": {"uuid"},
}
_MOST_DIGITS = 1_000
_LEAST_BYTES = {"null": 0, "float": 4, "double": 8}
_NO_SCHEMA = (
    *(ArithmeticError, AttributeError, LookupError),  # a fixed may have infinite bytes
    *(RecursionError, TypeError, ValueError),
)


@dataclass(frozen=True, slots=True, eq=False)
class Type:
    """A type of a schema, names resolved.

    Attributes:
        kind: A primitive's name, or ``record``, ``enum``, ``fixed``, ``array``, ``map``, ``union``.
        name: Full name, of named types.
        fields: Of a record, by name.
        parts: Branches of a union; the items of an array or a map.
        symbols: Of an enum.
        size: Of a fixed.
        logical: The annotation, if any.
        precision: Of a decimal.
        scale: Of a decimal.
    """

    kind: str
    name: str = ""
    fields: Mapping[str, "Type"] | None = None
    parts: tuple["Type", ...] = ()
    symbols: tuple[str, ...] = ()
    size: int = 0
    logical: str = ""
    precision: int = 0
    scale: int = 0

    @property
    def branches(self) -> tuple["Type", ...]:
        """What it may be, but for null."""
        every = self.parts if self.kind == "union" else (self,)
        return tuple(branch for branch in every if branch.kind != "null")


def parse(documents: Sequence[object]) -> Type:
    """The type of the last of these schemas, which may use names of those before it.

    Raises:
        RefusedError: no schema that we read.
    """
    try:
        parser = _Parser()
        found = [parser.type(document, "") for document in documents][-1]
        _measure(found, {})
    except _NO_SCHEMA as exc:
        raise RefusedError("its schema is none that we read", certain=False) from exc
    return found


class _Parser:
    def __init__(self) -> None:
        self._named: dict[str, Type] = {}
        self._open: set[str] = set()

    def type(self, node: Any, space: str) -> Type:
        if isinstance(node, str):
            return self._by_name(node, space)
        if isinstance(node, list):
            return Type("union", parts=tuple(self.type(branch, space) for branch in node))
        kind = node["type"]
        if not isinstance(kind, str):
            return self.type(kind, space)
        if kind == "array":
            return Type(kind, parts=(self.type(node["items"], space),))
        if kind == "map":
            return Type(kind, parts=(self.type(node["values"], space),))
        if kind in {"record", "error", "enum", "fixed"}:
            return self._new(kind, node, space)
        if kind in _PRIMITIVES:
            return Type(kind, **_annotation(kind, node))
        return self._by_name(kind, space)

    def _by_name(self, name: str, space: str) -> Type:
        if name in _PRIMITIVES:
            return Type(name)
        full = name if "." in name or not space else f"{space}.{name}"
        if full in self._open:
            raise RefusedError("its schema contains itself")
        return self._named[full] if full in self._named else self._named[name]

    def _new(self, kind: str, node: Any, space: str) -> Type:
        name, space = node["name"], node.get("namespace", space)
        full = name if "." in name or not space else f"{space}.{name}"
        made: Type
        if kind == "enum":
            made = Type("enum", full, symbols=tuple(node["symbols"]))
        elif kind == "fixed":
            made = Type("fixed", full, size=int(node["size"]), **_annotation(kind, node))
        else:
            self._open.add(full)
            inner = full.rpartition(".")[0]
            fields = {field["name"]: self.type(field["type"], inner) for field in node["fields"]}
            self._open.discard(full)
            made = Type("record", full, fields=fields)
        self._named[full] = made
        return made


def _annotation(kind: str, node: Any) -> dict[str, Any]:
    """The logical type, where it is one; what a reader does not understand means nothing."""
    logical = node.get("logicalType")
    if not isinstance(logical, str) or logical not in _LOGICAL.get(kind, ()):
        return {}
    if logical != "decimal":
        return {"logical": logical}
    precision, scale = node.get("precision"), node.get("scale", 0)
    if type(precision) is not int or type(scale) is not int or not 0 <= scale <= precision > 0:
        return {}
    if precision > _MOST_DIGITS:
        raise RefusedError("its schema has a decimal of too many digits", certain=False)
    return {"logical": logical, "precision": precision, "scale": scale}


def _measure(found: Type, known: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """Least bytes of a value, and how many parts it has when everything is written out."""
    if id(found) in known:
        return known[id(found)]
    below = [_measure(part, known) for part in (*found.parts, *(found.fields or {}).values())]
    parts = 1 + sum(count for _, count in below)
    if parts > _MOST_PARTS:
        raise RefusedError("its schema has too many parts", certain=False)
    if found.kind == "array" and below[0][0] == 0:
        raise RefusedError("its schema has an array of items without bytes")
    if found.kind == "map" and below[0][0] == 0:
        raise RefusedError("its schema has a map of values without bytes", certain=False)
    if found.kind in {"array", "map"} and below[0][1] > _MOST_PARTS_PER_BYTE * (1 + below[0][0]):
        raise RefusedError("its schema has items of many parts without bytes", certain=False)
    if found.kind == "record":
        least = sum(size for size, _ in below)
    else:
        least = found.size if found.kind == "fixed" else _LEAST_BYTES.get(found.kind, 1)
    known[id(found)] = least, parts
    return known[id(found)]
