"""What a dead letter is: the record as it came, and headers that say why it died.

Decides the headers and how an oversize record is cut. Key and value stay untouched bytes, the
original headers and timestamp are kept. Two families of headers are always there: Kafka
Connect's ``__connect.errors.*``, which tools know, and our ``err.*``, which say more. No header
holds a value from the payload.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream_app.core.columns import (
    BytesColumn,
    EventBatch,
    Header,
    OutputBatch,
    RecordBatch,
    TimestampType,
)
from stream_app.core.faults import Fault

_MAX_MESSAGE_BYTES = 1024
_CUT_KEY_BYTES = 1024
_ROOM_FOR_OUR_HEADERS = 8 * 1024
"""What ``err.*`` and ``__connect.errors.*`` take at most, with room for the record's framing."""

_TIMESTAMP_TYPES = {
    TimestampType.NOT_AVAILABLE: "NoTimestampType",
    TimestampType.CREATE_TIME: "CreateTime",
    TimestampType.LOG_APPEND_TIME: "LogAppendTime",
}


@dataclass(frozen=True, slots=True)
class Origin:
    """Who writes dead letters: the same for all of a worker's.

    Attributes:
        topic: The DLQ.
        group: Consumer group.
        app_version: Of this program.
        instance: Of this worker.
        model_name: In use.
        model_version: In use.
        max_record_bytes: Greatest record the DLQ accepts.
    """

    topic: str
    group: str
    app_version: str
    instance: str
    model_name: str
    model_version: str
    max_record_bytes: int


def dead_letters(
    origin: Origin,
    records: RecordBatch,
    events: EventBatch,
    fault: npt.NDArray[np.uint16],
    detail: Mapping[int, str],
) -> OutputBatch:
    """The dead letters of all rows with a fault, in order.

    Args:
        origin: Who writes them.
        records: The records.
        events: What they were decoded to, as far as that went.
        fault: Codes by row; may name more rows than ``events.fault`` does.
        detail: What was wrong, by row.
    """
    rows = np.flatnonzero(fault)
    values: list[bytes | None] = []
    keys: list[bytes | None] = []
    headers: dict[int, Sequence[Header]] = {}
    for position, row in enumerate(rows.tolist()):
        code = Fault.of(int(fault[row]))
        given = records.headers.get(row, ())
        ours = _headers(origin, records, row, code, detail.get(row, code.meaning), given)
        schema = int(events.schema[row])
        if schema >= 0:
            ours.append(("err.schema_id", events.schema_names[schema].encode()))
        key, value, headers[position] = _fit(
            origin.max_record_bytes, records.keys[row], records.values[row], given, ours
        )
        keys.append(key)
        values.append(value)
    return OutputBatch(
        topic=origin.topic,
        rows=rows,
        values=BytesColumn.of(values),
        keys=BytesColumn.of(keys),
        partition=records.partition[rows],
        timestamp_ms=records.timestamp_ms[rows],
        headers=headers,
    )


def _headers(
    origin: Origin,
    records: RecordBatch,
    row: int,
    code: Fault,
    message: str,
    given: Sequence[Header],
) -> list[Header]:
    topic = records.topic
    partition, offset = int(records.partition[row]), int(records.offset[row])
    timestamp_type = TimestampType(int(records.timestamp_type[row]))
    # A detail may quote a schema, and JSON can carry what UTF-8 cannot.
    text = message.encode(errors="replace")[:_MAX_MESSAGE_BYTES].decode(errors="ignore")
    fields = {
        "__connect.errors.topic": topic,
        "__connect.errors.partition": partition,
        "__connect.errors.offset": offset,
        "__connect.errors.connector.name": origin.group,
        "__connect.errors.task.id": origin.instance,
        "__connect.errors.stage": code.stage.value.upper(),
        "__connect.errors.class.name": "stream_app.scorer.Scorer",
        "__connect.errors.exception.class.name": code.name,
        "__connect.errors.exception.message": text,
        "err.topic": topic,
        "err.partition": partition,
        "err.offset": offset,
        "err.timestamp": int(records.timestamp_ms[row]),
        "err.timestamp_type": _TIMESTAMP_TYPES[timestamp_type],
        "err.group": origin.group,
        "err.app": "stream-app",
        "err.version": origin.app_version,
        "err.instance": origin.instance,
        "err.stage": code.stage.value,
        "err.code": code.name,
        "err.message": text,
        "err.model": origin.model_name,
        "err.model_version": origin.model_version,
        "err.attempt": _attempt(given),
    }
    return [(name, str(value).encode()) for name, value in fields.items()]


def _attempt(given: Sequence[Header]) -> int:
    """One more than the attempt that a replay left on the record."""
    for name, value in given:
        if name == "err.attempt" and value is not None and value.isdigit() and len(value) < 10:
            return int(value) + 1
    return 1


def _is_ours(name: str) -> bool:
    return name.startswith(("err.", "__connect.errors."))


def _fit(
    limit: int,
    key: bytes | None,
    value: bytes | None,
    given: Sequence[Header],
    ours: list[Header],
) -> tuple[bytes | None, bytes | None, Sequence[Header]]:
    """Cut what does not fit: the value first, then the original headers, then the key.

    A header of the same name as one of ours is left out: it is an older death's.
    """
    kept = [header for header in given if not _is_ours(header[0])]
    room = limit - _ROOM_FOR_OUR_HEADERS
    kept_size = sum(len(name.encode()) + len(value or b"") + 10 for name, value in kept)
    key_size, value_size = len(key or b""), len(value or b"")
    if key_size + kept_size + value_size <= room:
        return key, value, [*kept, *ours]
    ours.append(("err.truncated", b"true"))
    if key_size + kept_size > room:
        ours.append(("err.headers_dropped", str(len(kept)).encode()))
        kept, kept_size = [], 0
    if key_size > room:
        ours += _proof("key", key or b"")
        key = (key or b"")[:_CUT_KEY_BYTES]
        key_size = len(key)
    left = max(0, room - key_size - kept_size)
    if value is not None and value_size > left:
        ours += _proof("value", value)
        value = value[:left]
    return key, value, [*kept, *ours]


def _proof(what: str, data: bytes) -> list[Header]:
    """What identifies bytes that were cut."""
    return [
        (f"err.{what}_length", str(len(data)).encode()),
        (f"err.{what}_sha256", hashlib.sha256(data).hexdigest().encode()),
    ]
