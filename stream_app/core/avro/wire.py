"""The strict walk over a value: whether these bytes are exactly one value of this schema.

Decides every fault that can be seen without a contract, and is the authority on them: decoders
may be faster, none is more lenient. Refuses to build values. Stricter than fastavro on purpose,
which accepts an enum index of -1, a boolean of 7, an ``int`` of 60 bits, a varint of 20 bytes and
anything after the record.

A schema becomes a tree of closures once; the walk then makes no object but numbers. The schema
must have passed the gates: no recursion, and each item of an array takes at least a byte.
"""

from collections.abc import Callable
from typing import Final

from stream_app.core.avro.schema import (
    Array,
    Enum,
    Fixed,
    Map,
    Primitive,
    PrimitiveType,
    Record,
    Reference,
    Schema,
    Union,
)
from stream_app.core.faults import Fault

Step = Callable[[bytes, int], int]
"""Given the value and where a part of it starts, where that part ends."""

_LONG_BYTES: Final = 10
_INT_BYTES: Final = 5
_INT_LIMIT: Final = 2**32
_LONG_LIMIT: Final = 2**64


class WireError(Exception):
    """The bytes are not a value of the schema; ``fault`` says why, ``path`` where."""

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(fault, detail)
        self.fault = fault
        self.path: list[str] = []
        self._detail = detail

    @property
    def detail(self) -> str:
        """Where and what, without a value from the payload."""
        where = ".".join(reversed(self.path))
        return f"field {where!r}: {self._detail}" if where else self._detail


class Walk:
    """The strict walk over values of one schema."""

    def __init__(self, schema: Schema) -> None:
        self._step = _Compiler().step(schema)

    def check(self, value: bytes, start: int) -> None:
        """Walk over ``value`` from ``start`` to its end.

        Raises:
            WireError: it is not exactly one value of the schema.
        """
        end = self._step(value, start)
        if end != len(value):
            raise WireError(
                Fault.TRAILING_BYTES,
                f"{len(value) - end} bytes after the {end - start} of the value",
            )


class _Compiler:
    """Makes one closure per named type, however often it is used."""

    def __init__(self) -> None:
        self._of_records: dict[str, Step] = {}

    def step(self, schema: Schema) -> Step:
        match schema:
            case Primitive(type=name):
                return _PRIMITIVES[name]
            case Fixed(size=size):
                return _fixed(size)
            case Enum(symbols=symbols):
                return _enum(len(symbols))
            case Union(branches=branches):
                return _union([self.step(branch) for branch in branches])
            case Array(items=items):
                return _blocks(self.step(items))
            case Map(values=values):
                return _blocks(_entry(self.step(values)))
            case Record(name=name):
                if name not in self._of_records:
                    self._of_records[name] = _record(
                        [(field.name, self.step(field.schema)) for field in schema.fields]
                    )
                return self._of_records[name]
            case Reference(name=name):
                raise ValueError(f"{name} contains itself; the gates must refuse it before")


def _varint(value: bytes, at: int, max_bytes: int, limit: int) -> tuple[int, int]:
    """The unsigned number at ``at`` and where it ends."""
    result = 0
    end = len(value)
    for index in range(max_bytes):
        if at + index >= end:
            raise _cut()
        byte = value[at + index]
        result |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            if result >= limit:
                break
            return result, at + index + 1
    bits = limit.bit_length() - 1
    raise WireError(Fault.OUT_OF_RANGE, f"an integer of more than {bits} bits")


def _long(value: bytes, at: int) -> int:
    return _varint(value, at, _LONG_BYTES, _LONG_LIMIT)[1]


def _int(value: bytes, at: int) -> int:
    return _varint(value, at, _INT_BYTES, _INT_LIMIT)[1]


def _signed(value: bytes, at: int) -> tuple[int, int]:
    """The zigzag ``long`` at ``at`` and where it ends."""
    if at < len(value) and value[at] < 0x80:
        number, end = value[at], at + 1
    else:
        number, end = _varint(value, at, _LONG_BYTES, _LONG_LIMIT)
    return (number >> 1) ^ -(number & 1), end


def _null(value: bytes, at: int) -> int:
    del value
    return at


def _boolean(value: bytes, at: int) -> int:
    if at >= len(value):
        raise _cut()
    if value[at] > 1:
        raise WireError(Fault.OUT_OF_RANGE, "a boolean that is neither 0 nor 1")
    return at + 1


def _fixed(size: int) -> Step:
    def step(value: bytes, at: int) -> int:
        if at + size > len(value):
            raise _cut()
        return at + size

    return step


def _span(value: bytes, at: int) -> tuple[int, int]:
    """Where the content of a length-prefixed part starts and ends."""
    size, start = _signed(value, at)
    if size < 0:
        raise WireError(Fault.DECODE_ERROR, "a negative length")
    if start + size > len(value):
        raise WireError(Fault.DECODE_ERROR, "a length beyond the end of the value")
    return start, start + size


def _bytes(value: bytes, at: int) -> int:
    return _span(value, at)[1]


def _string(value: bytes, at: int) -> int:
    start, end = _span(value, at)
    try:
        value[start:end].decode()
    except UnicodeDecodeError as exc:
        raise WireError(Fault.DECODE_ERROR, "a string that is not UTF-8") from exc
    return end


def _enum(symbols: int) -> Step:
    def step(value: bytes, at: int) -> int:
        index, end = _signed(value, at)
        if not 0 <= index < symbols:
            raise WireError(Fault.BAD_ENUM, f"an index outside the {symbols} symbols")
        return end

    return step


def _union(branches: list[Step]) -> Step:
    def step(value: bytes, at: int) -> int:
        index, end = _signed(value, at)
        if not 0 <= index < len(branches):
            raise WireError(Fault.DECODE_ERROR, f"an index outside the {len(branches)} branches")
        return branches[index](value, end)

    return step


def _record(fields: list[tuple[str, Step]]) -> Step:
    def step(value: bytes, at: int) -> int:
        for name, field in fields:
            try:
                at = field(value, at)
            except WireError as error:
                error.path.append(name)
                raise
        return at

    return step


def _blocks(item: Step) -> Step:
    def step(value: bytes, at: int) -> int:
        while True:
            count, at = _signed(value, at)
            if count == 0:
                return at
            if count < 0:
                count = -count
                size, at = _signed(value, at)
                if size < 0:
                    raise WireError(Fault.DECODE_ERROR, "a block of a negative size")
            # However many are claimed: each takes a byte, so the end of the value ends this.
            for _ in range(count):
                at = item(value, at)

    return step


def _entry(item: Step) -> Step:
    def step(value: bytes, at: int) -> int:
        return item(value, _string(value, at))

    return step


def _cut() -> WireError:
    return WireError(Fault.DECODE_ERROR, "the value ends before it")


_PRIMITIVES: Final[dict[PrimitiveType, Step]] = {
    PrimitiveType.NULL: _null,
    PrimitiveType.BOOLEAN: _boolean,
    PrimitiveType.INT: _int,
    PrimitiveType.LONG: _long,
    PrimitiveType.FLOAT: _fixed(4),
    PrimitiveType.DOUBLE: _fixed(8),
    PrimitiveType.BYTES: _bytes,
    PrimitiveType.STRING: _string,
}
