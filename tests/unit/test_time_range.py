"""Laws of the range of event times."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.core.columns import NO_TIMESTAMP, BytesColumn, EventBatch
from stream_app.core.faults import Fault
from stream_app.core.time_range import within_range
from stream_app.settings_sections import MAX_TIME_DIFFERENCE_S
from tests.fakes import records

RECORD_MS = 1_000
HOUR_MS = 3_600_000
YEAR_MS = 31_536_000_000
TIMES = st.integers(min_value=-(2**63), max_value=2**63 - 1)


def events(times_ms: list[int], fault: int = 0) -> EventBatch:
    count = len(times_ms)
    return EventBatch(
        tensors={},
        kinds=np.zeros((count, 0), dtype=np.uint8),
        event_time_ms=np.array(times_ms, dtype=np.int64),
        ids=BytesColumn.all_null(count),
        schema=np.full(count, -1, dtype=np.int32),
        schema_names=(),
        fault=np.full(count, fault, dtype=np.uint16),
    )


def judged(times_ms: list[int], most_ms: int = HOUR_MS, fault: int = 0) -> EventBatch:
    batch = records([(0, offset) for offset in range(len(times_ms))])
    assert batch.timestamp_ms.tolist() == [RECORD_MS] * len(times_ms)
    return within_range(batch, events(times_ms, fault), most_ms)


@pytest.mark.parametrize(
    ("time_ms", "side"),
    [
        (RECORD_MS + HOUR_MS + 1, "after"),
        (RECORD_MS - HOUR_MS - 1, "before"),
        (RECORD_MS + 10 * YEAR_MS, "after"),
        (-10 * YEAR_MS, "before"),
        (2**63 - 1, "after"),
        (-(2**63), "before"),
    ],
)
def test_a_time_too_far_away_is_a_fault_that_says_on_which_side(time_ms: int, side: str) -> None:
    found = judged([time_ms, RECORD_MS])
    assert found.fault.tolist() == [Fault.TIME_OUT_OF_RANGE, 0]
    assert list(found.fault_detail) == [0]
    assert f"3600 s {side} its record" in found.fault_detail[0]
    assert str(time_ms) not in found.fault_detail[0]


def test_the_bound_itself_and_unknown_times_are_allowed() -> None:
    allowed = [RECORD_MS + HOUR_MS, RECORD_MS - HOUR_MS, RECORD_MS, NO_TIMESTAMP]
    assert judged(allowed).good_rows().tolist() == [0, 1, 2, 3]


def test_a_fault_found_before_stays() -> None:
    assert judged([2**60], fault=Fault.NON_FINITE).fault.tolist() == [Fault.NON_FINITE]


@given(st.lists(TIMES, max_size=5), st.integers(1, int(1000 * MAX_TIME_DIFFERENCE_S)))
def test_it_is_what_whole_numbers_say(times_ms: list[int], most_ms: int) -> None:
    far = [t != NO_TIMESTAMP and abs(t - RECORD_MS) > most_ms for t in times_ms]
    assert (judged(times_ms, most_ms).fault != 0).tolist() == far
