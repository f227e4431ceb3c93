"""Laws of the strict walk: it accepts what a writer writes, and nothing that is not a value."""

import json
import struct
from io import BytesIO
from typing import Any

import fastavro
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stream_app.core.avro.canonical import canonical_form
from stream_app.core.avro.gates import Rejection, admit
from stream_app.core.avro.wire import Walk, WireError
from stream_app.core.faults import Fault
from tests.avro_kit import admitted, schemas_with_values, written


def _fault(schema: Any, value: bytes) -> Fault:
    try:
        Walk(admitted(json.dumps(schema))).check(value, 0)
    except WireError as exc:
        return exc.fault
    return Fault.NONE


_ENUM = {"type": "enum", "name": "E", "symbols": ["A", "B"]}


@pytest.mark.parametrize(
    ("schema", "value", "fault"),
    [
        ("int", b"\x01", Fault.NONE),
        ("int", b"", Fault.DECODE_ERROR),
        ("int", b"\x80", Fault.DECODE_ERROR),
        ("int", b"\xff\xff\xff\xff\x0f", Fault.NONE),
        ("int", b"\x80\x80\x80\x80\x10", Fault.OUT_OF_RANGE),
        ("int", b"\x80\x80\x80\x80\x80\x00", Fault.OUT_OF_RANGE),
        ("int", b"\x80\x00", Fault.NONE),  # some writers keep room for a longer number
        ("int", b"\x02\x00", Fault.TRAILING_BYTES),
        ("long", b"\xff" * 9 + b"\x01", Fault.NONE),
        ("long", b"\xff" * 9 + b"\x02", Fault.OUT_OF_RANGE),
        ("long", b"\x80" * 19 + b"\x00", Fault.OUT_OF_RANGE),
        ("boolean", b"\x01", Fault.NONE),
        ("boolean", b"\x07", Fault.OUT_OF_RANGE),
        ("boolean", b"", Fault.DECODE_ERROR),
        ("double", b"1234567", Fault.DECODE_ERROR),
        ("string", b"\x04\xc3\xa9", Fault.NONE),
        ("string", b"\x02\xc3", Fault.DECODE_ERROR),
        ("string", b"\x04\xed\xa0", Fault.DECODE_ERROR),
        ("string", b"\x01", Fault.DECODE_ERROR),
        ("bytes", b"\x04\xc3\xff", Fault.NONE),
        ("bytes", b"\x06ab", Fault.DECODE_ERROR),
        (_ENUM, b"\x02", Fault.NONE),
        (_ENUM, b"\x04", Fault.BAD_ENUM),
        (_ENUM, b"\x01", Fault.BAD_ENUM),
        (["null", "int"], b"\x00", Fault.NONE),
        (["null", "int"], b"\x04", Fault.DECODE_ERROR),
        (["null", "int"], b"\x01\x02", Fault.DECODE_ERROR),
        ({"type": "array", "items": "int"}, b"\x04\x02\x02\x00", Fault.NONE),
        ({"type": "array", "items": "int"}, b"\x03\x04\x02\x02\x00", Fault.NONE),
        ({"type": "array", "items": "int"}, b"\x03\x03\x02\x02\x00", Fault.DECODE_ERROR),
        ({"type": "array", "items": "int"}, b"\x04\x02\x02", Fault.DECODE_ERROR),
        ({"type": "map", "values": "int"}, b"\x02\x02a\x02\x00", Fault.NONE),
        ({"type": "map", "values": "int"}, b"\x02\x02\xff\x02\x00", Fault.DECODE_ERROR),
    ],
)
def test_each_kind_of_bytes_has_its_fault(schema: Any, value: bytes, fault: Fault) -> None:
    assert _fault(schema, value) is fault


@pytest.mark.parametrize("length", [2**40, 2**62, -1, -(2**62)])
@pytest.mark.parametrize("schema", ["string", "bytes", {"type": "array", "items": "int"}])
def test_impossible_lengths_are_refused_at_once(schema: Any, length: int) -> None:
    zigzag = (length << 1) ^ (length >> 63)
    value = bytearray()
    while zigzag >= 0x80:
        value.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    assert _fault(schema, bytes([*value, zigzag])) is Fault.DECODE_ERROR


def test_the_detail_names_the_field_and_no_value() -> None:
    inner = {"type": "record", "name": "In", "fields": [{"name": "age", "type": "int"}]}
    schema = {"type": "record", "name": "Out", "fields": [{"name": "customer", "type": inner}]}
    with pytest.raises(WireError) as caught:
        Walk(admitted(json.dumps(schema))).check(b"\xaa\xaa\xaa\xaa\x7f", 0)
    assert caught.value.detail == "field 'customer.age': an integer of more than 32 bits"


@given(schemas_with_values())
def test_what_a_writer_writes_is_accepted(drawn: tuple[str, Any]) -> None:
    text, value = drawn
    assume(not isinstance(admit(text), Rejection))
    Walk(admitted(text)).check(written(text, value), 0)


@given(schemas_with_values(), st.data())
def test_no_part_of_a_value_and_no_more_than_it_is_accepted(
    drawn: tuple[str, Any], data: st.DataObject
) -> None:
    text, value = drawn
    assume(not isinstance(admit(text), Rejection))
    whole = written(text, value)
    walk = Walk(admitted(text))
    with pytest.raises(WireError) as caught:
        walk.check(whole + b"\x00", 0)
    assert caught.value.fault is Fault.TRAILING_BYTES
    if whole:
        cut = data.draw(st.integers(0, len(whole) - 1))
        with pytest.raises(WireError):
            walk.check(whole[:cut], 0)


@given(schemas_with_values(), st.data())
def test_a_flipped_value_is_refused_or_reads_to_its_end(
    drawn: tuple[str, Any], data: st.DataObject
) -> None:
    text, value = drawn
    assume(not isinstance(admit(text), Rejection))
    flipped = bytearray(written(text, value))
    assume(flipped)
    at = data.draw(st.integers(0, len(flipped) - 1))
    flipped[at] ^= data.draw(st.integers(1, 255))
    try:
        Walk(admitted(text)).check(bytes(flipped), 0)
    except WireError:
        return
    # The independent reader agrees that it is one whole value.
    reader = BytesIO(bytes(flipped))
    library = fastavro.parse_schema(json.loads(canonical_form(admitted(text))))
    fastavro.schemaless_reader(reader, library, None)
    assert reader.tell() == len(flipped)


@given(st.integers(-(2**63), 2**63 - 1))
def test_longs_of_every_length_are_accepted(number: int) -> None:
    assert _fault("long", written('"long"', number)) is Fault.NONE


def test_floats_are_any_bytes() -> None:
    assert _fault("float", struct.pack("<f", float("nan"))) is Fault.NONE
