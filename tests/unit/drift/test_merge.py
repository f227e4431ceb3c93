"""Laws of merging: each row counts once, whatever workers, transactions, orders and repeats."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_app.core.columns import NO_TIMESTAMP
from stream_app.core.drift.merge import Outcome, StreamState, partial_fault
from stream_app.core.drift.partial import SEPARATOR, Coverage, Form, Partial, WindowDelta
from tests.aggregate_kit import (
    STREAM,
    WAY,
    WINDOW_MS,
    Events,
    at_random,
    counted_at_once,
    idle,
    make_events,
    transaction,
    with_repeats,
)
from tests.drift_kit import SMALL

SEEDS = st.integers(0, 100_000)


def apply(state: StreamState, partial: Partial, sent_ms: int = NO_TIMESTAMP) -> Outcome:
    return state.apply(partial, SMALL, WAY, sent_ms, ahead_ms=0)


def merged(log: list[Partial]) -> StreamState:
    state = StreamState(STREAM)
    for partial in log:
        apply(state, partial)
    return state


def exact(state: StreamState) -> bool:
    return state.windows[0].exact


def is_idle(state: StreamState) -> bool:
    return state.covered[0].is_idle


def assert_counted_once(state: StreamState, events: Events) -> None:
    whole = counted_at_once(events)
    assert state.windows.keys() == whole.keys()
    for start, wanted in whole.items():
        window = state.windows[start]
        assert (window.rows, window.letters) == (wanted.rows, wanted.letters)
        np.testing.assert_array_equal(window.unpacked(SMALL, WAY), wanted.state)


@given(SEEDS, st.integers(0, 60), st.integers(1, 4))
def test_any_division_into_workers_and_transactions_gives_the_whole(
    seed: int, count: int, partitions: int
) -> None:
    events = make_events(seed, count, partitions)
    log = with_repeats(at_random(events, seed, partitions), seed)
    state = merged(log)
    assert_counted_once(state, events)
    assert all(window.exact for window in state.windows.values())
    assert state.counters[Outcome.OVERLAPPING] == 0


@given(SEEDS)
def test_packing_between_partials_changes_nothing(seed: int) -> None:
    events = make_events(seed, 40, 2)
    state = StreamState(STREAM)
    for partial in at_random(events, seed, 2):
        apply(state, partial)
        for window in state.windows.values():
            window.pack(WAY)
            assert window.state is None
    assert_counted_once(state, events)


def test_a_repeat_adds_nothing_and_is_counted() -> None:
    events = make_events(1, 20, 1)
    state = StreamState(STREAM)
    log = transaction(events, {0: (0, 10)}) + transaction(events, {0: (10, 10)})
    assert [apply(state, partial) for partial in log] == [Outcome.APPLIED] * 2
    assert [apply(state, partial) for partial in log] == [Outcome.REPEATED] * 2
    # A replay that was cut otherwise, as after a crash at least once.
    assert apply(state, transaction(events, {0: (3, 9)})[0]) is Outcome.REPEATED
    assert_counted_once(state, events)
    assert state.counters[Outcome.REPEATED] == 3


def test_all_parts_of_a_transaction_count_each_once() -> None:
    events = make_events(2, 40, 2)
    log = transaction(events, {0: (0, len(events.of(0))), 1: (0, len(events.of(1)))}, parts=3)
    state = merged([log[0], log[0], log[1], log[0], log[2], log[1], log[2]])
    assert state.counters == {Outcome.APPLIED: 3, Outcome.REPEATED: 4}
    assert_counted_once(state, events)


def test_a_further_part_of_another_transaction_is_a_repeat() -> None:
    events = make_events(2, 40, 1)
    state = merged(transaction(events, {0: (0, 40)}))
    # The same records, replayed by a worker who wrote them in two parts.
    replayed = transaction(events, {0: (0, 40)}, parts=2)
    assert [apply(state, partial) for partial in replayed] == [Outcome.REPEATED] * 2
    assert_counted_once(state, events)


def test_an_overlap_is_added_and_its_windows_are_not_exact() -> None:
    events = make_events(3, 30, 2, span_ms=900)
    state = merged(transaction(events, {0: (0, 6)}))
    assert exact(state)
    (overlap,) = transaction(events, {0: (3, 6)})
    assert apply(state, overlap) is Outcome.OVERLAPPING
    assert not exact(state)
    # From there on nothing overlaps, but the window stays what it is.
    assert apply(state, transaction(events, {0: (9, 2)})[0]) is Outcome.APPLIED
    assert not exact(state)


def test_a_repeat_of_one_partition_beside_news_of_another_is_an_overlap() -> None:
    events = make_events(4, 30, 2)
    state = merged(transaction(events, {0: (0, 5)}))
    both = transaction(events, {0: (0, 5), 1: (0, 5)}, parts=2)
    assert [apply(state, partial) for partial in both] == [Outcome.OVERLAPPING] * 2


def test_every_part_of_an_overlapping_transaction_is_inexact() -> None:
    events = make_events(5, 60, 1, span_ms=4_000)
    state = merged(transaction(events, {0: (0, 20)}))
    parts = transaction(events, {0: (10, 40)}, parts=2)
    assert [apply(state, partial) for partial in parts] == [Outcome.OVERLAPPING] * 2
    starts = {delta.start_ms for partial in parts for delta in partial.windows}
    assert not any(state.windows[start].exact for start in starts)


def test_what_does_not_fit_the_reference_changes_nothing() -> None:
    events = make_events(6, 30, 1)
    state = StreamState(STREAM)
    (good,) = transaction(events, {0: (0, 30)})
    last = good.windows[-1]
    for counts in (last.counts[:-1], last.counts + b"\x02\x02", b"\xff" * 11, b""):
        bad = replace(last, counts=counts)
        partial = replace(good, windows=(*good.windows[:-1], bad))
        assert apply(state, partial) is Outcome.MALFORMED
    assert not state.windows
    assert not state.covered
    assert apply(state, good) is Outcome.APPLIED
    assert_counted_once(state, events)


def test_counts_that_do_not_add_up_are_malformed() -> None:
    state = StreamState(STREAM)
    # One row in the whole window, none in any column: gap 1, amount 1.
    delta = WindowDelta(0, 1, {}, Form.SPARSE, b"\x02\x02")
    partial = Partial(STREAM, "kit", 0, 1, (Coverage(0, 0, 0, 5),), (delta,))
    assert apply(state, partial) is Outcome.MALFORMED


def test_an_event_that_is_ahead_of_its_sending_moves_no_watermark() -> None:
    events = make_events(7, 20, 1)
    (partial,) = transaction(events, {0: (0, 20)})
    state = StreamState(STREAM)
    apply(state, partial, sent_ms=100)
    assert state.covered[0].greatest_ms == 100
    assert (state.first_sent_ms, state.last_sent_ms) == (100, 100)


def test_records_after_idleness_end_it_and_an_old_word_of_it_does_not_count() -> None:
    events = make_events(8, 20, 1)
    state = merged([*transaction(events, {0: (0, 10)}), idle({0: 10})])
    assert is_idle(state)
    for partial in transaction(events, {0: (10, 10)}):
        apply(state, partial)
    assert not is_idle(state)
    apply(state, idle({0: 10}))
    assert not is_idle(state)
    assert state.covered[0].applied == 19
    assert_counted_once(state, events)


def test_below_the_floor_is_late_and_never_comes_back() -> None:
    events = make_events(9, 40, 1, span_ms=3_000)
    state = StreamState(STREAM, floor_ms=2 * WINDOW_MS)
    (partial,) = transaction(events, {0: (0, 40)})
    assert apply(state, partial) is Outcome.APPLIED
    assert set(state.windows) == {2 * WINDOW_MS}
    late = [w for w in partial.windows if w.start_ms < 2 * WINDOW_MS]
    assert state.counters["late"] == sum(w.rows + sum(w.letters.values()) for w in late)


def test_what_cannot_be_in_a_partial_is_told() -> None:
    events = make_events(10, 20, 2)
    (good,) = transaction(events, {0: (0, 5), 1: (0, 5)})
    assert partial_fault(good) is None
    window, entry = good.windows[0], good.coverage[0]
    for changes in (
        {"part": 1},
        {"parts": 0},
        {"stream": replace(STREAM, window_ms=0)},
        {"stream": replace(STREAM, role=f"a{SEPARATOR}b")},
        {"stream": replace(STREAM, model_name="")},
        {"coverage": (entry, entry)},
        {"coverage": (replace(entry, partition=-1),)},
        {"coverage": (replace(entry, last=entry.first - 2),)},
        {"coverage": (replace(entry, last=entry.first - 1),)},
        {"windows": (window, window)},
        {"windows": (replace(window, start_ms=1),)},
        {"windows": (replace(window, rows=-1),)},
        {"windows": (replace(window, letters={1: -1}),)},
        {"rows_without_time": -1},
    ):
        assert partial_fault(replace(good, **changes)) is not None, changes
