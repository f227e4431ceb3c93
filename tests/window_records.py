"""Window records read apart from the product: fastavro and the published schema."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro

SCHEMA = fastavro.parse_schema(
    json.loads((Path(__file__).parents[1] / "schemas" / "drift_window.avsc").read_text("utf-8"))
)
_FRAMING_BYTES = 10


def read_window(value: bytes | None) -> dict[str, Any]:
    """One record's value."""
    assert value is not None
    assert value[:2] == b"\xc3\x01"
    body = BytesIO(value[_FRAMING_BYTES:])
    record = fastavro.schemaless_reader(body, SCHEMA, None)
    assert not body.read()
    assert isinstance(record, dict)
    return record
