"""Events whose time cannot be: further from their record's own timestamp than is allowed.

Decides by the record's timestamp, never by the clock: a replay of last year's events is no fault,
and a wrong clock here must cost no record. Rows without either time are left alone.
"""

from dataclasses import replace

import numpy as np

from stream_app.core.columns import NO_TIMESTAMP, EventBatch, RecordBatch
from stream_app.core.faults import Fault


def within_range(records: RecordBatch, events: EventBatch, most_ms: int) -> EventBatch:
    """The events, with a fault on each good row whose time is out of range.

    Args:
        records: The records.
        events: What they were decoded to.
        most_ms: Greatest difference; one as large is allowed.
    """
    event_ms, record_ms = events.event_time_ms, records.timestamp_ms
    known = (event_ms != NO_TIMESTAMP) & (record_ms != NO_TIMESTAMP) & (events.fault == 0)
    # No difference of the two: that of extreme times would overflow.
    ahead = event_ms > record_ms + most_ms
    behind = event_ms < record_ms - most_ms
    out = known & (ahead | behind)
    if not out.any():
        return events
    detail = dict(events.fault_detail)
    for row in np.flatnonzero(out).tolist():
        side = "after" if ahead[row] else "before"
        detail[row] = (
            f"the event's time is more than {most_ms / 1000:g} s {side} its record's timestamp "
            "(input.max_time_difference_s)"
        )
    fault = events.fault.copy()
    fault[out] = Fault.TIME_OUT_OF_RANGE
    return replace(events, fault=fault, fault_detail=detail)
