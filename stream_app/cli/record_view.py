"""A record as a person, or a program that reads JSON, wants to see it.

Decides how bytes, times and numbers are written. What text cannot show is base64; numbers that
JSON lacks are the strings NaN, Infinity and -Infinity, as in Avro's own JSON.
"""

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from uuid import UUID

from stream_app.adapters.kafka.reader import SeenRecord
from stream_app.core.columns import NO_TIMESTAMP, Header

_SHOWN_CHARACTERS = 60
"""Of a value that could not be decoded, in a table."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """What was found in a record's value.

    Attributes:
        event: The decoded value; ``None`` for a tombstone, or where it could not be decoded.
        reason: Why it could not be decoded; empty when it could.
    """

    event: Mapping[str, object] | None
    reason: str = ""


def json_document(record: SeenRecord, decoded: Decoded) -> dict[str, object]:
    """Everything about a record, as JSON can hold it."""
    document: dict[str, object] = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp_ms": None if record.timestamp_ms == NO_TIMESTAMP else record.timestamp_ms,
        "timestamp": iso_time(record.timestamp_ms),
        "key": text_of(record.key),
        "headers": header_texts(record.headers),
    }
    if decoded.reason:
        document["reason"] = decoded.reason
        document["value_base64"] = base64.b64encode(record.value or b"").decode()
    else:
        document["value"] = None if decoded.event is None else plain(decoded.event)
    return document


def table_line(record: SeenRecord, decoded: Decoded) -> str:
    """A record on one line, and its headers on a second one if it has any."""
    place = f"{record.partition:>9}  {record.offset:>10}  {iso_time(record.timestamp_ms) or '-':24}"
    if decoded.reason:
        shown = base64.b64encode(record.value or b"").decode()
        cut = f"{shown[:_SHOWN_CHARACTERS]}…" if len(shown) > _SHOWN_CHARACTERS else shown
        value = f"base64:{cut} ({decoded.reason})"
    elif decoded.event is None:
        value = "null"
    else:
        value = " ".join(f"{name}={plain(item)}" for name, item in decoded.event.items())
    line = f"{place}  {text_of(record.key) or '-'}  {value}"
    if record.headers:
        headers = header_texts(record.headers).items()
        line += "\n           " + " ".join(f"{name}={text}" for name, text in headers)
    return line


def dead_letter_line(record: SeenRecord, decoded: Decoded) -> str:
    """A dead letter: where it came from and why it died; then the value, if it can be shown."""
    headers = {name: text_of(content) or "" for name, content in record.headers}
    ours = {name: headers.get(f"err.{name}", "?") for name in _DEAD_LETTER_HEADERS}
    source = f"{ours['topic']}/{ours['partition']}/{ours['offset']}"
    line = (
        f"{record.partition:>3}  {record.offset:>8}  {iso_time(record.timestamp_ms) or '-':24}  "
        f"{ours['stage']:8}  {ours['code']:22}  {source}  {ours['message']}"
    )
    if decoded.event is not None:
        line += "\n     " + " ".join(f"{n}={plain(item)}" for n, item in decoded.event.items())
    return line


_DEAD_LETTER_HEADERS = ("topic", "partition", "offset", "stage", "code", "message")

TABLE_HEADER = f"{'partition':>9}  {'offset':>10}  {'timestamp':24}  key  value"


def iso_time(timestamp_ms: int) -> str | None:
    """A record's timestamp in ISO 8601, UTC, milliseconds; beyond year 9999 the plain number."""
    if timestamp_ms == NO_TIMESTAMP:
        return None
    try:
        moment = datetime.fromtimestamp(timestamp_ms / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return str(timestamp_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def text_of(content: bytes | None) -> str | None:
    """Bytes as text when they are text, else as base64 with that word before it."""
    if content is None:
        return None
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return "base64:" + base64.b64encode(content).decode()
    return text if text.isprintable() else "base64:" + base64.b64encode(content).decode()


def header_texts(headers: Sequence[Header]) -> dict[str, object]:
    """Headers by name; one whose name repeats has a list."""
    texts: dict[str, object] = {}
    for name, content in headers:
        text = text_of(content)
        if name not in texts:
            texts[name] = text
            continue
        earlier = texts[name]
        texts[name] = [*earlier, text] if isinstance(earlier, list) else [earlier, text]
    return texts


def plain(value: object) -> object:
    """A decoded value as JSON can hold it."""
    match value:
        case float() if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        case bytes():
            return base64.b64encode(value).decode()
        case datetime() | date() | time():
            return value.isoformat()
        case Decimal() | UUID():
            return str(value)
        case Mapping():
            return {str(name): plain(item) for name, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case _:
            return value
