"""A second reader of Avro, written from the specification and sharing nothing with the product.

Decides independently which bytes are exactly one value of a schema, and which value. Works on the
schema's JSON as ``json.loads`` gives it: names without namespaces.
Slow, plain, and as strict as the product claims to be.
"""

import struct
from typing import Any


class NotAValueError(Exception):
    """The bytes are not exactly one value of the schema."""


def read(schema: Any, data: bytes) -> Any:
    """The one value in ``data``.

    Raises:
        NotAValueError: there is none, or something is left over.
    """
    reader = _Reader(data)
    reader.declare(schema)
    value = reader.value(schema)
    if reader.at != len(data):
        raise NotAValueError("something is left over")
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.names: dict[str, Any] = {}

    def value(self, schema: Any) -> Any:
        if isinstance(schema, list):
            index = self.number(64)
            if not 0 <= index < len(schema):
                raise NotAValueError("no such branch")
            return self.value(schema[index])
        if isinstance(schema, dict):
            return self.complex(schema)
        if schema in self.names:
            return self.complex(self.names[schema])
        return self.primitive(schema)

    def declare(self, schema: Any) -> None:
        """Learn the names of a schema."""
        if isinstance(schema, list):
            for branch in schema:
                self.declare(branch)
        elif isinstance(schema, dict):
            if "name" in schema:
                self.names[schema["name"]] = schema
            for below in (schema.get("type"), schema.get("items"), schema.get("values")):
                if isinstance(below, dict | list):
                    self.declare(below)
            self.declare([field["type"] for field in schema.get("fields", ())])

    def complex(self, schema: dict[str, Any]) -> Any:
        kind = schema["type"]
        if kind == "record":
            return {field["name"]: self.value(field["type"]) for field in schema["fields"]}
        if kind == "enum":
            index = self.number(64)
            if not 0 <= index < len(schema["symbols"]):
                raise NotAValueError("no such symbol")
            return schema["symbols"][index]
        if kind == "fixed":
            return self.take(schema["size"])
        if kind == "array":
            items: list[Any] = []
            self.blocks(lambda: items.append(self.value(schema["items"])))
            return items
        if kind == "map":
            entries: dict[str, Any] = {}

            def entry() -> None:
                key = self.primitive("string")
                entries[key] = self.value(schema["values"])

            self.blocks(entry)
            return entries
        return self.value(kind)

    def blocks(self, item: Any) -> None:
        while count := self.number(64):
            if count < 0:
                count = -count
                if self.number(64) < 0:
                    raise NotAValueError("a block of a negative size")
            for _ in range(count):
                item()

    def primitive(self, kind: str) -> Any:
        match kind:
            case "null":
                return None
            case "boolean":
                byte = self.take(1)[0]
                if byte > 1:
                    raise NotAValueError("neither true nor false")
                return bool(byte)
            case "int":
                return self.number(32)
            case "long":
                return self.number(64)
            case "float":
                return struct.unpack("<f", self.take(4))[0]
            case "double":
                return struct.unpack("<d", self.take(8))[0]
        size = self.number(64)
        if size < 0:
            raise NotAValueError("a negative length")
        content = self.take(size)
        if kind == "bytes":
            return content
        assert kind == "string", kind
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError as exc:
            raise NotAValueError("no UTF-8") from exc

    def number(self, bits: int) -> int:
        result = shift = 0
        while True:
            byte = self.take(1)[0]
            result += (byte % 128) << shift
            shift += 7
            if byte < 128:
                break
            if shift >= bits:
                raise NotAValueError("a number without end")
        if result >= 2**bits:
            raise NotAValueError("a number that is too large")
        return result // 2 if result % 2 == 0 else -(result + 1) // 2

    def take(self, size: int) -> bytes:
        if size > len(self.data) - self.at:
            raise NotAValueError("cut off")
        self.at += size
        return self.data[self.at - size : self.at]
