"""Text and JSON become Avro values: what is written with the library comes back equal."""

import io
import json
from decimal import Decimal
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.adapters.avro.record_values import converter, row_converter
from stream_app.adapters.avro.scalar_values import ValueMisfitError
from stream_app.core.avro.gates import Rejection, admit
from stream_app.core.avro.schema import Record, Schema

CANARY = "canary-of-a-payload"


def parsed(schema: object) -> Schema:
    found = admit(json.dumps(schema))
    assert not isinstance(found, Rejection), found
    return found


def convert(schema: object, value: object, *, text: bool) -> Any:
    return converter(parsed(schema), text=text)(value)


def logical(kind: str, name: str, **more: object) -> dict[str, object]:
    return {"type": kind, "logicalType": name, **more}


@pytest.mark.parametrize(
    ("schema", "cell", "value"),
    [
        ("string", "", ""),
        ("string", " a ", " a "),
        ("int", "3", 3),
        ("long", " -3.0 ", -3),
        ("long", str(2**63 - 1), 2**63 - 1),
        ("double", "1e3", 1000.0),
        ("boolean", "TRUE", True),
        ("boolean", "0", False),
        ("bytes", "AAE=", b"\x00\x01"),
        (["null", "double"], "", None),
        (["null", "string"], "", None),
        (["string", "null"], "x", "x"),
        (["null", "long", "string"], "12", 12),
        (["null", "long", "string"], "twelve", "twelve"),
        (logical("long", "timestamp-millis"), "2024-05-01T12:00:00.123Z", 1714564800123),
        (logical("long", "timestamp-millis"), "2024-05-01T14:00:00+02:00", 1714564800000),
        (logical("long", "timestamp-millis"), "2024-05-01 12:00:00", 1714564800000),
        (logical("long", "timestamp-millis"), "1714564800123", 1714564800123),
        (logical("long", "timestamp-micros"), "1969-12-31T23:59:59.999999Z", -1),
        (logical("long", "timestamp-nanos"), "1970-01-01T00:00:00.000001Z", 1000),
        (logical("int", "date"), "1970-01-02", 1),
        (logical("int", "time-millis"), "00:00:01.500", 1500),
        (logical("long", "time-micros"), "00:00:01", 1_000_000),
        (logical("bytes", "decimal", precision=5, scale=2), "123.45", Decimal("123.45")),
        ({"type": "array", "items": "int"}, "[1, 2]", [1, 2]),
        ({"type": "map", "values": "double"}, '{"a": 1}', {"a": 1.0}),
        ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, "B", "B"),
        ({"type": "fixed", "name": "F", "size": 2}, "AAE=", b"\x00\x01"),
    ],
)
def test_a_cell_becomes_a_value(schema: object, cell: str, value: object) -> None:
    made = convert(schema, cell, text=True)
    assert made == value
    assert type(made) is type(value)


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ("int", CANARY, "a number"),
        ("int", "3.5", "a whole number"),
        ("int", "NaN", "a whole number"),
        ("int", str(2**31), "32 bits"),
        ("long", True, "a number"),
        ("double", "", "an empty value"),
        ("double", None, "a number"),
        ("double", [CANARY], "a number"),
        ("string", 5, "a string"),
        ("string", None, "a string"),
        ("boolean", CANARY, "true or false"),
        ("boolean", 1, "true or false"),
        ("bytes", CANARY, "base64"),
        ("null", CANARY, "null"),
        (["null", "int"], CANARY, "a number"),
        (["int", "double"], CANARY, "int or double"),
        (logical("long", "timestamp-millis"), CANARY, "2024-05-01T12:00:00Z"),
        (logical("long", "timestamp-millis"), 1.5, "2024-05-01T12:00:00Z"),
        (logical("int", "date"), CANARY, "2024-05-01"),
        (logical("string", "uuid"), CANARY, "a UUID"),
        (logical("bytes", "decimal", precision=4, scale=2), "1.234", "2 decimal places"),
        (logical("bytes", "decimal", precision=4, scale=2), "100", "4 digits"),
        (logical("bytes", "decimal", precision=4, scale=2), CANARY, "a decimal number"),
        (logical("bytes", "decimal", precision=4, scale=2), "Infinity", "decimal places"),
        ({"type": "array", "items": "int"}, {"a": CANARY}, "an array"),
        ({"type": "map", "values": "int"}, [CANARY], "an object"),
        ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, CANARY, "one of A, B"),
        ({"type": "fixed", "name": "F", "size": 2}, "AAECAw==", "2 bytes"),
        ({"type": "record", "name": "R", "fields": []}, [CANARY], "record R as an object"),
    ],
)
def test_a_misfit_says_what_was_expected_and_never_the_value(
    schema: object, value: object, expected: str
) -> None:
    with pytest.raises(ValueMisfitError) as raised:
        convert(schema, value, text=False)
    assert expected in str(raised.value)
    assert CANARY not in str(raised.value)


NESTED = {
    "type": "record",
    "name": "Outer",
    "fields": [
        {"name": "id", "type": "string"},
        {
            "name": "inner",
            "type": {
                "type": "record",
                "name": "Inner",
                "fields": [{"name": "age", "type": ["null", "int"]}],
            },
        },
        {"name": "note", "type": "string", "default": "none"},
    ],
}


def outer() -> Record:
    record = parsed(NESTED)
    assert isinstance(record, Record)
    return record


def test_a_misfit_names_the_way_to_its_field() -> None:
    with pytest.raises(ValueMisfitError, match="field 'inner': field 'age': expected a number"):
        row_converter(outer(), text=False)({"id": "a", "inner": {"age": []}})


def test_a_nested_cell_is_a_json_document() -> None:
    make = row_converter(outer(), text=True)
    assert make({"id": "7", "inner": '{"age": 4}'}) == {"id": "7", "inner": {"age": 4}}
    with pytest.raises(ValueMisfitError, match="field 'inner': expected a JSON document"):
        make({"id": "7", "inner": "{"})


def test_what_is_absent_is_its_default_or_null_or_a_misfit() -> None:
    make = row_converter(outer(), text=False)
    assert make({"id": "a", "inner": {}}) == {"id": "a", "inner": {"age": None}}
    with pytest.raises(ValueMisfitError, match="'id' is missing"):
        make({"inner": {}})


EVERY_KIND = {
    "type": "record",
    "name": "EveryKind",
    "fields": [
        {"name": "i", "type": "int"},
        {"name": "l", "type": ["null", "long"]},
        {"name": "d", "type": "double"},
        {"name": "b", "type": "boolean"},
        {"name": "s", "type": ["null", "string"]},
        {"name": "t", "type": ["null", logical("long", "timestamp-millis")]},
        {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["A", "B"]}},
        {"name": "a", "type": {"type": "array", "items": "long"}},
    ],
}
ROWS = st.fixed_dictionaries(
    {
        "i": st.integers(-(2**31), 2**31 - 1),
        "l": st.none() | st.integers(-(2**63), 2**63 - 1),
        "d": st.floats(allow_nan=False),
        "b": st.booleans(),
        "s": st.none() | st.text(min_size=1),
        "t": st.none() | st.integers(0, 2**40),
        "e": st.sampled_from("AB"),
        "a": st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3),
    }
)
PLAIN = fastavro.parse_schema(
    json.loads(json.dumps(EVERY_KIND).replace(', "logicalType": "timestamp-millis"', ""))
)


def written(row: object) -> dict[str, Any]:
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(EVERY_KIND), row)
    found: dict[str, Any] = fastavro.schemaless_reader(io.BytesIO(buffer.getvalue()), PLAIN, None)
    return found


def as_cell(value: object) -> str:
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, list | bool) else str(value)


@given(ROWS)
def test_a_row_survives_json_and_csv_and_avro(row: dict[str, Any]) -> None:
    record = parsed(EVERY_KIND)
    assert isinstance(record, Record)
    from_json = row_converter(record, text=False)(json.loads(json.dumps(row)))
    from_csv = row_converter(record, text=True)({name: as_cell(v) for name, v in row.items()})
    assert written(from_json) == row
    assert written(from_csv) == row
