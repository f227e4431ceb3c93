"""The verifier's own reading of events against the scorer's decoder: two programs, one language.

Neither shares a line with the other, so what they agree on is what the contract's language says.
"""

import json
import math
from dataclasses import replace
from io import BytesIO
from typing import Any

import fastavro
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from stream_app.adapters.avro.fastavro_decoder import FastavroDecoder
from stream_app.adapters.model.contract_file import dump_contract
from stream_app.core.avro.framing import CONFLUENT_BYTES
from stream_app.core.avro.store import WriterSchema
from stream_app.core.columns import NO_TIMESTAMP
from stream_app.core.contract import (
    Contract,
    DType,
    Encoding,
    Feature,
    InputTensor,
    OnNonFinite,
    OnNull,
    OnUnseen,
    OutputBinding,
)
from stream_app.core.faults import Fault
from stream_app.errors import ConfigError
from stream_app.settings import Framing
from stream_app.verify.codes import Place
from stream_app.verify.contract import read_contract
from stream_app.verify.death import Known, Ruling, rule
from stream_app.verify.event import Event, EventPlan, tensors
from stream_app.verify.refused import RefusedError
from stream_app.verify.schema import parse
from tests.avro_kit import (
    CountedTelemetry,
    HandClock,
    MemoryStore,
    batch,
    confluent,
    contract_of,
    event_schema,
    record_schema,
    schemas_with_values,
    written,
)
from tests.contract.test_decoder_faults import BYTES
from tests.decoders import COLORS, DECIMAL, TIME, UUID

KNOWN = Known(on_cpu=True, limits_time=True)
FLOATS = (DType.FLOAT32, DType.FLOAT64)


def plan(contract: Contract, schema: str) -> EventPlan:
    """From the text of a contract file, as the verifier reads it."""
    outputs = (OutputBinding("scores", "y"),)
    text = dump_contract(replace(contract, outputs=outputs))
    return EventPlan(read_contract(text.encode(), "contract.toml"), parse([json.loads(schema)]))


def answer(contract: Contract, schema: str, payload: bytes) -> Event | RefusedError:
    try:
        reading = plan(contract, schema)
    except RefusedError as refused:
        refused.place = Place.SCHEMA
        return refused
    try:
        return reading.read(confluent(1, payload), CONFLUENT_BYTES)
    except RefusedError as refused:
        return refused


def assert_agreed(contract: Contract, schema: str, payload: bytes) -> Event | RefusedError:
    """Both take the event, for the same numbers, or both refuse it."""
    decoder = FastavroDecoder(
        contract,
        MemoryStore({1: WriterSchema(schema)}),
        Framing.CONFLUENT,
        telemetry=CountedTelemetry(),
        clock=HandClock(),
        max_value_bytes=100_000,
    )
    decoded = decoder.decode(batch([confluent(1, payload)]))
    found = answer(contract, schema, payload)
    if isinstance(found, RefusedError):
        assert not found.certain or decoded.fault[0], found
        if found.certain and payload:  # without one it is not looked at as bytes
            code = Fault.of(int(decoded.fault[0])).name
            assert rule(code, found, KNOWN)[0] is Ruling.RIGHT, (code, found.place, found)
        return found
    assert decoded.fault[0] == 0, decoded.fault_detail
    assert decoded.ids[0] == found.id.encode()
    time_ms = NO_TIMESTAMP if found.time_ms is None else found.time_ms
    assert decoded.event_time_ms[0] == time_ms
    text = dump_contract(replace(contract, outputs=(OutputBinding("scores", "y"),)))
    ours = tensors(read_contract(text.encode(), ""), [found])
    assert ours.keys() == decoded.tensors.keys()
    for name, tensor in decoded.tensors.items():
        assert ours[name].dtype == tensor.dtype
        np.testing.assert_array_equal(ours[name], tensor)
    return found


@pytest.mark.parametrize(
    ("schema", "feature", "value"), [row[1:4] for row in BYTES], ids=[row[0] for row in BYTES]
)
def test_bad_bytes_are_refused(schema: Any, feature: Feature, value: bytes) -> None:
    text = event_schema({"name": "f", "type": schema})
    found = assert_agreed(contract_of(feature), text, b"\x02a" + value)
    assert isinstance(found, RefusedError)
    assert found.certain


CODED = Feature("f", categories=("RED", "GREEN"))
KEPT = Feature("f", on_non_finite=OnNonFinite.KEEP)
LAX = Feature("f", on_null=OnNull.NAN, on_non_finite=OnNonFinite.KEEP)
PAIR = Feature("f", shape=(2, 2))
FIXED = {"type": "fixed", "name": "Fixed", "size": 8}
NESTED = {"type": "array", "items": {"type": "array", "items": ["null", "int"]}}
NULLABLE = ["null", "double"]


@pytest.mark.parametrize(
    ("schema", "feature", "dtype", "value"),
    [
        ("boolean", Feature("f"), DType.FLOAT32, True),
        ("int", Feature("f"), DType.FLOAT32, -3),
        ("long", Feature("f"), DType.FLOAT32, 2**60 + 1),
        ("double", Feature("f"), DType.FLOAT32, 0.1),
        ("double", Feature("f"), DType.FLOAT32, float.fromhex("0x1.fffffefffffffp+127")),
        ("double", KEPT, DType.FLOAT32, 1e308),
        ("double", KEPT, DType.FLOAT32, math.nan),
        ("double", KEPT, DType.FLOAT32, -math.inf),
        (DECIMAL, Feature("f"), DType.FLOAT64, b"\xfe\x0c"),
        (["string", "float", "null"], Feature("f"), DType.FLOAT32, ("float", 0.5)),
        ("long", Feature("f"), DType.INT64, -(2**63)),
        ("boolean", Feature("f"), DType.INT64, True),
        ("int", Feature("f"), DType.UINT8, 255),
        ("boolean", Feature("f"), DType.BOOL, True),
        ("string", Feature("f"), DType.STRING, "grün"),
        ("bytes", Feature("f"), DType.STRING, "grün".encode()),
        (COLORS, Feature("f"), DType.STRING, "GREEN"),
        (UUID, Feature("f"), DType.STRING, "00000000-0000-0000-0000-00000000000a"),
        (TIME, Feature("f"), DType.INT64, 1_700_000_000_123),
        ({"type": "int", "logicalType": "date"}, Feature("f"), DType.INT64, -719_162),
        (COLORS, CODED, DType.FLOAT32, "GREEN"),
        ("string", CODED, DType.INT64, "MAUVE"),
        (NULLABLE, LAX, DType.FLOAT32, None),
        (["null", "string"], replace(CODED, on_null=OnNull.NAN), DType.FLOAT32, None),
        (
            ["null", COLORS],
            replace(CODED, on_null=OnNull.DEFAULT, default="GREEN"),
            DType.INT64,
            None,
        ),
        (NULLABLE, Feature("f", on_null=OnNull.DEFAULT, default=7), DType.FLOAT32, None),
        ({"type": "array", "items": "float"}, PAIR, DType.FLOAT32, [1.0, 2.0, 3.0, 4.0]),
        (NESTED, PAIR, DType.INT64, [[1, 2], [3, 4]]),
        (["null", NESTED], replace(LAX, shape=(2, 2)), DType.FLOAT32, [[1, None], [3, 4]]),
        (["null", NESTED], replace(LAX, shape=(2, 2)), DType.FLOAT32, None),
        ("bytes", replace(PAIR, encoding=Encoding.RAW), DType.UINT8, b"\x00\x01\xff\x07"),
        (FIXED, Feature("f", shape=(2,), encoding=Encoding.RAW), DType.FLOAT32, bytes(8)),
        (
            "bytes",
            Feature("f", shape=(2,), encoding=Encoding.RAW, on_non_finite=OnNonFinite.KEEP),
            DType.FLOAT32,
            b"\x00\x00\xc0\x7f\x00\x00\x80\x7f",
        ),
        ("int", Feature("f"), DType.FLOAT32, 5),
    ],
)
def test_good_values_become_the_same_numbers(
    schema: Any, feature: Feature, dtype: DType, value: Any
) -> None:
    text = event_schema({"name": "f", "type": schema})
    contract = contract_of(feature, dtype=dtype)
    found = assert_agreed(contract, text, written(text, {"id": "a", "f": value}))
    assert isinstance(found, Event)


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ("string", "é1", "é1"),
        ("long", -(2**40), str(-(2**40))),
        ("bytes", b"\xff", None),
        (["null", "string"], None, None),
        ("string", "", None),
        (UUID, "5", None),
        ({"type": "fixed", "name": "U", "size": 16, "logicalType": "uuid"}, bytes(16), "0"),
        ("double", 1.0, None),
        (TIME, 5, None),
    ],
)
def test_ids_are_read_or_refused_alike(schema: Any, value: Any, expected: str | None) -> None:
    text = record_schema([{"name": "id", "type": schema}])
    found = assert_agreed(contract_of(), text, written(text, {"id": value}))
    assert isinstance(found, Event) == (expected is not None)


@pytest.mark.parametrize(
    ("unit", "value"),
    [
        ("timestamp-millis", 253_402_300_799_999),
        ("timestamp-millis", 253_402_300_800_000),
        ("timestamp-micros", -62_135_596_800_000_000),
        ("timestamp-millis", -62_135_596_800_001),
        ("timestamp-micros", -1_001),
        ("timestamp-nanos", 1_700_000_000_123_999_999),
        ("timestamp-millis", None),
        ("time-micros", 1),
    ],
)
def test_times_are_read_or_refused_alike(unit: str, value: int | None) -> None:
    kind = {"type": "long", "logicalType": unit}
    text = event_schema({"name": "at", "type": ["null", kind]})
    payload = written(text, {"id": "a", "at": value})
    assert_agreed(contract_of(time_field="at"), text, payload)


def test_fields_are_found_in_nested_records_and_under_aliases() -> None:
    person = {
        "type": "record",
        "name": "Person",
        "fields": [{"name": "age", "type": "int"}, {"name": "id", "type": "string"}],
    }
    text = record_schema(
        [{"name": "key", "type": "long"}, {"name": "customer", "type": ["null", "string", person]}]
    )
    feature = Feature("customer.years", aliases=("client.age", "customer.age"))
    contract = contract_of(feature, id_field="key")
    rows = [("test.Person", {"age": 30, "id": "a"}), None, ("string", "a")]
    found = [
        assert_agreed(contract, text, written(text, {"key": 1, "customer": row})) for row in rows
    ]
    assert [isinstance(event, Event) for event in found] == [True, False, False]


@pytest.mark.parametrize(
    "schema",
    [
        event_schema({"name": "next", "type": ["null", "test.Event"]}),
        event_schema({"name": "f", "type": {"type": "array", "items": "null"}}),
        event_schema(*({"name": f"f{i}", "type": "int"} for i in range(5_001))),
        record_schema([{"name": "id", "type": "string"}], "test.Other"),
        '"string"',
        '{"type": "record", "name": "test.Event"}',
        '{"type": "nothing"}',
    ],
)
def test_schemas_that_the_scorer_refuses_are_refused(schema: str) -> None:
    assert isinstance(assert_agreed(contract_of(), schema, b"\x02a"), RefusedError)


def test_records_nested_without_bytes_are_refused_before_they_multiply() -> None:
    level: Any = {"type": "record", "name": "R0", "fields": []}
    for number in range(1, 30):
        fields = [{"name": "a", "type": level}, {"name": "b", "type": f"R{number - 1}"}]
        level = {"type": "record", "name": f"R{number}", "fields": fields}
    with pytest.raises(RefusedError, match="too many parts"):
        parse([level])


def test_a_contract_of_another_format_is_refused_with_the_remedy() -> None:
    with pytest.raises(ConfigError, match=r"expected format = 1, found 2; verify with the version"):
        read_contract(b"format = 2", "contract.toml")
    with pytest.raises(ConfigError, match=r"cannot be read as a contract .* contract check"):
        read_contract(b"format = 1", "contract.toml")


@st.composite
def contracts(draw: st.DrawFn, fields: list[str]) -> Contract:
    """Features of any kind over the top fields of a schema, whatever their types."""
    inputs = []
    for number, name in enumerate(
        draw(st.lists(st.sampled_from(fields), min_size=1, max_size=3, unique=True))
    ):
        dtype = draw(st.sampled_from(list(DType)))
        categories = draw(st.sampled_from([None, ("S0", "S2"), ("", "S1")]))
        if dtype in {DType.BOOL, DType.STRING}:
            categories = None
        shape = draw(st.sampled_from([(), (), (1,), (2, 2)])) if categories is None else ()
        is_raw = bool(shape) and dtype is not DType.STRING and draw(st.booleans())
        feature = Feature(
            name,
            categories=categories,
            on_null=draw(st.sampled_from([OnNull.DEAD_LETTER, OnNull.NAN])),
            on_unseen=draw(st.sampled_from(list(OnUnseen))) if categories else OnUnseen.CODE,
            on_non_finite=draw(st.sampled_from(list(OnNonFinite))),
            shape=shape,
            encoding=Encoding.RAW if is_raw else Encoding.VALUE,
        )
        if dtype not in FLOATS:
            feature = replace(feature, on_null=OnNull.DEAD_LETTER)
        inputs.append(InputTensor(f"x{number}", dtype, (feature,), feature.shape or (1,)))
    return Contract((), "id", None, tuple(inputs), ())


@hypothesis_settings(max_examples=150)
@given(data=st.data())
def test_any_event_under_any_contract_is_read_alike(data: st.DataObject) -> None:
    text, value = data.draw(schemas_with_values())
    schema = json.loads(text)
    contract = data.draw(contracts([field["name"] for field in schema["fields"]]))
    schema["fields"].insert(0, {"name": "id", "type": "string"})
    text = json.dumps(schema)  # also one that is refused before bytes are looked at
    buffer = BytesIO()
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(schema), {"id": "a", **value})
    payload = bytearray(buffer.getvalue())
    assert_agreed(contract, text, bytes(payload))
    for _ in range(data.draw(st.integers(0, 3))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    assert_agreed(contract, text, bytes(payload[: data.draw(st.integers(0, len(payload)))]))
