"""Partials as records: Avro, single-object encoding, schema ``schemas/drift_partial.avsc``.

Decides the bytes. Refuses to know topics.
"""

import json
from functools import lru_cache
from io import BytesIO
from typing import Any

import fastavro

from stream_app.core.avro.canonical import fingerprint
from stream_app.core.avro.framing import single_object_prefix
from stream_app.core.avro.gates import Rejection, admit
from stream_app.core.columns import NO_TIMESTAMP
from stream_app.core.drift.partial import Partial
from stream_app.resources import schema_path

FORMAT = 1


def encode_partial(partial: Partial) -> bytes:
    """One record's value."""
    schema, prefix = _schema()
    stream = partial.stream
    out = BytesIO()
    out.write(prefix)
    record = {
        "format": FORMAT,
        "model_name": stream.model_name,
        "model_version": stream.model_version,
        "role": stream.role,
        "reference_id": stream.reference_id,
        "window_ms": stream.window_ms,
        "instance": partial.instance,
        "part": partial.part,
        "parts": partial.parts,
        "coverage": [
            {
                "partition": each.partition,
                "first": each.first,
                "last": each.last,
                "greatest_ms": None if each.greatest_ms == NO_TIMESTAMP else each.greatest_ms,
                "is_idle": each.is_idle,
            }
            for each in partial.coverage
        ],
        "windows": [
            {
                "start_ms": each.start_ms,
                "rows": each.rows,
                "letters": _letters(each.letters),
                "form": int(each.form),
                "counts": each.counts,
            }
            for each in partial.windows
        ],
        "rows_without_time": partial.rows_without_time,
        "letters_without_time": _letters(partial.letters_without_time),
    }
    fastavro.schemaless_writer(out, schema, record)
    return out.getvalue()


def _letters(letters: Any) -> list[dict[str, int]]:
    return [{"code": code, "count": count} for code, count in sorted(letters.items())]


@lru_cache(maxsize=1)
def _schema() -> tuple[Any, bytes]:
    text = schema_path("drift_partial").read_text(encoding="utf-8")
    admitted = admit(text)
    if isinstance(admitted, Rejection):
        raise TypeError(f"our own schema: {admitted.detail}")
    return fastavro.parse_schema(json.loads(text)), single_object_prefix(fingerprint(admitted))
