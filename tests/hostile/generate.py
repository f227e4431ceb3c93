"""Schemas, values and contracts at random, from a seed: what the mutator begins with.

Decides what an ordinary event may look like: an id, and fields of every type that Avro has, nested
and in unions, with logical types. Values are written here byte by byte, so that it is known where
each part lies. Everything follows from the ``random.Random`` given.
"""

import struct
from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any, Final

from stream_app.core.avro.gates import Rejection
from stream_app.core.avro.resolve import resolve
from stream_app.core.avro.schema import Schema
from stream_app.core.contract import (
    Contract,
    DType,
    Encoding,
    Feature,
    OnNonFinite,
    OnNull,
    OnUnseen,
)
from tests.avro_kit import RECORD, contract_of
from tests.hostile.mutate import Part, Spans, zigzag

Json = Any
SYMBOLS: Final = ("RED", "GREEN", "BLUE", "MAUVE")
_PRIMITIVES: Final = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")
_LOGICAL: Final[tuple[Mapping[str, Any], ...]] = (
    {"type": "int", "logicalType": "date"},
    {"type": "int", "logicalType": "time-millis"},
    {"type": "long", "logicalType": "time-micros"},
    {"type": "long", "logicalType": "timestamp-millis"},
    {"type": "long", "logicalType": "timestamp-micros"},
    {"type": "long", "logicalType": "local-timestamp-nanos"},
    {"type": "string", "logicalType": "uuid"},
    {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2},
    {"type": "bytes", "logicalType": "decimal", "precision": 40, "scale": 40},
    {"type": "bytes", "logicalType": "uuid"},
    {"type": "double", "logicalType": "date"},
)


class Schemas:
    """Random schemas of events."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._named: list[str] = []
        self._count = 0

    def event(self) -> Json:
        """A record with an id, maybe a time, and some fields."""
        fields = [{"name": "id", "type": self._id()}]
        if self._chance.random() < 0.3:
            at = {"type": "long", "logicalType": "timestamp-millis"}
            fields.append({"name": "at", "type": self._chance.choice((at, ["null", at]))})
        count = self._chance.randint(1, 6)
        fields += [{"name": f"f{number}", "type": self.type(3)} for number in range(count)]
        return {"type": "record", "name": RECORD, "fields": fields}

    def type(self, depth: int) -> Json:
        """Any type, at most so deep."""
        roll = self._chance.random()
        if depth == 0 or roll < 0.45:
            return self._chance.choice(_PRIMITIVES)
        if roll < 0.55:
            return dict(self._chance.choice(_LOGICAL))
        if roll < 0.62:
            count = self._chance.randint(1, len(SYMBOLS))
            return self._keep({"type": "enum", "symbols": list(SYMBOLS[:count])})
        if roll < 0.68:
            fixed = {"type": "fixed", "size": self._chance.choice((1, 4, 8, 16))}
            if self._chance.random() < 0.2:
                fixed |= {"logicalType": "decimal", "precision": 2, "scale": 1}
            return self._keep(fixed)
        if roll < 0.8:
            return self._union(depth)
        if roll < 0.88:
            return {"type": "array", "items": self.type(depth - 1)}
        if roll < 0.92:
            return {"type": "map", "values": self.type(depth - 1)}
        if roll < 0.95 and self._named:
            return self._chance.choice(self._named)
        count = self._chance.randint(1, 3)
        fields = [{"name": f"g{i}", "type": self.type(depth - 1)} for i in range(count)]
        return self._keep({"type": "record", "fields": fields})

    def _id(self) -> Json:
        uuid = {"type": "string", "logicalType": "uuid"}
        return self._chance.choice(("string", "string", "long", "bytes", uuid, ["null", "string"]))

    def _union(self, depth: int) -> Json:
        if self._chance.random() < 0.6:
            other = self.type(depth - 1)
            if isinstance(other, list) or other == "null":
                return other
            return self._chance.choice((["null", other], [other, "null"]))
        return self._chance.sample(_PRIMITIVES, self._chance.randint(1, 4))

    def _keep(self, schema: dict[str, Any]) -> Json:
        # After its parts: a type whose name is taken before it ends would contain itself.
        self._count += 1
        name = f"N{self._count}"
        self._named.append(name)
        return {**schema, "name": name}


class Values:
    """Random values of one schema, as bytes whose parts are known."""

    def __init__(self, chance: Random, schema: Json) -> None:
        self._chance = chance
        self._schema = schema
        self._named: dict[str, Json] = {}
        self._learn(schema)

    def one(self) -> Spans:
        """A value."""
        spans = Spans()
        self._write(self._schema, spans, 0)
        return spans

    def _learn(self, schema: Json) -> None:
        if isinstance(schema, list):
            for branch in schema:
                self._learn(branch)
        elif isinstance(schema, dict):
            if "name" in schema:
                self._named[schema["name"]] = schema
            for key in ("items", "values", "type"):
                if isinstance(schema.get(key), dict | list):
                    self._learn(schema[key])
            for field in schema.get("fields", ()):
                self._learn(field["type"])

    def _write(self, schema: Json, into: Spans, depth: int) -> None:
        chance = self._chance
        if isinstance(schema, list):
            index = chance.randrange(len(schema))
            into.add(zigzag(index), Part.INDEX)
            self._write(schema[index], into, depth)
            return
        if isinstance(schema, str) and schema in self._named:
            schema = self._named[schema]
        kind = schema["type"] if isinstance(schema, dict) else schema
        match kind:
            case "null":
                return
            case "record":
                for field in schema["fields"]:
                    self._write(field["type"], into, depth + 1)
            case "enum":
                into.add(zigzag(chance.randrange(len(schema["symbols"]))), Part.INDEX)
            case "fixed":
                into.add(chance.randbytes(schema["size"]), Part.RAW)
            case "array" | "map":
                self._blocks(schema, into, depth)
            case "boolean":
                into.add(bytes([chance.randrange(2)]), Part.BOOLEAN)
            case "int":
                into.add(zigzag(_integer(chance, 31)), Part.INT)
            case "long":
                into.add(zigzag(_integer(chance, 63)), Part.LONG)
            case "float":
                into.add(struct.pack("<f", chance.uniform(-1e6, 1e6)), Part.FLOAT)
            case "double":
                into.add(struct.pack("<d", chance.uniform(-1e6, 1e6)), Part.DOUBLE)
            case _:
                self._text(schema, into)

    def _blocks(self, schema: Json, into: Spans, depth: int) -> None:
        below = schema["items"] if "items" in schema else schema["values"]
        for _ in range(self._chance.choice((0, 1, 1, 2))):
            count = self._chance.randint(1, 3)
            block = Spans()
            for _ in range(count):
                if "values" in schema:
                    self._text("string", block)
                self._write(below, block, depth + 1)
            if self._chance.random() < 0.3:
                into.add(zigzag(-count), Part.COUNT)
                into.add(zigzag(len(block.data)), Part.LENGTH)
            else:
                into.add(zigzag(count), Part.COUNT)
            start = len(into.data)
            into.data += block.data
            into.parts += [(start + a, start + b, part) for a, b, part in block.parts]
        into.add(zigzag(0), Part.COUNT)

    def _text(self, schema: Json, into: Spans) -> None:
        roll = self._chance.random()
        if isinstance(schema, dict) and schema.get("logicalType") == "uuid" and roll < 0.9:
            content = b"%08x-0000-4000-8000-000000000000" % self._chance.getrandbits(32)
        elif isinstance(schema, dict) and schema["type"] == "bytes":
            content = self._chance.randbytes(self._chance.choice((0, 1, 2, 20)))
        elif roll < 0.5:
            content = self._chance.choice(SYMBOLS).encode()
        else:
            content = ("grün" * self._chance.choice((0, 1, 20))).encode()
        into.add(zigzag(len(content)), Part.LENGTH)
        into.add(content, Part.TEXT)


def _integer(chance: Random, bits: int) -> int:
    size = chance.choice((1, 6, 13, bits))
    return chance.randint(-(2**size), 2**size - 1)


def contract_for(chance: Random, schema: Json, tree: Schema) -> Contract:
    """A contract that reads some fields of the schema, each with policies of its own."""
    dtype = chance.choice(list(DType))
    at = schema["fields"][1]["name"] == "at" and chance.random() < 0.8
    base = contract_of(dtype=dtype, time_field="at" if at else None)
    features = []
    for field in schema["fields"][1:]:
        feature = _feature(chance, field, dtype)
        tensor = replace(base.inputs[0], features=(feature,), shape=(feature.width,))
        alone = replace(base, inputs=(tensor,))
        if not isinstance(resolve(alone, tree), Rejection):
            features.append(feature)
    if not features or chance.random() < 0.1:
        plain: dict[DType, float | str | bool] = {DType.STRING: "none", DType.BOOL: True}
        default = plain.get(dtype, 7)
        features.append(Feature("absent", on_null=OnNull.DEFAULT, default=default))
    width = sum(feature.width for feature in features)
    tensor = replace(base.inputs[0], features=tuple(features), shape=(width,))
    return replace(base, inputs=(tensor,))


def _feature(chance: Random, field: Json, dtype: DType) -> Feature:
    kind = field["type"]
    path = str(field["name"])
    if isinstance(kind, dict) and kind["type"] == "record" and chance.random() < 0.7:
        below = chance.choice(kind["fields"])
        path, kind = f"{path}.{below['name']}", below["type"]
    is_array = isinstance(kind, dict) and kind["type"] == "array"
    is_raw = chance.random() < 0.1 and dtype is not DType.STRING
    is_category = not is_raw and dtype not in {DType.STRING, DType.BOOL} and "string" in str(kind)
    is_category = is_category or (isinstance(kind, dict) and kind["type"] == "enum")
    on_null = chance.choice(list(OnNull))
    default: float | str | bool | None = None
    if on_null is OnNull.DEFAULT:
        plain: dict[DType, float | str | bool] = {DType.STRING: "x", DType.BOOL: False}
        default = "RED" if is_category else plain.get(dtype, 1)
    return Feature(
        path,
        aliases=("also",) if chance.random() < 0.1 else (),
        categories=("RED", "GREEN") if is_category else None,
        on_null=on_null,
        default=default,
        on_unseen=chance.choice(list(OnUnseen)),
        on_non_finite=chance.choice(list(OnNonFinite)),
        shape=(chance.choice((1, 2, 3)),) if is_array or is_raw else (),
        encoding=Encoding.RAW if is_raw else Encoding.VALUE,
    )
