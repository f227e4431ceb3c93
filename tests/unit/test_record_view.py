"""Records as lines and JSON: nothing is hidden, nothing breaks the reader."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from stream_app.adapters.kafka.reader import SeenRecord
from stream_app.cli.record_view import (
    Decoded,
    dead_letter_line,
    header_texts,
    iso_time,
    json_document,
    plain,
    table_line,
    text_of,
)
from stream_app.core.columns import NO_TIMESTAMP, Header


def seen(
    value: bytes | None, *headers: Header, key: bytes | None = None, timestamp_ms: int = 0
) -> SeenRecord:
    return SeenRecord("events", 3, 17, timestamp_ms, key, value, headers)


def test_a_decoded_record_is_one_json_document() -> None:
    record = seen(b"..", ("h", b"1"), ("h", None), key=b"k")
    document = json_document(record, Decoded({"a": 1, "t": datetime(2024, 5, 1, tzinfo=UTC)}))
    assert json.loads(json.dumps(document)) == {
        "topic": "events",
        "partition": 3,
        "offset": 17,
        "timestamp_ms": 0,
        "timestamp": "1970-01-01T00:00:00.000Z",
        "key": "k",
        "headers": {"h": ["1", None]},
        "value": {"a": 1, "t": "2024-05-01T00:00:00+00:00"},
    }


def test_what_cannot_be_decoded_is_base64_with_the_reason() -> None:
    document = json_document(seen(b"\x00\xff"), Decoded(None, "BAD_MAGIC: found 0x00"))
    assert document["reason"] == "BAD_MAGIC: found 0x00"
    assert document["value_base64"] == "AP8="
    assert "value" not in document
    assert "base64:AP8= (BAD_MAGIC: found 0x00)" in table_line(
        seen(b"\x00\xff"), Decoded(None, "BAD_MAGIC: found 0x00")
    )


def test_a_tombstone_is_null() -> None:
    assert json_document(seen(None), Decoded(None))["value"] is None
    assert table_line(seen(None), Decoded(None)).endswith("null")


def test_a_record_without_time_has_none() -> None:
    document = json_document(seen(None, timestamp_ms=NO_TIMESTAMP), Decoded(None))
    assert document["timestamp_ms"] is None
    assert document["timestamp"] is None


def test_headers_stand_under_their_record() -> None:
    line = table_line(seen(b".", ("trace", b"abc")), Decoded({"a": 1}))
    assert line.splitlines()[1].strip() == "trace=abc"


def test_a_dead_letter_says_where_from_and_why() -> None:
    headers = [
        ("err.stage", b"decode"),
        ("err.code", b"BAD_MAGIC"),
        ("err.topic", b"events"),
        ("err.partition", b"1"),
        ("err.offset", b"99"),
        ("err.message", b"expected 0x00"),
    ]
    line = dead_letter_line(seen(b"?", *headers), Decoded(None, "BAD_MAGIC"))
    assert "BAD_MAGIC" in line
    assert "events/1/99  expected 0x00" in line
    assert "a=1" in dead_letter_line(seen(b"?", *headers), Decoded({"a": 1}))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, None),
        (b"", ""),
        ("ä€".encode(), "ä€"),
        (b"\xff", "base64:/w=="),
        (b"a\x1b[2J", "base64:YRtbMko="),
    ],
)
def test_bytes_are_text_only_where_a_terminal_can_show_them(
    content: bytes | None, text: str | None
) -> None:
    assert text_of(content) == text


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        (1.5, 1.5),
        (b"\x00", "AA=="),
        (Decimal("1.20"), "1.20"),
        ({"a": (float("inf"), None)}, {"a": ["Infinity", None]}),
    ],
)
def test_a_value_is_what_json_can_hold(value: object, wanted: object) -> None:
    assert plain(value) == wanted
    json.dumps(plain(value), allow_nan=False)


def test_a_time_beyond_the_calendar_is_its_number() -> None:
    assert iso_time(2**62) == str(2**62)


def test_a_name_that_repeats_has_all_its_values() -> None:
    assert header_texts([("a", b"1"), ("b", None), ("a", b"2"), ("a", b"3")]) == {
        "a": ["1", "2", "3"],
        "b": None,
    }
