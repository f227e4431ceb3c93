"""Laws of the changelog's records: all that is known comes back, and damage is told."""

import zlib
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.core.drift.aggregate_state import (
    POSITION_KEY,
    PartitionState,
    position_record,
    roll_up_key,
    roll_up_record,
    stream_record,
    window_key,
    window_record,
)
from stream_app.core.drift.merge import RollUp, StreamState
from stream_app.errors import FatalError
from tests.aggregate_kit import STREAM, WAY, at_random, idle, make_events
from tests.drift_kit import SMALL


def filled(seed: int) -> StreamState:
    """A stream with a bit of everything."""
    events = make_events(seed, 40, 2)
    state = StreamState(STREAM, watermark_ms=1_500, floor_ms=1_000, next_floor_ms=2_000)
    for partial in [*at_random(events, seed, 2), idle({0: 99})]:
        state.apply(partial, SMALL, WAY, 5_000, 0)
    for window in state.windows.values():
        window.pack(WAY)
    state.touched = set()
    if state.windows:
        some = state.windows[min(state.windows)]
        some.revision, some.is_final, some.exact, some.is_changed = 3, True, False, False
    state.roll_ups[3_600_000, 0] = RollUp(3_600_000, 0, 2, is_changed=False)
    return state


def records_of(state: StreamState, next_offset: int) -> list[tuple[bytes, bytes]]:
    return [
        *(window_record(state.stream, window) for window in state.windows.values()),
        *(roll_up_record(state.stream, roll_up) for roll_up in state.roll_ups.values()),
        stream_record(state),
        position_record(next_offset),
    ]


@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_all_of_a_partition_comes_back_in_whatever_order_compaction_left(
    seed: int, order: Random
) -> None:
    state = filled(seed)
    records = records_of(state, 17)
    order.shuffle(records)
    restored = PartitionState()
    for key, value in records:
        restored.take(key, value)
    assert restored.next_offset == 17
    assert restored.streams == {STREAM.to_key(): state}


def test_what_is_restored_goes_on_as_if_nothing_had_been() -> None:
    events = make_events(1, 60, 2)
    log = at_random(events, 1, 2)
    whole, restored = StreamState(STREAM), PartitionState()
    for partial in log:
        whole.apply(partial, SMALL, WAY, 1, 0)
        restored.of(STREAM).apply(partial, SMALL, WAY, 1, 0)
        for window in restored.of(STREAM).windows.values():
            window.pack(WAY)
        again = PartitionState()
        for key, value in records_of(restored.of(STREAM), 0):
            again.take(key, value)
        restored = again
    found = restored.of(STREAM)
    assert found.covered == whole.covered
    assert found.counters == whole.counters
    for start, window in whole.windows.items():
        np.testing.assert_array_equal(
            found.windows[start].unpacked(SMALL, WAY), window.unpacked(SMALL, WAY)
        )


def test_a_tombstone_takes_a_window_and_a_roll_up_away() -> None:
    state, restored = filled(2), PartitionState()
    for key, value in records_of(state, 1):
        restored.take(key, value)
    start = min(state.windows)
    restored.take(window_key(STREAM, start), None)
    restored.take(window_key(STREAM, start), None)
    restored.take(roll_up_key(STREAM, 3_600_000, 0), None)
    found = restored.of(STREAM)
    assert found.windows.keys() == state.windows.keys() - {start}
    assert not found.roll_ups


@given(st.data())
def test_a_damaged_value_is_refused_with_a_remedy(data: st.DataObject) -> None:
    records = records_of(filled(3), 5)
    key, value = data.draw(st.sampled_from(records))
    at = data.draw(st.integers(0, len(value) - 1))
    damaged = bytearray(value)
    damaged[at] ^= data.draw(st.integers(1, 255))
    for bad in (bytes(damaged), value[:at]):
        with pytest.raises(FatalError, match="delete its records"):
            PartitionState().take(key, bad)


def test_a_format_of_a_later_version_is_told_as_such() -> None:
    _, value = position_record(1)
    with pytest.raises(FatalError, match="has format 2, this stream-app reads 1"):
        PartitionState().take(POSITION_KEY, b"\x02" + value[1:])


@pytest.mark.parametrize("key", [None, b"", b"other/model", b"\xff", b"window/a/b/1", b"window"])
def test_a_key_that_is_none_of_ours_is_refused(key: bytes | None) -> None:
    _, value = position_record(1)
    with pytest.raises(FatalError, match="damaged"):
        PartitionState().take(key, value)


def test_a_value_of_another_shape_is_refused_though_its_checksum_is_right() -> None:
    for text in (b"{}", b"[]", b'{"next":"x"}'):
        body = len(text).to_bytes(4, "big") + text
        value = b"\x01" + zlib.crc32(body).to_bytes(4, "big") + body
        with pytest.raises(FatalError, match="damaged"):
            PartitionState().take(POSITION_KEY, value)


def test_a_state_of_another_reference_is_refused() -> None:
    state = filled(4)
    window = state.windows[max(state.windows)]
    window.packed = b"\xfe\xff\x03\x02"
    with pytest.raises(FatalError, match="does not fit its reference"):
        window.unpacked(SMALL, WAY)
