"""What every decoder owes the path: for each bad row its fault, and no harm to its neighbours.

The table of faults is the one place where bytes and codes meet.
"""

import json
import math
import struct
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stream_app.core.avro.store import WriterSchema
from stream_app.core.columns import Kind
from stream_app.core.contract import (
    DType,
    Encoding,
    Feature,
    OnNull,
    OnUnseen,
)
from stream_app.core.faults import Fault
from stream_app.settings import Framing
from tests.avro_kit import (
    MemoryStore,
    batch,
    confluent,
    contract_of,
    event_schema,
    record_schema,
    written,
)
from tests.decoders import (
    CODED,
    COLORS,
    DECIMAL,
    MAX_VALUE_BYTES,
    TIME,
    UUID,
    Maker,
    decode,
    each_decoder,
    faults,
)

pytestmark = each_decoder


def _payload(rest: bytes) -> bytes:
    return b"\x02a" + rest


# Rows of the specification's table that are about the bytes of one value.
BYTES = [
    ("truncated", "double", Feature("f"), b"1234567", Fault.DECODE_ERROR),
    ("a length of 2^40", "string", CODED, b"\x80" * 5 + b"\x40", Fault.DECODE_ERROR),
    ("a length of 2^62", "string", CODED, b"\x80" * 9 + b"\x01", Fault.DECODE_ERROR),
    ("a negative length", "string", CODED, b"\x01", Fault.DECODE_ERROR),
    ("trailing bytes", "boolean", Feature("f"), b"\x01\x00", Fault.TRAILING_BYTES),
    ("invalid UTF-8", "string", CODED, b"\x02\xff", Fault.DECODE_ERROR),
    ("a bad union index", ["null", "int"], Feature("f"), b"\x04\x02", Fault.DECODE_ERROR),
    ("a negative union index", ["null", "int"], Feature("f"), b"\x01\x02", Fault.DECODE_ERROR),
    ("a bad enum index", COLORS, CODED, b"\x04", Fault.BAD_ENUM),
    ("an enum index of -1", COLORS, CODED, b"\x01", Fault.BAD_ENUM),
    ("an int of 33 bits", "int", Feature("f"), b"\x80\x80\x80\x80\x10", Fault.OUT_OF_RANGE),
    ("a varint of 20 bytes", "long", Feature("f"), b"\x80" * 19 + b"\x00", Fault.OUT_OF_RANGE),
    ("a boolean of 7", "boolean", Feature("f"), b"\x07", Fault.OUT_OF_RANGE),
    ("a decimal over precision", DECIMAL, Feature("f"), b"\x04\x27\x10", Fault.OUT_OF_RANGE),
    ("an impossible time", TIME, Feature("f"), b"\x80" * 9 + b"\x01", Fault.BAD_LOGICAL_VALUE),
    ("NaN", "double", Feature("f"), struct.pack("<d", math.nan), Fault.NON_FINITE),
    ("infinity", "double", Feature("f"), struct.pack("<d", math.inf), Fault.NON_FINITE),
    ("1e308 into float32", "double", Feature("f"), struct.pack("<d", 1e308), Fault.NON_FINITE),
    ("null", ["null", "int"], Feature("f"), b"\x00", Fault.MISSING_FEATURE),
    ("another branch", ["int", "string"], Feature("f"), b"\x02\x02x", Fault.WRONG_TYPE),
    (
        "an array of another size",
        {"type": "array", "items": "float"},
        Feature("f", shape=(2,)),
        b"\x02\x00\x00\x00\x00\x00",
        Fault.WRONG_SHAPE,
    ),
    (
        "raw bytes of another size",
        "bytes",
        Feature("f", shape=(2,), encoding=Encoding.RAW),
        b"\x02\x00",
        Fault.WRONG_SHAPE,
    ),
    (
        "an unseen category",
        "string",
        replace(CODED, on_unseen=OnUnseen.DEAD_LETTER),
        b"\x08BLUE",
        Fault.UNSEEN_CATEGORY,
    ),
]


@pytest.mark.parametrize(
    ("schema", "feature", "value", "fault"),
    [row[1:] for row in BYTES],
    ids=[row[0] for row in BYTES],
)
def test_bad_bytes_have_their_fault_and_spare_their_neighbours(
    make: Maker, schema: Any, feature: Feature, value: bytes, fault: Fault
) -> None:
    text = event_schema({"name": "f", "type": schema})
    good = _good_value(schema, feature)
    whole = written(text, {"id": "a", "f": good})
    events = decode(make, contract_of(feature), text, whole, _payload(value), whole)
    assert faults(events) == [Fault.NONE, fault, Fault.NONE]
    assert list(events.ids)[::2] == [b"a", b"a"]
    assert "'f'" in events.fault_detail[1] or fault is Fault.TRAILING_BYTES


def _good_value(schema: Any, feature: Feature) -> Any:
    if feature.shape:
        return bytes(8) if schema == "bytes" else [0.0, 0.0]
    if isinstance(schema, list):
        return 1
    return _GOOD[schema if isinstance(schema, str) else schema["type"]]


_GOOD: dict[str, Any] = {
    "double": 1.0,
    "string": "RED",
    "boolean": True,
    "int": 1,
    "long": 1,
    "bytes": b"\x01",
    "enum": "RED",
}


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (None, Fault.TOMBSTONE),
        (b"", Fault.TOO_SHORT),
        (b"\x00\x00\x00\x00\x01", Fault.TOO_SHORT),
        (b"\x02\x00\x00\x00\x01payload", Fault.BAD_MAGIC),
        (confluent(0, b"payload"), Fault.UNKNOWN_SCHEMA),
        (confluent(99, b"payload"), Fault.UNKNOWN_SCHEMA),
        (confluent(2, b"payload"), Fault.SCHEMA_NOT_ALLOWED),
        (confluent(3, b"payload"), Fault.SCHEMA_RECURSIVE),
        (confluent(4, b"payload"), Fault.SCHEMA_ZERO_WIDTH_ITEMS),
        (confluent(5, b"payload"), Fault.SCHEMA_LIMIT),
        (confluent(6, b"payload"), Fault.SCHEMA_INCOMPATIBLE),
        (confluent(7, b"payload"), Fault.SCHEMA_INCOMPATIBLE),
        (confluent(1, bytes(MAX_VALUE_BYTES)), Fault.TOO_LARGE),
    ],
)
def test_what_cannot_be_read_at_all_has_its_fault(
    make: Maker, value: bytes | None, fault: Fault
) -> None:
    good = event_schema({"name": "f", "type": "double"})
    nulls = {"type": "array", "items": "null"}
    store = MemoryStore(
        {
            1: WriterSchema(good),
            2: WriterSchema(record_schema([{"name": "id", "type": "string"}], "test.Other")),
            3: WriterSchema(event_schema({"name": "next", "type": ["null", "test.Event"]})),
            4: WriterSchema(event_schema({"name": "f", "type": nulls})),
            5: WriterSchema(
                event_schema(*({"name": f"f{i}", "type": "int"} for i in range(5_001)))
            ),
            6: WriterSchema(event_schema({"name": "f", "type": "string"})),
            7: WriterSchema("no schema"),
        }
    )
    whole = confluent(1, written(good, {"id": "a", "f": 1.0}))
    decoder = make(contract_of(Feature("f")), store, Framing.CONFLUENT)
    events = decoder.decode(batch([whole, value, whole]))
    assert faults(events) == [Fault.NONE, fault, Fault.NONE]
    assert events.tensors["x"][::2].tolist() == [[1.0], [1.0]]


def test_values_at_the_size_limit_are_read(make: Maker) -> None:
    text = event_schema({"name": "f", "type": "double"})
    payload = written(text, {"id": "a" * (MAX_VALUE_BYTES - 5 - 2 - 8), "f": 1.0})
    assert len(payload) == MAX_VALUE_BYTES - 5
    assert faults(decode(make, contract_of(Feature("f")), text, payload)) == [Fault.NONE]


def test_missing_and_extra_fields_are_told_apart(make: Maker) -> None:
    text = event_schema({"name": "other", "type": "double"})
    payload = written(text, {"id": "a", "other": 1.0})
    required = contract_of(Feature("f"), Feature("g"))
    events = decode(make, required, text, payload)
    assert faults(events) == [Fault.SCHEMA_INCOMPATIBLE]
    assert "'f'" in events.fault_detail[0]
    assert "'g'" in events.fault_detail[0]
    optional = contract_of(
        Feature("f", on_null=OnNull.NAN), Feature("g", on_null=OnNull.DEFAULT, default=7.0)
    )
    events = decode(make, optional, text, payload)
    assert faults(events) == [Fault.NONE]
    np.testing.assert_array_equal(events.tensors["x"], [[math.nan, 7.0]])
    assert events.kinds.tolist() == [[Kind.NULL, Kind.NULL]]


@pytest.mark.parametrize(
    ("dtype", "schema", "value", "fault"),
    [
        (DType.UINT8, "int", 256, Fault.OUT_OF_RANGE),
        (DType.UINT8, "int", -1, Fault.OUT_OF_RANGE),
        (DType.STRING, "bytes", b"\xff", Fault.WRONG_TYPE),
        (DType.STRING, UUID, "no uuid", Fault.BAD_LOGICAL_VALUE),
        (DType.STRING, ["null", "string"], None, Fault.MISSING_FEATURE),
    ],
)
def test_values_that_do_not_fit_their_tensor_have_their_fault(
    make: Maker, dtype: DType, schema: Any, value: Any, fault: Fault
) -> None:
    text = event_schema({"name": "f", "type": schema})
    payload = written(text, {"id": "a", "f": value})
    assert faults(decode(make, contract_of(Feature("f"), dtype=dtype), text, payload)) == [fault]


@pytest.mark.parametrize(
    ("dtype", "schema"),
    [
        (DType.FLOAT32, "string"),
        (DType.FLOAT32, {"type": "map", "values": "float"}),
        (DType.FLOAT32, {"type": "array", "items": "float"}),
        (DType.FLOAT32, "bytes"),
        (DType.INT64, "float"),
        (DType.INT64, DECIMAL),
        (DType.UINT8, "double"),
        (DType.BOOL, "int"),
        (DType.STRING, "int"),
        (DType.FLOAT32, "null"),
    ],
)
def test_lossy_or_meaningless_readings_are_refused_before_rows(
    make: Maker, dtype: DType, schema: Any
) -> None:
    text = event_schema({"name": "f", "type": schema})
    events = decode(make, contract_of(Feature("f"), dtype=dtype), text, b"\x02a")
    assert faults(events) == [Fault.SCHEMA_INCOMPATIBLE]
    assert "field 'f': expected" in events.fault_detail[0]


@pytest.mark.parametrize("schema", ["long", "string", {"type": "int", "logicalType": "date"}])
def test_a_time_without_a_unit_is_refused_before_rows(make: Maker, schema: Any) -> None:
    text = event_schema({"name": "at", "type": schema})
    events = decode(make, contract_of(time_field="at"), text, b"\x02a\x00")
    assert faults(events) == [Fault.SCHEMA_INCOMPATIBLE]


def test_details_never_show_values(make: Maker) -> None:
    secret = "canary-4711"
    text = event_schema({"name": "f", "type": "string"}, {"name": "g", "type": "double"})
    contract = contract_of(
        replace(CODED, on_unseen=OnUnseen.DEAD_LETTER), Feature("g"), id_field="id"
    )
    payload = written(text, {"id": secret, "f": secret, "g": 4711.0})
    rows: Sequence[bytes] = [payload, payload[:-1], payload + b"x"]
    events = decode(make, contract, text, *rows)
    assert 0 not in events.fault
    assert not any("4711" in detail for detail in events.fault_detail.values())
    assert "4711" not in json.dumps(list(events.schema_names))
