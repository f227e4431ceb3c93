"""Drift partials as they are read, with the published schema and no line of what wrote them.

Decides what a record of the partials topic says of the input, and why drift is not judged at all.
Refuses to add up.
"""

import io
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import fastavro

from stream_app.adapters.verifier.kafka import Ends, VerifyKafka
from stream_app.adapters.verifier.schemas import UnreadableError, WriterSchemas
from stream_app.resources import schema_path
from stream_app.settings import Framing, Settings
from stream_app.verify import Isolation
from stream_app.verify.codes import NAMES
from stream_app.verify.partials import PartialRecord

_FORMAT = 1


class PartialReader:
    """Decodes partials."""

    def __init__(self, settings: Settings) -> None:
        self._schemas = WriterSchemas(settings, [schema_path("drift_partial")])
        self._parsed: dict[object, Any] = {}

    def read(self, value: bytes | None) -> PartialRecord:
        """What a record says.

        Raises:
            UnreadableError: it is no partial that we can read.
        """
        framed = self._schemas.of(value or b"", only=Framing.SINGLE_OBJECT)
        if framed.key not in self._parsed:
            (document,) = framed.documents
            self._parsed[framed.key] = fastavro.parse_schema(document)
        body = io.BytesIO((value or b"")[framed.start :])
        try:
            record: Any = fastavro.schemaless_reader(body, self._parsed[framed.key], None)
            found_format = record["format"]
            partial = _partial(record)
        except Exception as exc:  # a decoder meets any bytes, and fails in any way
            raise UnreadableError(f"no partial under its schema: {type(exc).__name__}") from exc
        if found_format != _FORMAT:
            raise UnreadableError(f"format {found_format}, we read {_FORMAT}")
        if body.read(1):
            raise UnreadableError("bytes are left over behind the partial")
        return partial


def why_not(settings: Settings, kafka: VerifyKafka, isolation: Isolation) -> str:
    """Why drift cannot be judged; empty where it can, or where reading will tell."""
    topic = settings.partials_topic
    if settings.drift.counting == "off":
        return "drift.counting is off"
    if isolation is Isolation.READ_UNCOMMITTED:
        return "outcomes were read uncommitted, and so would partials be"
    if not kafka.has_topic(topic):
        return (
            f"there is no topic {topic!r}, or it is hidden from us for want of the right Describe"
        )
    return ""


def deleted(ends: Mapping[int, Ends], topic: str) -> str:
    """What retention has taken of the partials; empty where all are still there."""
    begun = [f"{topic}[{p}] begins at offset {end.begin}" for p, end in ends.items() if end.begin]
    return ", ".join(begun)


def _partial(record: Mapping[str, Any]) -> PartialRecord:
    letters: Counter[str] = Counter()
    rows: Counter[int] = Counter()
    for window in record["windows"]:
        rows[window["start_ms"]] += window["rows"]
        letters.update(_by_code(window["letters"]))
    letters.update(_by_code(record["letters_without_time"]))
    return PartialRecord(
        model=(record["model_name"], record["model_version"]),
        role=record["role"],
        window_ms=record["window_ms"],
        part=record["part"],
        ranges=tuple(
            (each["partition"], each["first"], each["last"])
            for each in record["coverage"]
            if each["first"] <= each["last"]
        ),
        rows=rows,
        rows_without_time=record["rows_without_time"],
        letters=letters,
    )


def _by_code(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    return {NAMES.get(each["code"], str(each["code"])): each["count"] for each in counts}
