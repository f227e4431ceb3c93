"""Laws of dead letters: the record as it came, its reason beside it, and never its payload."""

import hashlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_app.core.columns import BytesColumn, EventBatch, Header, OutputBatch, RecordBatch
from stream_app.core.dead_letters import Origin, dead_letters
from stream_app.core.faults import Fault


def origin(limit: int = 1_000_000) -> Origin:
    return Origin("events.dlq", "scorers", "1.2.3", "host", "loans", "7", limit)


def bury(
    key: bytes | None,
    value: bytes | None,
    headers: list[Header],
    *,
    limit: int = 1_000_000,
    fault: Fault = Fault.DECODE_ERROR,
    detail: str = "field x is truncated",
) -> OutputBatch:
    records = RecordBatch(
        topic="events",
        values=BytesColumn.of([b"good", value]),
        keys=BytesColumn.of([None, key]),
        partition=np.array([0, 3], dtype=np.int32),
        offset=np.array([5, 77], dtype=np.int64),
        timestamp_ms=np.array([1, 1_600_000_000_123], dtype=np.int64),
        timestamp_type=np.array([1, 1], dtype=np.int8),
        headers={1: headers} if headers else {},
    )
    events = EventBatch(
        tensors={},
        kinds=np.zeros((2, 0), dtype=np.uint8),
        event_time_ms=np.zeros(2, dtype=np.int64),
        ids=BytesColumn.of([b"a", b""]),
        schema=np.array([0, 0], dtype=np.int32),
        schema_names=["42"],
        fault=np.array([0, fault], dtype=np.uint16),
    )
    return dead_letters(origin(limit), records, events, events.fault, {1: detail})


def fields(letters: OutputBatch) -> dict[str, str]:
    return {name: (value or b"").decode(errors="replace") for name, value in letters.headers[0]}


def test_only_faulty_rows_die_and_their_bytes_are_untouched() -> None:
    letters = bury(b"key", b"\x00broken", [("trace", b"abc"), ("trace", b"def")])
    assert letters.rows.tolist() == [1]
    assert list(letters.values) == [b"\x00broken"]
    assert list(letters.keys) == [b"key"]
    assert letters.partition.tolist() == [3]
    assert letters.timestamp_ms.tolist() == [1_600_000_000_123]
    assert list(letters.headers[0])[:2] == [("trace", b"abc"), ("trace", b"def")]


def test_both_header_families_say_where_and_why() -> None:
    found = fields(bury(None, b"x", []))
    assert found["err.code"] == "DECODE_ERROR"
    assert found["err.stage"] == "decode"
    assert found["err.message"] == "field x is truncated"
    assert (found["err.topic"], found["err.partition"], found["err.offset"]) == (
        "events",
        "3",
        "77",
    )
    assert found["err.timestamp_type"] == "CreateTime"
    assert (found["err.model"], found["err.model_version"], found["err.schema_id"]) == (
        "loans",
        "7",
        "42",
    )
    assert found["err.attempt"] == "1"
    assert found["__connect.errors.topic"] == "events"
    assert found["__connect.errors.exception.class.name"] == "DECODE_ERROR"


def test_a_tombstone_stays_null() -> None:
    assert list(bury(b"key", None, [], fault=Fault.TOMBSTONE).values) == [None]


def test_a_replayed_record_counts_its_attempts_and_keeps_one_set_of_reasons() -> None:
    first = bury(b"key", b"x", [("own", b"1")])
    again = bury(b"key", b"x", [h for h in first.headers[0] if h[0] in {"own", "err.attempt"}])
    names = [name for name, _ in again.headers[0]]
    assert fields(again)["err.attempt"] == "2"
    assert names.count("err.attempt") == 1
    assert names.count("own") == 1


@given(
    st.binary(max_size=30_000),
    st.binary(max_size=30_000),
    st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=10_000)), max_size=4),
)
def test_a_dead_letter_always_fits_and_says_what_was_cut(
    key: bytes, value: bytes, headers: list[tuple[str, bytes]]
) -> None:
    limit = 20_000
    letters = bury(key, value, list(headers), limit=limit)
    size = sum(len(n.encode()) + len(v or b"") + 10 for n, v in letters.headers[0])
    kept_key, kept_value = letters.keys[0] or b"", letters.values[0] or b""
    assert size + len(kept_key) + len(kept_value) <= limit
    found = fields(letters)
    if kept_value != value:
        assert found["err.truncated"] == "true"
        assert found["err.value_length"] == str(len(value))
        assert found["err.value_sha256"] == hashlib.sha256(value).hexdigest()
        assert value.startswith(kept_value)
    if kept_key != key:
        assert found["err.key_sha256"] == hashlib.sha256(key).hexdigest()


def test_a_reason_that_is_no_text_does_not_keep_a_record_from_dying() -> None:
    found = fields(bury(b"k", b"v", [], detail="logical type \ud800"))
    assert found["err.message"] == "logical type ?"


def test_messages_are_bounded() -> None:
    records = bury(b"k", b"v", [], detail="long " * 1_000)
    assert all(len(value or b"") <= 1024 for _, value in records.headers[0])
