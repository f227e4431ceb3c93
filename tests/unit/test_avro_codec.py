"""Laws of the tools' codec: what it encodes it decodes, and it shows nothing broken as good."""

import datetime as dt
import decimal
import json
import uuid
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stream_app.adapters.avro.codec import AvroCodec, UndecodableError
from stream_app.core.avro.framing import guid_header
from stream_app.core.avro.gates import Rejection, admit
from stream_app.core.avro.store import WriterSchema
from stream_app.core.faults import Fault
from stream_app.errors import ConfigError, RetriableError
from stream_app.settings import Framing
from tests.avro_kit import (
    MemoryStore,
    confluent,
    event_schema,
    schemas_with_values,
    single_object,
    written,
)

TIME = {"type": "long", "logicalType": "timestamp-millis"}
MONEY = {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2}
TEXT = event_schema(
    {"name": "at", "type": TIME},
    {"name": "price", "type": MONEY},
    {"name": "key", "type": {"type": "string", "logicalType": "uuid"}},
)
EVENT = {
    "id": "a",
    "at": dt.datetime(2024, 5, 6, 7, 8, 9, tzinfo=dt.UTC),
    "price": decimal.Decimal("12.34"),
    "key": uuid.UUID(int=3),
}


def _codec(framing: Framing = Framing.CONFLUENT) -> AvroCodec:
    key = single_object(TEXT, b"")[2:]
    return AvroCodec(MemoryStore({7: WriterSchema(TEXT), key: WriterSchema(TEXT)}), framing)


@pytest.mark.parametrize("framing", Framing)
def test_what_is_encoded_is_decoded_with_logical_types(framing: Framing) -> None:
    codec = _codec(framing)
    assert codec.decode(codec.encode(TEXT, EVENT, schema_id=7)) == EVENT


def test_values_under_a_guid_header_are_decoded() -> None:
    guid = str(uuid.uuid4())
    codec = AvroCodec(MemoryStore({guid: WriterSchema(event_schema())}), Framing.CONFLUENT)
    assert codec.decode(b"\x02a", [guid_header(guid)]) == {"id": "a"}


def test_references_are_known() -> None:
    money = '{"type": "record", "name": "Money", "fields": [{"name": "cents", "type": "long"}]}'
    bill = event_schema({"name": "sum", "type": "Money"})
    codec = AvroCodec(MemoryStore({7: WriterSchema(bill, (money,))}), Framing.CONFLUENT)
    assert codec.decode(confluent(7, b"\x02a\x06")) == {"id": "a", "sum": {"cents": 3}}


@given(schemas_with_values())
def test_any_record_of_any_schema_survives(drawn: tuple[str, Any]) -> None:
    text, value = drawn
    assume(not isinstance(admit(text), Rejection))
    codec = AvroCodec(MemoryStore({7: WriterSchema(text)}), Framing.CONFLUENT)
    payload = written(text, value)
    assume(payload)  # a value without bytes is no record to us: TOO_SHORT
    framed = codec.encode(text, value, schema_id=7)
    assert framed == confluent(7, payload)
    assert isinstance(codec.decode(framed), dict)


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (None, Fault.TOMBSTONE),
        (b"", Fault.TOO_SHORT),
        (b"not framed", Fault.BAD_MAGIC),
        (confluent(8, b"x"), Fault.UNKNOWN_SCHEMA),
        (confluent(7, b"\x02a"), Fault.DECODE_ERROR),
        (_codec().encode(TEXT, EVENT, schema_id=7) + b"x", Fault.TRAILING_BYTES),
        (confluent(7, b"\x02a" + b"\x80" * 9 + b"\x01" + b"\x00\x00"), Fault.BAD_LOGICAL_VALUE),
        (confluent(7, b"\x02a\x00\x00\x02x"), Fault.BAD_LOGICAL_VALUE),
    ],
)
def test_what_is_no_record_says_why(value: bytes | None, fault: Fault) -> None:
    with pytest.raises(UndecodableError) as caught:
        _codec().decode(value)
    assert caught.value.fault is fault
    assert caught.value.detail
    assert str(caught.value).startswith(fault.name)


def test_hostile_schemas_are_refused_by_tools_too() -> None:
    loop = event_schema({"name": "next", "type": ["null", "test.Event"]})
    codec = AvroCodec(MemoryStore({7: WriterSchema(loop)}), Framing.CONFLUENT)
    with pytest.raises(UndecodableError, match="SCHEMA_RECURSIVE"):
        codec.decode(confluent(7, b"\x02a\x02" * 20_000))
    with pytest.raises(ConfigError, match="contains itself"):
        codec.encode(loop, {"id": "a", "next": None}, schema_id=7)


def test_a_record_that_does_not_fit_is_told_without_its_values() -> None:
    for record in ({}, EVENT | {"at": "canary"}, EVENT | {"price": decimal.Decimal("1.234")}):
        with pytest.raises(ValueError, match="does not fit its schema") as caught:
            _codec().encode(TEXT, record, schema_id=7)
        assert "canary" not in str(caught.value)


def test_confluent_framing_needs_an_id() -> None:
    with pytest.raises(ConfigError, match="id"):
        _codec().encode(TEXT, EVENT)


def test_a_store_that_is_away_is_passed_on() -> None:
    codec = AvroCodec(MemoryStore({7: RetriableError("away")}), Framing.CONFLUENT)
    with pytest.raises(RetriableError):
        codec.decode(confluent(7, b"x"))


@given(st.binary(max_size=60), st.sampled_from(list(Framing)))
def test_any_bytes_are_a_record_or_a_named_fault(value: bytes, framing: Framing) -> None:
    try:
        record = _codec(framing).decode(value)
    except UndecodableError:
        return
    assert json.dumps(record, default=str)
