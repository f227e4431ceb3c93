"""The built-in load: readings of machines, written straight into columns.

Decides what the events hold: the same ones for the same numbers, each with an id and a key of its
own, so that no cache profits from repetition. A million of them would take an Avro library ten
seconds; here the schema's one variable length, the nullable field at the end, is a mask.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stream_app.core.avro.canonical import fingerprint
from stream_app.core.avro.framing import single_object_prefix
from stream_app.core.avro.gates import Rejection, admit
from stream_app.core.columns import BytesColumn, Int64Array, UInt8Array
from stream_app.errors import ConfigError
from stream_app.resources import example_dir

EXAMPLE: Final = "bench"
CHANNELS: Final = 8
MODES: Final = 5
NULL_SHARE: Final = 0.2
KEY_BYTES: Final = 16

_SEED: Final = 20_251_122
_ID: Final = "reading-"
_ID_DIGITS: Final = 11
_TIME_BYTES: Final = 6
_GREATEST_TIME_MS: Final = 2 ** (7 * _TIME_BYTES - 1)
"""The zigzag of a later time (2039) takes a byte more."""
_CYCLES: Final = (64, 8_192)
"""Numbers whose zigzag takes two bytes."""


@dataclass(frozen=True, slots=True)
class Readings:
    """Some events, as they are sent and as what they say.

    Attributes:
        values: Framed Avro.
        keys: 16 bytes each.
        timestamp_ms: Of the events and of their records.
        fields: By name, the numbers behind them; NaN where ``vibration`` is null.
    """

    values: BytesColumn
    keys: BytesColumn
    timestamp_ms: Int64Array
    fields: Mapping[str, npt.NDArray[np.float64]]


def schema_text() -> str:
    """The schema of the events."""
    path = example_dir(EXAMPLE) / "schemas" / "reading.avsc"
    return path.read_text(encoding="utf-8")


def prefix() -> bytes:
    """What stands before every value."""
    schema = admit(schema_text())
    if isinstance(schema, Rejection):
        raise ConfigError(f"the schema of the bench's events: {schema.detail}")
    return single_object_prefix(fingerprint(schema))


def make_readings(first: int, count: int, begin_ms: int) -> Readings:
    """Events number ``first`` to ``first + count``, a millisecond after one another.

    Args:
        first: Together with ``count``, it decides the numbers.
        count: How many.
        begin_ms: The time of event number 0.

    Raises:
        ValueError: a time that takes more, or fewer, than the six bytes meant for it.
    """
    last_ms = begin_ms + first + count
    if not _GREATEST_TIME_MS // 128 <= begin_ms <= last_ms < _GREATEST_TIME_MS:
        raise ValueError(f"no time between 1971 and 2039: {begin_ms} to {last_ms}")
    random = np.random.default_rng((_SEED, first))
    numbers = np.arange(first, first + count)
    time_ms = begin_ms + numbers
    channels = random.normal(size=(count, CHANNELS))
    cycles = random.integers(*_CYCLES, size=count)
    mode = random.integers(0, MODES, size=count)
    vibration = random.gamma(2.0, size=count)
    is_null = random.random(count) < NULL_SHARE
    parts = [
        _same(prefix(), count),
        _same(bytes([2 * (len(_ID) + _ID_DIGITS)]) + _ID.encode(), count),
        _decimal(numbers, _ID_DIGITS),
        _varint(2 * time_ms, _TIME_BYTES),
        _doubles(channels),
        _varint(2 * cycles, 2),
        _varint(2 * mode, 1),
        np.where(is_null, 0, 2).astype(np.uint8)[:, None],
        _doubles(vibration[:, None]),
    ]
    block = np.concatenate(parts, axis=1)
    sizes = block.shape[1] - 8 * is_null
    kept = np.arange(block.shape[1]) < sizes[:, None]
    return Readings(
        values=BytesColumn(block[kept].tobytes(), _ends(sizes)),
        keys=BytesColumn(_decimal(numbers, KEY_BYTES).tobytes(), _ends(np.full(count, KEY_BYTES))),
        timestamp_ms=time_ms,
        fields={
            "measured_at": time_ms.astype(np.float64),
            **{f"channel_{number + 1}": channels[:, number] for number in range(CHANNELS)},
            "cycles": cycles.astype(np.float64),
            "mode": mode.astype(np.float64),
            "vibration": np.where(is_null, np.nan, vibration),
        },
    )


def _ends(sizes: npt.NDArray[np.int64]) -> Int64Array:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def _same(text: bytes, count: int) -> UInt8Array:
    return np.broadcast_to(np.frombuffer(text, dtype=np.uint8), (count, len(text)))


def _decimal(numbers: Int64Array, digits: int) -> UInt8Array:
    """Each number in decimal, with leading zeros."""
    powers = 10 ** np.arange(digits - 1, -1, -1, dtype=np.int64)
    return (numbers[:, None] // powers % 10 + ord("0")).astype(np.uint8)


def _varint(zigzag: Int64Array, size: int) -> UInt8Array:
    """Avro's variable-length numbers, of values that all take ``size`` bytes."""
    shifted = zigzag[:, None] >> (7 * np.arange(size))
    more = np.where(np.arange(size) < size - 1, 0x80, 0)
    return ((shifted & 0x7F) | more).astype(np.uint8)


def _doubles(values: npt.NDArray[np.float64]) -> UInt8Array:
    flat = np.ascontiguousarray(values, dtype="<f8")
    return flat.view(np.uint8).reshape(len(values), -1)
