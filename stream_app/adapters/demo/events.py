"""Events of a container file for the demo: read, made into framed values, written to a file again.

Decides how an event becomes bytes. Refuses to know which events are sent, and which are broken.
"""

import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import fastavro

from stream_app.adapters.avro.record_files import EventSchema, open_events
from stream_app.core.avro.canonical import canonical_form, fingerprint
from stream_app.core.avro.framing import single_object_prefix

Event = Mapping[str, Any]
"""By field; a timestamp is an integer."""


class EventWriter:
    """Writes events of one schema."""

    def __init__(self, schema: EventSchema) -> None:
        self._prefix = single_object_prefix(fingerprint(schema.record))
        self._document = fastavro.parse_schema(schema.document)
        # Without logical types, as events are read: a timestamp is an integer.
        self._schema = fastavro.parse_schema(json.loads(canonical_form(schema.record)))

    def encode(self, event: Event) -> bytes:
        """The event as a record's value, in single-object encoding."""
        out = io.BytesIO()
        out.write(self._prefix)
        fastavro.schemaless_writer(out, self._schema, event)
        return out.getvalue()

    def write(self, path: Path, events: Iterable[Event]) -> None:
        """All of them as an Avro container file."""
        with path.open("wb") as out:
            fastavro.writer(out, self._document, events, codec="deflate")


def read_events(path: Path) -> tuple[list[Event], EventWriter]:
    """All events of an Avro container, and what writes events of its schema.

    Raises:
        DataError: the file is broken.
    """
    with open_events(path) as file:
        return list(file), EventWriter(file.schema)
