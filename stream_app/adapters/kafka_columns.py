"""From the client's messages to columns: the last place where a record is a Python object."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from stream_app.core.columns import BytesColumn, RecordBatch


def to_columns(topic: str, messages: Sequence[Any]) -> RecordBatch:
    """Lay messages without errors side by side, in their order."""
    count = len(messages)
    keys = [m.key() for m in messages]
    timestamps = [m.timestamp() for m in messages]
    headers = {row: tuple(h) for row, m in enumerate(messages) if (h := m.headers())}
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
