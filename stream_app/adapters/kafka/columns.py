"""From the client's messages to columns: the last place where a record is a Python object."""

from collections.abc import Sequence
from operator import methodcaller
from typing import Any

import numpy as np

from stream_app.core.columns import BytesColumn, Header, RecordBatch

UNREADABLE_HEADERS: Header = ("stream_app.headers_unreadable", b"true")
"""In the place of a record's headers when the client cannot hand them over."""


_read_headers = methodcaller("headers")
"""The client returns a value *and* sets an exception. A call site that the interpreter has
specialised does not look, and the exception would come out of whatever is done next; a call
through C always looks, and raises SystemError here."""


def headers_of(message: Any) -> tuple[Header, ...]:
    """A message's headers, in their order; those that cannot be read leave a sign.

    To Kafka a header's name is bytes; the client raises, and gives none of the headers, when one
    is not UTF-8. Such a record must not end every worker that meets it.
    """
    try:
        return tuple(_read_headers(message) or ())
    except (SystemError, UnicodeDecodeError):
        return (UNREADABLE_HEADERS,)


def to_columns(topic: str, messages: Sequence[Any]) -> RecordBatch:
    """Lay messages without errors side by side, in their order."""
    count = len(messages)
    keys = [m.key() for m in messages]
    timestamps = [m.timestamp() for m in messages]
    headers = {row: h for row, m in enumerate(messages) if (h := headers_of(m))}
    return RecordBatch(
        topic=topic,
        values=BytesColumn.of([m.value() for m in messages]),
        keys=BytesColumn.of(keys)
        if any(k is not None for k in keys)
        else BytesColumn.all_null(count),
        partition=np.fromiter((m.partition() for m in messages), dtype=np.int32, count=count),
        offset=np.fromiter((m.offset() for m in messages), dtype=np.int64, count=count),
        timestamp_ms=np.fromiter((t[1] for t in timestamps), dtype=np.int64, count=count),
        timestamp_type=np.fromiter((t[0] for t in timestamps), dtype=np.int8, count=count),
        headers=headers,
    )
