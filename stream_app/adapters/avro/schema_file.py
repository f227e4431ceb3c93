"""An Avro schema as a file has it: its text, its JSON and its tree, checked once.

Decides only whether it is the schema of a record that may be used; knows no records.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stream_app.core.avro.gates import Rejection, admit
from stream_app.core.avro.schema import Record, describe
from stream_app.errors import ConfigError


@dataclass(frozen=True, slots=True)
class EventSchema:
    """The schema of a file's events.

    Attributes:
        text: As it was found, for a registry.
        document: As JSON gives it, for those who write Avro.
        record: The same as a tree.
    """

    text: str
    document: Any
    record: Record


def read_schema_file(path: Path) -> EventSchema:
    """Read an ``.avsc`` file.

    Raises:
        ConfigError: it cannot be read, or is no Avro schema of a record.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path}: cannot be read ({exc}); give an Avro schema") from exc
    return event_schema(text, str(path))


def event_schema(text: str, origin: str) -> EventSchema:
    """Check that a schema is one of a record.

    Raises:
        ConfigError: it is not; the message begins with ``origin``.
    """
    tree = admit(text)
    if isinstance(tree, Rejection):
        raise ConfigError(f"{origin}: not a usable Avro schema: {tree.detail}")
    if not isinstance(tree, Record):
        raise ConfigError(f"{origin}: expected a record, found {describe(tree)}")
    return EventSchema(text, json.loads(text), tree)
