"""Damage to bytes that knows where their parts are: lengths, counts, indexes, numbers, text.

Decides what an attacker would change in a value: seldom a random byte, mostly the number that
says how long, how many or which. Everything follows from the ``random.Random`` given.
"""

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from random import Random


class Part(Enum):
    """What a span of a value is."""

    INT = auto()
    LONG = auto()
    LENGTH = auto()
    COUNT = auto()
    INDEX = auto()
    BOOLEAN = auto()
    FLOAT = auto()
    DOUBLE = auto()
    TEXT = auto()
    RAW = auto()


@dataclass(slots=True)
class Spans:
    """A value, and where its parts lie."""

    data: bytearray = field(default_factory=bytearray)
    parts: list[tuple[int, int, Part]] = field(default_factory=list)

    def add(self, content: bytes, part: Part) -> None:
        """Append a part."""
        start = len(self.data)
        self.data += content
        self.parts.append((start, len(self.data), part))


def zigzag(number: int) -> bytes:
    """A ``long`` as Avro writes it; of any size, for attacks."""
    return unsigned_varint(number << 1 if number >= 0 else (-number << 1) - 1)


def unsigned_varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


VARINTS = (
    *(zigzag(n) for n in (0, 1, -1, 2, -2, 63, 64, -64, -65, 127, 128, 2**13, 2**20)),
    *(zigzag(n) for n in (2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**32, 2**40, 2**62)),
    *(zigzag(n) for n in (2**63 - 1, -(2**63), 2**63, 2**64, -(2**64))),
    b"\x80" * 4 + b"\x10",
    b"\xff" * 9 + b"\x01",
    b"\xff" * 9 + b"\x02",
    b"\xff" * 10,
    b"\x80\x00",
    b"\x80" * 9 + b"\x00",
    b"\x80" * 10 + b"\x00",
    b"\x80" * 19 + b"\x00",
    b"\xff" * 40,
)
_TEXTS = (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x00", "\ufeff€".encode())
_FLOATS = (0.0, -0.0, 1e-45, 1e308, -1e308, math.nan, math.inf, -math.inf, 3.4028236e38)
_BYTES = (0, 1, 2, 7, 0x7F, 0x80, 0xC3, 0xFE, 0xFF)


def damaged(chance: Random, value: Spans, others: Sequence[Spans]) -> bytes:
    """``value`` after one to three changes; ``others`` are what may be spliced in."""
    data = bytes(value.data)
    for turn in range(chance.choice((1, 1, 1, 2, 3))):
        # Spans are only where they were before the first change.
        if turn == 0 and value.parts and chance.random() < 0.6:
            data = _aimed(chance, data, value)
        else:
            data = chance.choice(_BLIND)(chance, data, others)
    return data


def _aimed(chance: Random, data: bytes, value: Spans) -> bytes:
    start, end, part = chance.choice(value.parts)
    match part:
        case Part.INT | Part.LONG | Part.LENGTH | Part.COUNT | Part.INDEX:
            content = chance.choice(VARINTS)
        case Part.BOOLEAN:
            content = bytes([chance.choice(_BYTES)])
        case Part.FLOAT:
            content = struct.pack("<f", _as_float32(chance.choice(_FLOATS)))
        case Part.DOUBLE:
            content = struct.pack("<d", chance.choice(_FLOATS))
        case Part.TEXT | Part.RAW:
            middle = chance.randint(start, end)
            # Of the same length, or not.
            bad = chance.choice(_TEXTS)
            kept = data[middle : max(middle, end - len(bad))] if chance.random() < 0.5 else b""
            content = data[start:middle] + bad + kept
    return data[:start] + content + data[end:]


def _as_float32(number: float) -> float:
    return math.copysign(math.inf, number) if abs(number) > 3.4e38 else number


def _flip(chance: Random, data: bytes, others: Sequence[Spans]) -> bytes:
    del others
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8))):
        if changed:
            changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _set(chance: Random, data: bytes, others: Sequence[Spans]) -> bytes:
    del others
    if not data:
        return data
    at = chance.randrange(len(data))
    return data[:at] + bytes([chance.choice(_BYTES)]) + data[at + 1 :]


def _cut(chance: Random, data: bytes, others: Sequence[Spans]) -> bytes:
    del others
    return data[: chance.randint(0, len(data))]


def _grow(chance: Random, data: bytes, others: Sequence[Spans]) -> bytes:
    del others
    return data + chance.choice((b"\x00", b"\x01", b"\xff", chance.randbytes(chance.randint(1, 9))))


def _remove(chance: Random, data: bytes, others: Sequence[Spans]) -> bytes:
    del others
    start = chance.randint(0, len(data))
    return data[:start] + data[start + chance.randint(1, 8) :]


def _repeat(chance: Random, data: bytes, others: Sequence[Spans]) -> bytes:
    del others
    start = chance.randint(0, len(data))
    end = min(len(data), start + chance.randint(1, 16))
    return data[:end] + data[start:end] * chance.choice((1, 2, 40)) + data[end:]


def _splice(chance: Random, data: bytes, others: Sequence[Spans]) -> bytes:
    if not others:
        return data
    other = chance.choice(others).data
    return data[: chance.randint(0, len(data))] + bytes(other[chance.randint(0, len(other)) :])


def _insert_varint(chance: Random, data: bytes, others: Sequence[Spans]) -> bytes:
    del others
    at = chance.randint(0, len(data))
    return data[:at] + chance.choice(VARINTS) + data[at:]


_BLIND: tuple[Callable[[Random, bytes, Sequence[Spans]], bytes], ...] = (
    _flip,
    _flip,
    _set,
    _cut,
    _cut,
    _grow,
    _remove,
    _repeat,
    _splice,
    _insert_varint,
)
