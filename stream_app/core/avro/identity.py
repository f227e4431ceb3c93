"""An event's id and time, from what lies in their fields.

Decides what counts as an id (text that is there), and which times are possible ones. Refuses to
judge whether a time is plausible beside its record's timestamp.
"""

import re
import uuid
from collections.abc import Iterable, Sequence
from typing import Final

from stream_app.core.avro.plan import MAX_TIME_MS, MIN_TIME_MS, IdColumn, Path, TimeColumn
from stream_app.core.faults import Fault

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

ASTRAY: Final = object()
"""What :func:`follow` finds where a union holds something without the field."""


def is_uuid_text(text: str) -> bool:
    """Whether ``text`` is a uuid as RFC 9562 writes them."""
    return _UUID.fullmatch(text) is not None


def follow(path: Path, events: Iterable[object]) -> list[object]:
    """What lies at the end of ``path`` in each event; ``None`` where something on it is null."""
    found = list(events)
    for name in path:
        found = [
            event[name]
            if isinstance(event, dict)
            else event
            if event is None or event is ASTRAY
            else ASTRAY
            for event in found
        ]
    return found


def event_ids(
    column: IdColumn, values: Sequence[object]
) -> tuple[list[bytes], dict[int, tuple[Fault, str]]]:
    """Ids as UTF-8, and by position what is wrong with those that are none."""
    ids: list[bytes] = []
    faults: dict[int, tuple[Fault, str]] = {}
    for row, value in enumerate(values):
        found = _event_id(column, value)
        if isinstance(found, Fault):
            faults[row] = found, describe_id_fault(column, found)
            found = b""
        ids.append(found)
    return ids, faults


def event_times(
    column: TimeColumn, values: Sequence[object]
) -> tuple[list[int], dict[int, tuple[Fault, str]]]:
    """Times in milliseconds since 1970, and by position what is wrong with those that are none."""
    times: list[int] = []
    faults: dict[int, tuple[Fault, str]] = {}
    for row, value in enumerate(values):
        time_ms = value // column.units_per_ms if isinstance(value, int) else 0
        fault = Fault.NONE
        if not isinstance(value, int):
            fault = Fault.MISSING_FEATURE
        elif not MIN_TIME_MS <= time_ms <= MAX_TIME_MS:
            fault, time_ms = Fault.BAD_LOGICAL_VALUE, 0
        if fault:
            faults[row] = fault, describe_time_fault(column, fault)
        times.append(time_ms)
    return times, faults


def describe_id_fault(column: IdColumn, fault: Fault) -> str:
    """What is wrong with an id, without the value."""
    return f"id field {'.'.join(column.path)!r} {_ID_DETAILS[fault]}"


def describe_time_fault(column: TimeColumn, fault: Fault) -> str:
    """What is wrong with a time, without the value."""
    return f"time field {'.'.join(column.path)!r} {_TIME_DETAILS[fault]}"


def _event_id(column: IdColumn, value: object) -> bytes | Fault:
    if isinstance(value, int):
        return b"%d" % value
    if not isinstance(value, str | bytes) or not value:
        return Fault.MISSING_ID
    if isinstance(value, str):
        if column.is_uuid and not is_uuid_text(value):
            return Fault.BAD_LOGICAL_VALUE
        return value.encode()
    if column.is_uuid:
        return str(uuid.UUID(bytes=value)).encode()
    try:
        value.decode()
    except UnicodeDecodeError:
        return Fault.WRONG_TYPE
    return value


_ID_DETAILS: Final = {
    Fault.MISSING_ID: "is null or empty",
    Fault.BAD_LOGICAL_VALUE: "is no uuid",
    Fault.WRONG_TYPE: "has bytes that are not UTF-8",
}
_TIME_DETAILS: Final = {
    Fault.MISSING_FEATURE: "is null",
    Fault.BAD_LOGICAL_VALUE: "is no time between the years 1 and 9999",
}
