"""What an outcome says it answers: read from a prediction's value or a dead letter's headers.

Decides which input position a record names. Shares nothing with what wrote it. Refuses to judge.
"""

import io
from collections.abc import Mapping
from typing import Any

import fastavro

from stream_app.adapters.verifier.schemas import Framed, UnreadableError, WriterSchemas
from stream_app.resources import schema_path
from stream_app.settings import Settings
from stream_app.verify.letters import Headers

__all__ = ["PredictionReader", "Source", "UnreadableError", "read_dead_letter", "scored_by"]

Source = tuple[str, int, int]
"""Topic, partition, offset."""


class PredictionReader:
    """Decodes predictions; remembers schemas."""

    def __init__(self, settings: Settings) -> None:
        ours = settings.output.prediction_schema or schema_path("prediction")
        self._schemas = WriterSchemas(settings, [ours])
        self._parsed: dict[object, Any] = {}

    def read(self, value: bytes | None) -> tuple[Source, Mapping[str, Any]]:
        """The position that a prediction answers, and the whole of it.

        Raises:
            UnreadableError: it is no prediction that we can read.
            UnavailableError: the registry does not answer.
        """
        framed = self._schemas.of(value or b"")
        body = io.BytesIO((value or b"")[framed.start :])
        try:
            record: Any = fastavro.schemaless_reader(body, self._schema(framed), None)
            source = _source(
                record["source_topic"], record["source_partition"], record["source_offset"]
            )
        except Exception as exc:  # a decoder meets any bytes, and fails in any way
            raise UnreadableError(f"no prediction under its schema: {type(exc).__name__}") from exc
        if body.read(1):
            raise UnreadableError("bytes are left over behind the prediction")
        return source, record

    def _schema(self, framed: Framed) -> Any:
        if framed.key not in self._parsed:
            named: dict[str, Any] = {}
            for document in framed.documents:
                parsed = fastavro.parse_schema(document, named_schemas=named)
            self._parsed[framed.key] = parsed
        return self._parsed[framed.key]


def read_dead_letter(headers: Headers | None) -> tuple[Source, str]:
    """The position and the fault code that a dead letter's headers name.

    Raises:
        UnreadableError: they do not.
    """
    found = {name: value or b"" for name, value in headers or ()}
    try:
        source = _source(
            found["err.topic"].decode(), int(found["err.partition"]), int(found["err.offset"])
        )
        return source, found["err.code"].decode()
    except (KeyError, ValueError) as exc:
        raise UnreadableError("its err.* headers do not name a position and a code") from exc


def scored_by(headers: Headers | None) -> tuple[str, str]:
    """The name and version of the model for which a dead letter was one; empty where it is mute."""
    found = {name: value or b"" for name, value in headers or ()}
    name, version = (found.get(header, b"") for header in ("err.model", "err.model_version"))
    return name.decode(errors="replace"), version.decode(errors="replace")


def _source(topic: str, partition: int, offset: int) -> Source:
    if not (0 <= partition < 2**31 and 0 <= offset < 2**63):
        raise ValueError("no possible position")
    return topic, partition, offset
