"""Framing: how a record says which schema wrote it, as bytes, both ways.

Decides where the schema's key ends and the Avro value begins. Refuses to know what is behind a
key. Three forms: Confluent's prefix (magic 0 and an id), Confluent's header (magic 1 and a GUID,
or magic 0 and an id, with the bare value as payload), and Avro's single-object encoding (C3 01
and a fingerprint).
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from stream_app.core.columns import Header
from stream_app.core.faults import Fault

SchemaKey = int | str | bytes
"""A registry's id, a registry's GUID as text, or a fingerprint of 8 bytes."""

HEADER_NAME: Final = "__value_schema_id"
CONFLUENT_MAGIC: Final = 0
GUID_MAGIC: Final = 1
SINGLE_OBJECT_MAGIC: Final = b"\xc3\x01"
CONFLUENT_BYTES: Final = 5
SINGLE_OBJECT_BYTES: Final = 10
_GUID_HEADER_BYTES: Final = 17


@dataclass(frozen=True, slots=True)
class Framed:
    """A value whose framing was read: the schema's key and where the Avro value starts."""

    key: SchemaKey
    start: int


@dataclass(frozen=True, slots=True)
class Misframed:
    """A value that is not framed as it should be."""

    fault: Fault
    detail: str


def key_name(key: SchemaKey) -> str:
    """What logs and dead letters call the schema."""
    return key.hex() if isinstance(key, bytes) else str(key)


def confluent_prefix(schema_id: int) -> bytes:
    """The five bytes before a value written with the registry's schema ``schema_id``."""
    return bytes([CONFLUENT_MAGIC]) + schema_id.to_bytes(4, "big")


def single_object_prefix(fingerprint: bytes) -> bytes:
    """The ten bytes before a value in single-object encoding."""
    return SINGLE_OBJECT_MAGIC + fingerprint


def guid_header(guid: str) -> Header:
    """The header of a record whose payload is the bare value."""
    return HEADER_NAME, bytes([GUID_MAGIC]) + uuid.UUID(guid).bytes


def read_confluent(value: bytes, headers: Sequence[Header] = ()) -> Framed | Misframed:
    """Read the header of that name if there is one, else the prefix."""
    for name, content in headers:
        if name == HEADER_NAME and content is not None:
            return _read_header(value, content)
    if len(value) <= CONFLUENT_BYTES:
        return _too_short(value, CONFLUENT_BYTES)
    if value[0] != CONFLUENT_MAGIC:
        return Misframed(
            Fault.BAD_MAGIC,
            f"expected the first byte {CONFLUENT_MAGIC:#04x}, found {value[0]:#04x}",
        )
    return Framed(int.from_bytes(value[1:CONFLUENT_BYTES], "big"), CONFLUENT_BYTES)


def read_single_object(value: bytes) -> Framed | Misframed:
    """Read the marker and the fingerprint."""
    if len(value) <= SINGLE_OBJECT_BYTES:
        return _too_short(value, SINGLE_OBJECT_BYTES)
    if not value.startswith(SINGLE_OBJECT_MAGIC):
        return Misframed(
            Fault.BAD_MAGIC,
            f"expected the first bytes {SINGLE_OBJECT_MAGIC.hex(' ')}, found {value[:2].hex(' ')}",
        )
    return Framed(value[2:SINGLE_OBJECT_BYTES], SINGLE_OBJECT_BYTES)


def _read_header(value: bytes, content: bytes) -> Framed | Misframed:
    if not value:
        return _too_short(value, 0)
    if len(content) == _GUID_HEADER_BYTES and content[0] == GUID_MAGIC:
        return Framed(str(uuid.UUID(bytes=content[1:])), 0)
    if len(content) == CONFLUENT_BYTES and content[0] == CONFLUENT_MAGIC:
        return Framed(int.from_bytes(content[1:], "big"), 0)
    return Misframed(
        Fault.BAD_MAGIC,
        f"expected the header {HEADER_NAME} to be 1 and a GUID, or 0 and an id; "
        f"found {len(content)} bytes of another form",
    )


def _too_short(value: bytes, framing_bytes: int) -> Misframed:
    return Misframed(
        Fault.TOO_SHORT,
        f"expected {framing_bytes} bytes of framing and a value, found {len(value)} bytes in all",
    )
