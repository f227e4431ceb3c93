"""The codecs of partials and windows: what was written is what is read, and nothing else is."""

import json
from dataclasses import replace
from pathlib import Path

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.adapters.drift.partial_codec import PartialCodec, encode_partial
from stream_app.adapters.drift.window_codec import WindowCodec
from stream_app.core.columns import NO_TIMESTAMP, BytesColumn
from stream_app.core.drift.merge import partial_fault
from stream_app.core.drift.partial import Coverage, Form, Partial, Stream, WindowDelta
from stream_app.core.drift.report_window import WindowCounts, report_window
from stream_app.core.drift.window_report import WindowHead, WindowReport
from stream_app.core.faults import Fault
from stream_app.ports_drift import Unreadable
from tests.aggregate_kit import STREAM, at_random, counted_at_once, make_events
from tests.drift_kit import SMALL
from tests.window_records import read_window

LONGS = st.integers(0, (1 << 62) - 1)
LETTERS = st.dictionaries(st.integers(0, 1_000), LONGS, max_size=4)
NAMES = st.text(st.characters(blacklist_characters="/", blacklist_categories=["Cs"]), min_size=1)


@st.composite
def partials(draw: st.DrawFn) -> Partial:
    width = draw(st.integers(1, 1 << 40))
    parts = draw(st.integers(1, 1 << 30))
    numbers = draw(st.lists(st.integers(0, 1 << 30), unique=True, min_size=1, max_size=4))
    starts = draw(st.lists(st.integers(-1_000, 1_000), unique=True, max_size=4))
    firsts = [draw(LONGS) for _ in numbers]
    return Partial(
        stream=Stream(draw(NAMES), draw(NAMES), draw(NAMES), draw(NAMES), width),
        instance=draw(st.text(st.characters(blacklist_categories=["Cs"]))),
        part=draw(st.integers(0, parts - 1)),
        parts=parts,
        coverage=tuple(
            Coverage(n, first, first + draw(st.integers(0, 9)), draw(LONGS | st.just(NO_TIMESTAMP)))
            for n, first in zip(numbers, firsts, strict=True)
        ),
        windows=tuple(
            WindowDelta(
                start * width,
                draw(LONGS),
                draw(LETTERS),
                draw(st.sampled_from(Form)),
                draw(st.binary(max_size=50)),
            )
            for start in starts
        ),
        rows_without_time=draw(LONGS),
        letters_without_time=draw(LETTERS),
    )


def decoded(*values: bytes | None) -> list[Partial | Unreadable]:
    return list(PartialCodec().decode(BytesColumn.of(values)))


def fault_of(found: Partial | Unreadable) -> Fault:
    assert isinstance(found, Unreadable), found
    return found.fault


@given(partials())
def test_a_partial_comes_back_as_it_was(partial: Partial) -> None:
    assert partial_fault(partial) is None
    assert decoded(encode_partial(partial)) == [partial]


@given(partials(), st.data())
def test_bytes_that_were_cut_or_changed_raise_nothing(
    partial: Partial, data: st.DataObject
) -> None:
    value = bytearray(encode_partial(partial))
    at = data.draw(st.integers(0, len(value) - 1))
    assert isinstance(decoded(bytes(value[:at]))[0], Unreadable)
    value[at] ^= data.draw(st.integers(1, 255))
    (found,) = decoded(bytes(value))
    # What is read is possible at least; whether it is right only its counts can tell.
    assert isinstance(found, Unreadable) or partial_fault(found) is None


def test_each_sort_of_bytes_has_its_fault() -> None:
    (good, *_) = at_random(make_events(1, 30, 1), 1, 1)
    value = encode_partial(good)
    bad_form = replace(good.windows[0], form=7)  # type: ignore[arg-type]  # no such form
    found = decoded(
        None,
        b"",
        b"\x00" * 20,
        value[:2] + b"\x00" * 8 + value[10:],
        value + b"\x00",
        encode_partial(replace(good, part=3)),
        encode_partial(replace(good, windows=(bad_form,))),
        value,
    )
    assert [fault_of(answer) for answer in found[:-1]] == [
        Fault.TOMBSTONE,
        Fault.TOO_SHORT,
        Fault.BAD_MAGIC,
        Fault.UNKNOWN_SCHEMA,
        Fault.TRAILING_BYTES,
        Fault.OUT_OF_RANGE,
        Fault.OUT_OF_RANGE,
    ]
    assert found[-1] == good


def counts(rows: int) -> WindowCounts:
    head = WindowHead(STREAM, 0, 1_000, 1, True, True, 2, rows, {11: 3, 999: 1})
    return WindowCounts(head, SMALL.empty(1)[0])


def test_a_window_without_rows_has_nulls_where_there_are_no_numbers() -> None:
    record = read_window(WindowCodec().encode(report_window(SMALL, counts(0), 5)))
    assert record["status"] == "empty"
    assert record["letters"] == [
        {"code": 11, "name": "DECODE_ERROR", "count": 3},
        {"code": 999, "name": "", "count": 1},
    ]
    assert record["threshold"] is None
    for column in record["columns"]:
        assert column["valid"] == 0
        assert column["mean"] is None
        assert {s["value"] for s in column["statistics"]} == {None}
        assert {d["share"] for d in column["defects"]} == {None}


def test_a_window_comes_back_as_it_was() -> None:
    events = make_events(5, 400, 1, span_ms=1)
    state = counted_at_once(events)[0].state
    for rows, empty in ((0, True), (400, False)):
        given = counts(rows)
        given = replace(given, state=given.state if empty else state)
        report = report_window(SMALL, given, 5)
        value = WindowCodec().encode(report)
        found = WindowCodec().decode(value)
        assert isinstance(found, WindowReport)
        assert found.head == report.head
        assert WindowCodec().encode(found) == value


def test_bytes_that_are_no_window_are_said_to_be_none() -> None:
    value = WindowCodec().encode(report_window(SMALL, counts(0), 5))
    for broken, fault in (
        (None, Fault.TOMBSTONE),
        (value[:-1], Fault.DECODE_ERROR),
        (value + b"\x00", Fault.TRAILING_BYTES),
        (encode_partial(at_random(make_events(1, 30, 1), 1, 1)[0]), Fault.UNKNOWN_SCHEMA),
        (value[:10] + b"\x04" + value[11:], Fault.OUT_OF_RANGE),
    ):
        found = WindowCodec().decode(broken)
        assert isinstance(found, Unreadable)
        assert found.fault == fault


@pytest.mark.parametrize("name", ["drift_partial", "drift_window"])
def test_every_field_of_the_published_schemas_is_explained(name: str) -> None:
    path = Path(__file__).parents[2] / "schemas" / f"{name}.avsc"
    schema = json.loads(path.read_text(encoding="utf-8"))
    assert unexplained(schema, name) == []
    fastavro.parse_schema(schema)


def unexplained(node: object, place: str) -> list[str]:
    """Fields without a ``doc``."""
    if isinstance(node, list):
        return [found for item in node for found in unexplained(item, place)]
    if not isinstance(node, dict):
        return []
    own = [f"{place}.{field['name']}" for field in node.get("fields", ()) if not field.get("doc")]
    below = [node.get("items"), node.get("type")]
    return (
        own
        + [f for field in node.get("fields", ()) for f in unexplained(field["type"], field["name"])]
        + [found for item in below for found in unexplained(item, place)]
    )
