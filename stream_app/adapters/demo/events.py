"""Events of a container file as framed values, in single-object encoding, for the demo to send.

Decides how an event becomes bytes. Refuses to know which events are sent, and which are broken.
"""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fastavro

from stream_app.adapters.avro.record_files import EventSchema, open_events
from stream_app.core.avro.canonical import canonical_form, fingerprint
from stream_app.core.avro.framing import single_object_prefix

Event = Mapping[str, Any]
"""By field; a timestamp is an integer."""


class EventEncoder:
    """Encodes events of one schema."""

    def __init__(self, schema: EventSchema) -> None:
        self._prefix = single_object_prefix(fingerprint(schema.record))
        # Without logical types, as events are read: a timestamp is an integer.
        self._schema = fastavro.parse_schema(json.loads(canonical_form(schema.record)))

    def __call__(self, event: Event) -> bytes:
        """The event, framed."""
        out = io.BytesIO()
        out.write(self._prefix)
        fastavro.schemaless_writer(out, self._schema, event)
        return out.getvalue()


def read_events(path: Path) -> tuple[list[Event], EventEncoder]:
    """All events of an Avro container, and what encodes events of its schema.

    Raises:
        DataError: the file is broken.
    """
    with open_events(path) as file:
        return list(file), EventEncoder(file.schema)
