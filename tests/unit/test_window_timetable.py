"""Laws of when the windows of a file are complete: never too early, and as early as can be."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_app.core.columns import NO_TIMESTAMP
from stream_app.core.window_timetable import FOR_EVER_MS, Timetable

WINDOW_MS = 10

Chunks = list[list[int]]
chunks_of_times = st.lists(st.lists(st.integers(0, 99), max_size=6), max_size=8)
bounds = st.none() | st.integers(0, 100)


def timetable(chunks: Chunks, since: int | None = None, until: int | None = None) -> Timetable:
    made = Timetable(WINDOW_MS, since, until)
    for times in chunks:
        made.note(np.array(times, dtype=np.int64))
    return made


def wanted_starts(times: list[int], since: int | None, until: int | None) -> list[int]:
    starts = {time // WINDOW_MS * WINDOW_MS for time in times if time != NO_TIMESTAMP}
    return sorted(
        start
        for start in starts
        if (since is None or start >= since) and (until is None or start + WINDOW_MS <= until)
    )


@given(chunks_of_times, bounds, bounds)
def test_what_is_complete_is_all_before_the_first_window_that_still_comes(
    chunks: Chunks, since: int | None, until: int | None
) -> None:
    steps = timetable(chunks, since, until).steps()
    assert len(steps) == len(chunks)
    for number, step in enumerate(steps):
        later = [
            start for times in chunks[number + 1 :] for start in wanted_starts(times, since, until)
        ]
        assert step.complete_ms == min(later, default=FOR_EVER_MS)
        assert step.is_wanted == bool(wanted_starts(chunks[number], since, until))


@given(chunks_of_times, bounds, bounds)
def test_windows_that_are_wanted_are_counted_once(
    chunks: Chunks, since: int | None, until: int | None
) -> None:
    every = [time for times in chunks for time in times]
    assert timetable(chunks, since, until).windows == len(wanted_starts(every, since, until))


def test_rows_without_a_time_open_no_window() -> None:
    made = timetable([[NO_TIMESTAMP, NO_TIMESTAMP]])
    assert made.windows == 0
    assert not made.steps()[0].is_wanted


def test_a_window_that_only_begins_in_what_is_wanted_is_none_of_it() -> None:
    made = Timetable(WINDOW_MS, 20, 45)
    assert [start for start in range(0, 100, 10) if made.wants(start, WINDOW_MS)] == [20, 30]
    assert made.wants(20, 20)
    assert not made.wants(20, 30), "a roll-up that ends later would lack windows"
