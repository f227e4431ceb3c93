"""Laws of framing: what is written is read, and everything else is a named fault."""

import uuid
from collections.abc import Sequence

import pytest
from confluent_kafka.schema_registry import (
    header_schema_id_serializer,
    prefix_schema_id_serializer,
)
from confluent_kafka.schema_registry.serde import SchemaId
from confluent_kafka.serialization import MessageField, SerializationContext
from hypothesis import given
from hypothesis import strategies as st

from stream_app.core.avro.framing import (
    Framed,
    Misframed,
    confluent_prefix,
    guid_header,
    key_name,
    read_confluent,
    read_single_object,
    single_object_prefix,
)
from stream_app.core.columns import Header
from stream_app.core.faults import Fault

GUID = "89791762-2336-4186-9674-299b90a802e2"
"""The GUID of Confluent's own tests."""


@given(st.integers(0, 2**32 - 1), st.binary(min_size=1))
def test_a_prefix_is_read_as_written(schema_id: int, payload: bytes) -> None:
    assert read_confluent(confluent_prefix(schema_id) + payload) == Framed(schema_id, 5)


@given(st.binary(min_size=8, max_size=8), st.binary(min_size=1))
def test_a_single_object_is_read_as_written(fingerprint: bytes, payload: bytes) -> None:
    assert read_single_object(single_object_prefix(fingerprint) + payload) == Framed(
        fingerprint, 10
    )


@given(st.uuids(), st.binary(min_size=1))
def test_a_guid_header_is_read_as_written_and_leaves_the_payload_whole(
    guid: uuid.UUID, payload: bytes
) -> None:
    assert read_confluent(payload, [guid_header(str(guid))]) == Framed(str(guid), 0)


def test_framing_is_byte_for_byte_that_of_confluents_serializers() -> None:
    by_id = SchemaId("AVRO", 258)
    assert prefix_schema_id_serializer(b"payload", None, by_id) == confluent_prefix(258) + (
        b"payload"
    )
    headers: list[Header] = []
    context = SerializationContext("events", MessageField.VALUE, headers)
    by_guid = SchemaId("AVRO", 258, GUID)
    assert header_schema_id_serializer(b"payload", context, by_guid) == b"payload"
    assert headers == [guid_header(GUID)]


@pytest.mark.parametrize(
    ("value", "headers", "fault"),
    [
        (b"", [], Fault.TOO_SHORT),
        (b"\x00\x00\x00\x00\x01", [], Fault.TOO_SHORT),
        (b"\x01\x00\x00\x00\x01payload", [], Fault.BAD_MAGIC),
        (b'{"id": "json"}', [], Fault.BAD_MAGIC),
        (b"\xc3\x01\x00\x00\x00payload", [], Fault.BAD_MAGIC),
        (b"", [guid_header(GUID)], Fault.TOO_SHORT),
        (b"payload", [("__value_schema_id", b"")], Fault.BAD_MAGIC),
        (b"payload", [("__value_schema_id", b"\x02" + bytes(16))], Fault.BAD_MAGIC),
        (b"payload", [("__value_schema_id", b"\x01" + bytes(15))], Fault.BAD_MAGIC),
        (b"payload", [("__value_schema_id", b"\x00" + bytes(16))], Fault.BAD_MAGIC),
    ],
)
def test_misframed_values_have_their_fault(
    value: bytes, headers: Sequence[Header], fault: Fault
) -> None:
    found = read_confluent(value, headers)
    assert isinstance(found, Misframed)
    assert found.fault is fault


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (b"", Fault.TOO_SHORT),
        (b"\xc3\x0112345678", Fault.TOO_SHORT),
        (b"\xc3\x0212345678payload", Fault.BAD_MAGIC),
        (b"\x00\x00\x00\x00\x01 a payload", Fault.BAD_MAGIC),
    ],
)
def test_misframed_single_objects_have_their_fault(value: bytes, fault: Fault) -> None:
    found = read_single_object(value)
    assert isinstance(found, Misframed)
    assert found.fault is fault


def test_a_header_may_hold_an_id_and_null_means_that_there_is_none() -> None:
    assert read_confluent(b"p", [("__value_schema_id", confluent_prefix(7))]) == Framed(7, 0)
    prefixed = confluent_prefix(7) + b"p"
    assert read_confluent(prefixed, [("__value_schema_id", None), ("other", b"x")]) == Framed(7, 5)


@given(st.binary(max_size=30), st.lists(st.tuples(st.just("__value_schema_id"), st.binary())))
def test_any_bytes_are_framed_or_misframed(value: bytes, headers: list[Header]) -> None:
    for found in (read_confluent(value, headers), read_single_object(value)):
        assert isinstance(found, Misframed) or 0 <= found.start < len(value)


def test_keys_have_names_for_people() -> None:
    assert [key_name(key) for key in (7, GUID, b"\x01" * 8)] == ["7", GUID, "01" * 8]
