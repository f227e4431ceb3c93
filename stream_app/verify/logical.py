"""Logical types: which numbers are times, dates and uuids that can be.

Decides the bounds that calendars set: the years 1 to 9999, the day of 24 hours.
"""

import re
from datetime import UTC, date, datetime, timedelta

from stream_app.verify.refused import RefusedError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_FIRST_MS = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MS
_LAST_MS = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MS
_FIRST_DAY = date.min.toordinal() - _EPOCH.toordinal()
_LAST_DAY = date.max.toordinal() - _EPOCH.toordinal()
_DAY_MS = 86_400_000
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)

UNITS_IN_MS = {"timestamp-millis": 1, "timestamp-micros": 1_000, "timestamp-nanos": 1_000_000}
"""Units of a timestamp in a millisecond."""


def milliseconds(value: int, logical: str) -> int:
    """A timestamp in milliseconds since 1970, rounded down.

    Raises:
        RefusedError: no calendar has it.
    """
    found = value // UNITS_IN_MS[logical]
    if not _FIRST_MS <= found <= _LAST_MS:
        raise RefusedError("a time of it is in no calendar")
    return found


def in_milliseconds(value: datetime) -> int:
    """A time as Python has it, in milliseconds since 1970."""
    return (value - _EPOCH) // _MS


def check_calendar(logical: str, value: int) -> None:
    """Refuse a number that its logical type, if it has one, does not allow.

    Raises:
        RefusedError: no calendar or clock has it.
    """
    if not logical:
        return
    name = logical.removeprefix("local-")
    if name in UNITS_IN_MS:
        milliseconds(value, name)
    elif (
        (name == "date" and not _FIRST_DAY <= value <= _LAST_DAY)
        or (name == "time-millis" and not 0 <= value < _DAY_MS)
        or (name == "time-micros" and not 0 <= value < 1_000 * _DAY_MS)
    ):
        raise RefusedError("a date or a time of it is in no calendar")


def check_uuid(text: str) -> None:
    """Refuse what is no uuid.

    Raises:
        RefusedError: it is none.
    """
    if not _UUID.fullmatch(text):
        raise RefusedError("a uuid of it is none")
