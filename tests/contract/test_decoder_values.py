"""What every decoder owes the path: for each good row the values that the contract asks for."""

import math
import struct
import uuid
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stream_app.core.avro.store import WriterSchema
from stream_app.core.columns import NO_TIMESTAMP, Kind
from stream_app.core.contract import (
    Contract,
    DType,
    Encoding,
    Feature,
    InputTensor,
    OnNonFinite,
    OnNull,
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
from tests.decoders import COLORS, DECIMAL, UUID, Maker, decode, each_decoder, faults

pytestmark = each_decoder


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ("boolean", True, 1.0),
        ("int", -3, -3.0),
        ("long", 2**40, 2.0**40),
        ("float", 0.5, 0.5),
        ("double", 0.5, 0.5),
        (DECIMAL, b"\xfe\x0c", -5.0),
        (DECIMAL, b"", 0.0),
        (["null", "long"], 4, 4.0),
        (["string", "float", "null"], ("float", 0.5), 0.5),
    ],
)
@pytest.mark.parametrize("dtype", [DType.FLOAT32, DType.FLOAT64])
def test_numbers_are_promoted(
    make: Maker, schema: Any, value: Any, expected: float, dtype: DType
) -> None:
    text = event_schema({"name": "f", "type": schema})
    payload = written(text, {"id": "a", "f": value})
    events = decode(make, contract_of(Feature("f"), dtype=dtype), text, payload)
    assert faults(events) == [Fault.NONE]
    assert events.tensors["x"].dtype == dtype.numpy
    assert events.tensors["x"].tolist() == [[expected]]


@pytest.mark.parametrize(
    ("dtype", "schema", "value", "expected"),
    [
        (DType.INT64, "long", 2**62, 2**62),
        (DType.INT64, ["null", "int"], 5, 5),
        (DType.INT64, "boolean", True, 1),
        (DType.BOOL, "boolean", True, True),
        (DType.UINT8, "int", 255, 255),
        (DType.STRING, "string", "grün", "grün"),
        (DType.STRING, COLORS, "RED", "RED"),
        (DType.STRING, "bytes", "grün".encode(), "grün"),
        (DType.STRING, UUID, str(uuid.UUID(int=1)), str(uuid.UUID(int=1))),
    ],
)
def test_other_tensors_are_filled(
    make: Maker, dtype: DType, schema: Any, value: Any, expected: Any
) -> None:
    text = event_schema({"name": "f", "type": schema})
    payload = written(text, {"id": "a", "f": value})
    events = decode(make, contract_of(Feature("f"), dtype=dtype), text, payload)
    assert faults(events) == [Fault.NONE]
    assert events.tensors["x"].dtype == dtype.numpy
    assert events.tensors["x"].tolist() == [[expected]]


def test_category_codes_belong_to_names_whatever_a_writers_indexes_are(make: Maker) -> None:
    feature = Feature("f", categories=("RED", "GREEN", "BLUE"))
    other = {"type": "enum", "name": "Color", "symbols": ["MAUVE", "BLUE", "RED"]}
    store = MemoryStore()
    values = []
    for key, schema in enumerate((COLORS, other, "string"), 1):
        text = event_schema({"name": "f", "type": schema})
        store.answers[key] = WriterSchema(text)
        names = ["RED", "GREEN"] if schema == COLORS else ["RED", "MAUVE", "BLUE"]
        values += [confluent(key, written(text, {"id": "a", "f": name})) for name in names]
    events = make(contract_of(feature), store, Framing.CONFLUENT).decode(batch(values))
    assert faults(events) == [Fault.NONE] * 8
    assert events.tensors["x"].ravel().tolist() == [0, 1, 0, 3, 2, 0, 3, 2]
    unseen = [Kind.VALUE, Kind.UNSEEN, Kind.VALUE]
    assert events.kinds.ravel().tolist() == [Kind.VALUE, Kind.VALUE, *unseen, *unseen]


@pytest.mark.parametrize(
    ("feature", "expected"),
    [
        (Feature("f", on_null=OnNull.NAN), math.nan),
        (Feature("f", on_null=OnNull.DEFAULT, default=-1.0), -1.0),
        (Feature("f", on_null=OnNull.DEFAULT, default="GREEN", categories=("RED", "GREEN")), 1.0),
        (Feature("f", on_null=OnNull.NAN, categories=("RED",)), math.nan),
    ],
)
def test_null_becomes_what_the_contract_says(
    make: Maker, feature: Feature, expected: float
) -> None:
    kind = "string" if feature.categories else "double"
    text = event_schema({"name": "f", "type": ["null", kind]})
    payload = written(text, {"id": "a", "f": None})
    events = decode(make, contract_of(feature), text, payload)
    assert faults(events) == [Fault.NONE]
    np.testing.assert_array_equal(events.tensors["x"], np.array([[expected]], dtype=np.float32))
    assert events.kinds.tolist() == [[Kind.NULL]]


def test_what_is_not_finite_is_kept_where_the_contract_says_so(make: Maker) -> None:
    text = event_schema({"name": "f", "type": "double"})
    numbers = [math.nan, math.inf, -math.inf, 1e308, -1e308, 0.0]
    feature = Feature("f", on_non_finite=OnNonFinite.KEEP)
    payloads = [written(text, {"id": "a", "f": number}) for number in numbers]
    events = decode(make, contract_of(feature), text, *payloads)
    assert faults(events) == [Fault.NONE] * 6
    expected = [math.nan, math.inf, -math.inf, math.inf, -math.inf, 0.0]
    np.testing.assert_array_equal(events.tensors["x"].ravel(), expected)
    infinite = [Kind.POSITIVE_INFINITY, Kind.NEGATIVE_INFINITY]
    assert events.kinds.ravel().tolist() == [Kind.NAN, *infinite, *infinite, Kind.VALUE]


def test_1e308_fits_float64(make: Maker) -> None:
    text = event_schema({"name": "f", "type": "double"})
    payload = written(text, {"id": "a", "f": 1e308})
    contract = contract_of(Feature("f"), dtype=DType.FLOAT64)
    assert faults(decode(make, contract, text, payload)) == [Fault.NONE]


def test_arrays_fill_tensors_flat_or_nested(make: Maker) -> None:
    flat = {"type": "array", "items": "float"}
    nested = {"type": "array", "items": {"type": "array", "items": "int"}}
    text = event_schema({"name": "flat", "type": flat}, {"name": "nested", "type": nested})
    contract = Contract(
        record_names=(),
        id_field="id",
        time_field=None,
        inputs=(
            InputTensor("flat", DType.FLOAT32, (Feature("flat", shape=(2, 2)),), (2, 2)),
            InputTensor("nested", DType.INT64, (Feature("nested", shape=(2, 1)),), (2, 1)),
        ),
        outputs=(),
    )
    good = {"id": "a", "flat": [1.0, 2.0, 3.0, 4.0], "nested": [[1], [2]]}
    bad = good | {"nested": [[1, 2]]}
    events = decode(make, contract, text, written(text, good), written(text, bad))
    assert faults(events) == [Fault.NONE, Fault.WRONG_SHAPE]
    assert events.tensors["flat"][0].tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert events.tensors["nested"][0].tolist() == [[1], [2]]


def test_elements_of_arrays_follow_the_policies_of_their_feature(make: Maker) -> None:
    text = event_schema({"name": "f", "type": {"type": "array", "items": ["null", "double"]}})
    rows = [[1.0, None], [math.nan, 2.0], [1.0, 2.0]]
    payloads = [written(text, {"id": "a", "f": row}) for row in rows]
    strict = contract_of(Feature("f", shape=(2,)))
    assert faults(decode(make, strict, text, *payloads)) == [
        Fault.MISSING_FEATURE,
        Fault.NON_FINITE,
        Fault.NONE,
    ]
    lax = Feature("f", shape=(2,), on_null=OnNull.NAN, on_non_finite=OnNonFinite.KEEP)
    events = decode(make, contract_of(lax), text, *payloads)
    assert faults(events) == [Fault.NONE] * 3
    assert events.kinds.ravel().tolist() == [Kind.NULL, Kind.NAN, Kind.VALUE]


@pytest.mark.parametrize("dtype", [DType.UINT8, DType.FLOAT32, DType.INT64, DType.BOOL])
@pytest.mark.parametrize("is_fixed", [True, False])
def test_raw_bytes_are_the_tensor(make: Maker, dtype: DType, is_fixed: bool) -> None:
    pixels = np.array([[0, 1, 1], [1, 0, 0]], dtype=dtype.numpy)
    fixed = {"type": "fixed", "name": "Image", "size": pixels.nbytes}
    text = event_schema({"name": "f", "type": fixed if is_fixed else "bytes"})
    contract = Contract(
        record_names=(),
        id_field="id",
        time_field=None,
        inputs=(
            InputTensor("x", dtype, (Feature("f", shape=(2, 3), encoding=Encoding.RAW),), (2, 3)),
        ),
        outputs=(),
    )
    payload = written(text, {"id": "a", "f": pixels.tobytes()})
    events = decode(make, contract, text, payload)
    assert faults(events) == [Fault.NONE]
    np.testing.assert_array_equal(events.tensors["x"], pixels[None])


def test_raw_floats_and_booleans_are_judged_too(make: Maker) -> None:
    text = event_schema({"name": "f", "type": "bytes"})
    raw = Feature("f", shape=(2,), encoding=Encoding.RAW)
    payload = written(text, {"id": "a", "f": struct.pack("<2f", 1.0, math.nan)})
    assert faults(decode(make, contract_of(raw), text, payload)) == [Fault.NON_FINITE]
    payload = written(text, {"id": "a", "f": b"\x01\x02"})
    contract = contract_of(raw, dtype=DType.BOOL)
    assert faults(decode(make, contract, text, payload)) == [Fault.OUT_OF_RANGE]


def test_fields_are_found_in_nested_records_and_under_aliases(make: Maker) -> None:
    person = {
        "type": "record",
        "name": "Person",
        "fields": [{"name": "age", "type": "int"}, {"name": "id", "type": "string"}],
    }
    text = record_schema([{"name": "customer", "type": ["null", "string", person]}])
    contract = contract_of(
        Feature("customer.years", aliases=("client.age", "customer.age")), id_field="customer.id"
    )
    rows: list[Any] = [("test.Person", {"age": 30, "id": "a"}), None, ("string", "a")]
    payloads = [written(text, {"customer": row}) for row in rows]
    events = decode(make, contract, text, *payloads)
    assert faults(events) == [Fault.NONE, Fault.MISSING_ID, Fault.MISSING_ID]
    assert events.tensors["x"][0].tolist() == [30.0]
    lax = replace(contract, id_field="key")
    text = record_schema(
        [{"name": "key", "type": "long"}, {"name": "customer", "type": ["null", "string", person]}]
    )
    payloads = [written(text, {"key": -7, "customer": row}) for row in rows]
    events = decode(make, lax, text, *payloads)
    assert faults(events) == [Fault.NONE, Fault.MISSING_FEATURE, Fault.WRONG_TYPE]
    assert list(events.ids) == [b"-7"] * 3


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ("string", "é1", "é1"),
        ("bytes", "é1".encode(), "é1"),
        ("int", -5, "-5"),
        ("long", 2**40, str(2**40)),
        (UUID, str(uuid.UUID(int=5)), str(uuid.UUID(int=5))),
        (
            {"type": "fixed", "name": "U", "size": 16, "logicalType": "uuid"},
            uuid.UUID(int=5).bytes,
            str(uuid.UUID(int=5)),
        ),
        (["null", "string"], "a", "a"),
        (["null", "string"], None, Fault.MISSING_ID),
        ("string", "", Fault.MISSING_ID),
        ("bytes", b"", Fault.MISSING_ID),
        ("bytes", b"\xff", Fault.WRONG_TYPE),
        (UUID, "5", Fault.BAD_LOGICAL_VALUE),
        ("double", 1.0, Fault.SCHEMA_INCOMPATIBLE),
        ({"type": "fixed", "name": "U", "size": 16}, bytes(16), Fault.SCHEMA_INCOMPATIBLE),
    ],
)
def test_ids_are_text(make: Maker, schema: Any, value: Any, expected: Any) -> None:
    text = record_schema([{"name": "id", "type": schema}])
    events = decode(make, contract_of(), text, written(text, {"id": value}))
    if isinstance(expected, Fault):
        assert faults(events) == [expected]
    else:
        assert faults(events) == [Fault.NONE]
        assert events.ids[0] == expected.encode()


@pytest.mark.parametrize(
    ("unit", "value", "expected"),
    [
        ("timestamp-millis", 1_700_000_000_123, 1_700_000_000_123),
        ("timestamp-micros", 1_700_000_000_123_999, 1_700_000_000_123),
        ("timestamp-nanos", 1_700_000_000_123_999_999, 1_700_000_000_123),
        ("timestamp-micros", -1_001, -2),
        ("timestamp-millis", 253_402_300_799_999, 253_402_300_799_999),
        ("timestamp-millis", 253_402_300_800_000, Fault.BAD_LOGICAL_VALUE),
        ("timestamp-millis", -62_135_596_800_000, -62_135_596_800_000),
        ("timestamp-millis", -62_135_596_800_001, Fault.BAD_LOGICAL_VALUE),
        ("timestamp-millis", 2**62, Fault.BAD_LOGICAL_VALUE),
        ("timestamp-millis", None, Fault.MISSING_FEATURE),
    ],
)
def test_event_time_is_milliseconds(
    make: Maker, unit: str, value: int | None, expected: int | Fault
) -> None:
    kind = {"type": "long", "logicalType": unit}
    text = event_schema({"name": "at", "type": ["null", kind]})
    contract = contract_of(time_field="at")
    events = decode(make, contract, text, written(text, {"id": "a", "at": value}))
    if isinstance(expected, Fault):
        assert faults(events) == [expected]
    else:
        assert faults(events) == [Fault.NONE]
        assert events.event_time_ms.tolist() == [expected]


def test_without_a_time_field_there_is_no_time(make: Maker) -> None:
    text = event_schema()
    events = decode(make, contract_of(), text, written(text, {"id": "a"}))
    assert events.event_time_ms.tolist() == [NO_TIMESTAMP]


def test_an_input_without_a_row_shape_has_rank_one(make: Maker) -> None:
    text = event_schema({"name": "f", "type": "double"})
    contract = Contract((), "id", None, (InputTensor("x", DType.FLOAT32, (Feature("f"),), ()),), ())
    events = decode(make, contract, text, written(text, {"id": "a", "f": 1.0}))
    assert events.tensors["x"].shape == (1,)
