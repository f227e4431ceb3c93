"""Kafka's log on disk, as far as needed to damage one batch of records in it, and to mend it.

Decides which byte is flipped: one among a batch's records, where only its checksum tells, or the
one that says how the batch is to be read.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

from stream_app.adapters.local_kafka.broker import Broker

_HEAD = struct.Struct(">qi")
"""Base offset, and how many bytes follow."""

_MAGIC_AT = 16
_LAST_OFFSET_DELTA_AT = 23
_RECORDS_AT = 61


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch in a segment; ``position`` and ``size`` are bytes, offsets include both ends."""

    path: Path
    position: int
    size: int
    first_offset: int
    last_offset: int


def batches(broker: Broker, topic: str, partition: int) -> list[Batch]:
    """All in the partition's log, in order; event times years apart make many segments of it."""
    folder = broker.folder / "data" / f"{topic}-{partition}"
    return [batch for path in sorted(folder.glob("*.log")) for batch in _batches(path)]


def _batches(path: Path) -> list[Batch]:
    content, position, found = path.read_bytes(), 0, []
    while position + _RECORDS_AT <= len(content):
        first, length = _HEAD.unpack_from(content, position)
        if length <= 0:
            break
        (delta,) = struct.unpack_from(">i", content, position + _LAST_OFFSET_DELTA_AT)
        found.append(Batch(path, position, _HEAD.size + length, first, first + delta))
        position += _HEAD.size + length
    return found


def flip(batch: Batch) -> None:
    """Change the byte in the middle of the batch's records; again, and it is as before."""
    _flip(batch, _RECORDS_AT + (batch.size - _RECORDS_AT) // 2)


def flip_format(batch: Batch) -> None:
    """Change the byte that names the batch's format, which no checksum covers; and back again."""
    _flip(batch, _MAGIC_AT)


def _flip(batch: Batch, at: int) -> None:
    place = batch.position + at
    with batch.path.open("r+b") as file:
        file.seek(place)
        (byte,) = file.read(1)
        file.seek(place)
        file.write(bytes([byte ^ 0x55]))
