"""Records of drift topics: Avro of a published schema, in single-object encoding.

Decides the framing, and what is said of bytes that are no such record. Refuses to know what the
records mean.
"""

import json
from io import BytesIO
from typing import Any

import fastavro

from stream_app.core.avro.canonical import fingerprint
from stream_app.core.avro.framing import (
    SINGLE_OBJECT_BYTES,
    Misframed,
    key_name,
    read_single_object,
    single_object_prefix,
)
from stream_app.core.avro.gates import Rejection, admit
from stream_app.core.faults import Fault
from stream_app.ports_drift import Unreadable
from stream_app.resources import schema_path


class FramedRecords:
    """Writes and reads values of one published schema.

    Args:
        name: Of the schema's file, without ``.avsc``.
        remedy: What to do about records of another schema.
    """

    def __init__(self, name: str, remedy: str) -> None:
        text = schema_path(name).read_text(encoding="utf-8")
        admitted = admit(text)
        if isinstance(admitted, Rejection):
            raise TypeError(f"our own schema: {admitted.detail}")
        self._schema = fastavro.parse_schema(json.loads(text))
        self._prefix = single_object_prefix(fingerprint(admitted))
        self._remedy = remedy

    def write(self, record: dict[str, Any]) -> bytes:
        """The value."""
        out = BytesIO()
        out.write(self._prefix)
        fastavro.schemaless_writer(out, self._schema, record)
        return out.getvalue()

    def read(self, value: bytes | None) -> dict[str, Any] | Unreadable:
        """The record; its form is right, its content may be nonsense."""
        if value is None:
            return Unreadable(Fault.TOMBSTONE, "the value is null")
        if not value.startswith(self._prefix):
            framed = read_single_object(value)
            if isinstance(framed, Misframed):
                return Unreadable(framed.fault, framed.detail)
            text = f"{key_name(framed.key)} is not our schema's fingerprint: {self._remedy}"
            return Unreadable(Fault.UNKNOWN_SCHEMA, text)
        rest = BytesIO(value)
        rest.seek(SINGLE_OBJECT_BYTES)
        try:
            # Without the strict walk, which takes longer than all else here: what it would find is
            # found by whoever looks at the content.
            record: Any = fastavro.schemaless_reader(rest, self._schema, None)
        except Exception as exc:  # noqa: BLE001  # fastavro does not list what it raises
            return Unreadable(Fault.DECODE_ERROR, f"{type(exc).__name__} from the Avro library")
        if rest.tell() != len(value):
            return Unreadable(Fault.TRAILING_BYTES, "bytes are left over after the record")
        found: dict[str, Any] = record
        return found
