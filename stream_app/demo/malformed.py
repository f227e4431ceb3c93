"""Events broken on purpose, in the ways in which real topics have them.

Decides which events are broken, how, and which fault code each must come back with. Knows Avro
only through the encoder that it is given, and single-object encoding by its ten bytes.
"""

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from stream_app.core.avro.framing import SINGLE_OBJECT_BYTES, SINGLE_OBJECT_MAGIC
from stream_app.core.faults import Fault

Event = Mapping[str, Any]
Encode = Callable[[Event], bytes]
"""Makes a framed value of an event of the car-loan schema."""


@dataclass(frozen=True, slots=True)
class Malformation:
    """A way to break an event.

    Attributes:
        name: In words.
        fault: What the scorer must call it.
        apply: Makes the broken value; ``None`` is a tombstone.
    """

    name: str
    fault: Fault
    apply: Callable[[Event, Encode], bytes | None]


def _with_first_id_byte(value: bytes, byte: int) -> bytes:
    """The id is the first field: its length stands right behind the framing, in one byte."""
    at = SINGLE_OBJECT_BYTES + 1
    return value[:at] + bytes([byte]) + value[at + 1 :]


def _with_other_fingerprint(value: bytes) -> bytes:
    start = len(SINGLE_OBJECT_MAGIC)
    turned = bytes(byte ^ 0xFF for byte in value[start:SINGLE_OBJECT_BYTES])
    return value[:start] + turned + value[SINGLE_OBJECT_BYTES:]


MALFORMATIONS: Final = (
    Malformation(
        "cut off in the middle", Fault.DECODE_ERROR, lambda event, encode: encode(event)[:-9]
    ),
    Malformation(
        "bytes left over", Fault.TRAILING_BYTES, lambda event, encode: encode(event) + b"\x00\x2a"
    ),
    Malformation(
        "JSON instead of Avro", Fault.BAD_MAGIC, lambda _event, _encode: b'{"application_id": "x"}'
    ),
    Malformation(
        "a schema nobody knows",
        Fault.UNKNOWN_SCHEMA,
        lambda event, encode: _with_other_fingerprint(encode(event)),
    ),
    Malformation(
        "text that is not UTF-8",
        Fault.DECODE_ERROR,
        lambda event, encode: _with_first_id_byte(encode(event), 0xFF),
    ),
    Malformation("a tombstone", Fault.TOMBSTONE, lambda _event, _encode: None),
    Malformation(
        "an infinite feature",
        Fault.NON_FINITE,
        lambda event, encode: encode({**event, "car_value": float("inf")}),
    ),
    Malformation("framing only", Fault.TOO_SHORT, lambda event, encode: encode(event)[:7]),
    Malformation(
        "no id", Fault.MISSING_ID, lambda event, encode: encode({**event, "application_id": ""})
    ),
)


def choose(events: int, count: int, seed: int) -> dict[int, Malformation]:
    """Of which ``events``, by position, there is a broken one too: each way as often as others."""
    positions = random.Random(seed).sample(range(events), count)  # noqa: S311  # no secret
    return {
        position: MALFORMATIONS[turn % len(MALFORMATIONS)]
        for turn, position in enumerate(positions)
    }


def planted(chosen: Mapping[int, Malformation]) -> dict[str, int]:
    """How many dead letters of each code must come back."""
    return dict(Counter(malformation.fault.name for malformation in chosen.values()))
