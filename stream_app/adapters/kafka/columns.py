"""From the client's messages to columns."""

from collections.abc import Iterator, Sequence
from operator import itemgetter, methodcaller
from typing import Any

import numpy as np

from stream_app.core.columns import BytesColumn, Header, RecordBatch

UNREADABLE_HEADERS: Header = ("stream_app.headers_unreadable", b"true")
"""In the place of a record's headers when the client cannot hand them over."""

_headers = methodcaller("headers")
"""Of headers the client returns a value *and* sets an exception. A call site that the interpreter
has specialised does not look, and the exception would come out of whatever is done next; a call
through C, such as this and as ``map``, always looks, and raises SystemError here."""


def asked(messages: Sequence[Any], name: str) -> Iterator[Any]:
    """What each message's method of this name answers.

    The method is looked up once, in the messages' class: with ``map`` no line of Python is run for
    a record, and nothing is looked up, which would take three times as long as the call.
    """
    return map(getattr(type(messages[0]), name), messages) if messages else iter(())


def headers_of(message: Any) -> tuple[Header, ...]:
    """A message's headers, in their order; those that cannot be read leave a sign.

    To Kafka a header's name is bytes; the client raises, and gives none of the headers, when one
    is not UTF-8. Such a record must not end every worker that meets it.
    """
    try:
        return tuple(_headers(message) or ())
    except (SystemError, UnicodeDecodeError):
        return (UNREADABLE_HEADERS,)


def to_columns(topic: str, messages: Sequence[Any]) -> RecordBatch:
    """Lay messages without errors side by side, in their order."""
    count = len(messages)
    keys = list(asked(messages, "key"))
    stamps = list(asked(messages, "timestamp"))
    return RecordBatch(
        topic=topic,
        values=BytesColumn.of(list(asked(messages, "value"))),
        keys=BytesColumn.of(keys) if keys.count(None) < count else BytesColumn.all_null(count),
        partition=np.fromiter(asked(messages, "partition"), dtype=np.int32, count=count),
        offset=np.fromiter(asked(messages, "offset"), dtype=np.int64, count=count),
        timestamp_ms=np.fromiter(map(itemgetter(1), stamps), dtype=np.int64, count=count),
        timestamp_type=np.fromiter(map(itemgetter(0), stamps), dtype=np.int8, count=count),
        headers=_rows_with_headers(messages),
    )


def _rows_with_headers(messages: Sequence[Any]) -> dict[int, tuple[Header, ...]]:
    found: list[Any] = []
    left = asked(messages, "headers")
    while len(found) < len(messages):
        try:
            found.extend(left)
        except (SystemError, UnicodeDecodeError):
            # Never asked of the same message again: the client has kept what it could not read,
            # gives it without a word then, and it is no value of Python's.
            found.append((UNREADABLE_HEADERS,))
    if not any(found):
        return {}
    return {row: tuple(own) for row, own in enumerate(found) if own}
