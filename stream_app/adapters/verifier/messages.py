"""What a message of the client is, read so that no record can end the verifier.

Decides what stands in the place of headers that the client cannot hand over: to Kafka a header's
name is bytes, and the client raises, and gives none of them, when one is not UTF-8.
"""

from operator import methodcaller
from typing import Any

from stream_app.verify.letters import UNREADABLE_HEADERS, Headers, Record

_LOG_APPEND_TIME = 2
_read = methodcaller("headers")
"""The client returns a value *and* sets an exception. A call site that the interpreter has
specialised does not look at it; a call through C always does, and raises SystemError here."""


def headers_of(message: Any) -> Headers:
    """A message's headers, in their order; a sign where they cannot be read."""
    try:
        return list(_read(message) or ())
    except (SystemError, UnicodeDecodeError):
        return [UNREADABLE_HEADERS]


def record_of(message: Any) -> Record:
    """All of it that outcomes must have kept."""
    kind, timestamp_ms = message.timestamp()
    return Record(
        key=message.key(),
        value=message.value(),
        headers=headers_of(message),
        timestamp_ms=timestamp_ms,
        is_brokers_time=kind == _LOG_APPEND_TIME,
    )
