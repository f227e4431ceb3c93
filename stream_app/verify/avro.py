"""Avro events, read once more: what reads values of a schema byte by byte.

Decides whether bytes are exactly one value of a schema, to the letter of the specification, and
gives it without logical types. Uses no Avro library, as ``schema.py``. Refuses to know contracts.
"""

import struct
from collections.abc import Callable
from typing import Any

from stream_app.verify.refused import RefusedError
from stream_app.verify.schema import Type

_NUMBER_BYTES = {"int": (5, 32), "long": (10, 64)}
_FLOATS = {"float": struct.Struct("<f"), "double": struct.Struct("<d")}

Read = Callable[[bytes, int], tuple[Any, int]]
"""Given bytes and where a value begins: the value, and where it ends."""


class EventReader:
    """Reads values of one schema."""

    def __init__(self, schema: Type) -> None:
        self.schema = schema
        self._read = _Compiler().of(schema)

    def read(self, value: bytes, start: int) -> Any:
        """The value from ``start`` to the end; records are dicts, enums their symbols.

        Raises:
            RefusedError: these bytes are not exactly one value.
        """
        try:
            found, end = self._read(value, start)
        except (IndexError, struct.error) as exc:
            raise RefusedError("its bytes end too soon") from exc
        except UnicodeDecodeError as exc:
            raise RefusedError("a string of it is not UTF-8") from exc
        if end != len(value):
            raise RefusedError("bytes are left over behind it")
        return found


class _Compiler:
    def __init__(self) -> None:
        self._made: dict[int, Read] = {}

    def of(self, found: Type) -> Read:
        if id(found) not in self._made:
            self._made[id(found)] = self._make(found)
        return self._made[id(found)]

    def _make(self, found: Type) -> Read:
        if found.kind in _NUMBER_BYTES:
            return _number(*_NUMBER_BYTES[found.kind])
        if found.kind in _FLOATS:
            return _float(_FLOATS[found.kind])
        if found.kind == "record":
            return _record([(name, self.of(t)) for name, t in (found.fields or {}).items()])
        if found.kind == "union":
            return _union([self.of(branch) for branch in found.parts])
        if found.kind == "enum":
            return _enum(found.symbols)
        if found.kind == "fixed":
            return _fixed(found.size)
        if found.kind == "array":
            return _array(found.parts[0], self.of(found.parts[0]))
        if found.kind == "map":
            return _map(self.of(found.parts[0]))
        return {"null": _null, "boolean": _boolean, "bytes": _bytes, "string": _string}[found.kind]


def _number(most_bytes: int, bits: int) -> Read:
    limit = 1 << bits

    def read(data: bytes, at: int) -> tuple[int, int]:
        byte = data[at]
        if byte < 0x80:
            return (byte >> 1) ^ -(byte & 1), at + 1
        raw, shift = byte & 0x7F, 7
        for index in range(at + 1, at + most_bytes):
            byte = data[index]
            raw |= (byte & 0x7F) << shift
            if byte < 0x80:
                if raw >= limit:
                    break
                return (raw >> 1) ^ -(raw & 1), index + 1
            shift += 7
        raise RefusedError(f"a number of it has more than {bits} bits")

    return read


_long = _number(10, 64)


def _float(form: struct.Struct) -> Read:
    return lambda data, at: (form.unpack_from(data, at)[0], at + form.size)


def _null(data: bytes, at: int) -> tuple[None, int]:
    del data
    return None, at


def _boolean(data: bytes, at: int) -> tuple[bool, int]:
    if data[at] > 1:
        raise RefusedError("a boolean of it is neither 0 nor 1")
    return data[at] == 1, at + 1


def _fixed(size: int) -> Read:
    def read(data: bytes, at: int) -> tuple[bytes, int]:
        if at + size > len(data):
            raise IndexError
        return data[at : at + size], at + size

    return read


def _bytes(data: bytes, at: int) -> tuple[bytes, int]:
    size, at = _long(data, at)
    if size < 0:
        raise RefusedError("a length in it is negative")
    if at + size > len(data):
        raise IndexError
    return data[at : at + size], at + size


def _string(data: bytes, at: int) -> tuple[str, int]:
    found, at = _bytes(data, at)
    return found.decode(), at


def _enum(symbols: tuple[str, ...]) -> Read:
    def read(data: bytes, at: int) -> tuple[str, int]:
        index, at = _long(data, at)
        if not 0 <= index < len(symbols):
            raise RefusedError("an enum of it has an index without a symbol")
        return symbols[index], at

    return read


def _union(branches: list[Read]) -> Read:
    def read(data: bytes, at: int) -> tuple[Any, int]:
        index, at = _long(data, at)
        if not 0 <= index < len(branches):
            raise RefusedError("a union of it has an index without a branch")
        return branches[index](data, at)

    return read


def _record(fields: list[tuple[str, Read]]) -> Read:
    def read(data: bytes, at: int) -> tuple[dict[str, Any], int]:
        found = {}
        for name, field in fields:
            found[name], at = field(data, at)
        return found, at

    return read


def _blocks(item: Callable[[bytes, int, int], int]) -> Callable[[bytes, int], int]:
    """Calls ``item`` with the number of items of each block, and where they begin."""

    def read(data: bytes, at: int) -> int:
        while True:
            count, at = _long(data, at)
            if count == 0:
                return at
            if count < 0:
                count = -count
                size, at = _long(data, at)
                if size < 0:
                    raise RefusedError("a block in it has a negative size")
            at = item(data, at, count)

    return read


def _array(items: Type, read_item: Read) -> Read:
    form = _FLOATS.get(items.kind)

    def read(data: bytes, at: int) -> tuple[list[Any], int]:
        found: list[Any] = []

        def block(data: bytes, at: int, count: int) -> int:
            if form is not None:
                end = at + count * form.size
                if end > len(data):
                    raise IndexError
                found.extend(struct.unpack(f"<{count}{form.format[-1]}", data[at:end]))
                return end
            for _ in range(count):
                value, at = read_item(data, at)
                found.append(value)
            return at

        return found, _blocks(block)(data, at)

    return read


def _map(read_value: Read) -> Read:
    def read(data: bytes, at: int) -> tuple[dict[str, Any], int]:
        found: dict[str, Any] = {}

        def block(data: bytes, at: int, count: int) -> int:
            for _ in range(count):
                key, at = _string(data, at)
                found[key], at = read_value(data, at)
            return at

        return found, _blocks(block)(data, at)

    return read
