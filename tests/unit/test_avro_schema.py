"""Laws of schemas as text: what is one, its canonical form and its fingerprint."""

import json
from typing import Any

import pytest
from fastavro.schema import fingerprint as library_fingerprint
from fastavro.schema import to_parsing_canonical_form
from hypothesis import given

from stream_app.core.avro.canonical import canonical_form, fingerprint
from stream_app.core.avro.defaults import default_fits
from stream_app.core.avro.document import document
from stream_app.core.avro.parser import SchemaError, parse
from stream_app.core.avro.schema import Field, Logical, Primitive, PrimitiveType, Record, Reference
from tests.avro_kit import schemas_with_values


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        # The Avro project's own test data (share/test/data/schema-tests.txt): CRC-64-AVRO.
        ("null", 7195948357588979594),
        ("boolean", -6970731678124411036),
        ("int", 8247732601305521295),
        ("long", -3434872931120570953),
        ("float", 5583340709985441680),
        ("double", -8181574048448539266),
        ("bytes", 5746618253357095269),
        ("string", -8142146995180207161),
        ({"type": "fixed", "name": "MyFixed", "size": 1}, None),
    ],
)
def test_fingerprints_are_those_of_the_avro_project(schema: Any, expected: int | None) -> None:
    found = fingerprint(parse(schema))
    assert len(found) == 8
    if expected is not None:
        assert int.from_bytes(found, "little", signed=True) == expected


@given(schemas_with_values())
def test_canonical_form_and_fingerprint_agree_with_fastavro(drawn: tuple[str, Any]) -> None:
    schema = json.loads(drawn[0])
    form = canonical_form(parse(schema))
    assert form == to_parsing_canonical_form(schema)
    assert fingerprint(parse(schema)).hex() == library_fingerprint(form, "CRC-64-AVRO")


def test_a_named_type_is_written_out_once() -> None:
    color = {"type": "enum", "name": "io.Color", "symbols": ["RED"]}
    fields: Any = [{"name": "a", "type": color}, {"name": "b", "type": ["null", "io.Color"]}]
    record: Any = {"type": "record", "name": "io.Car", "fields": fields}
    form = canonical_form(parse(record))
    assert form == to_parsing_canonical_form(record)
    assert form.count("RED") == 1
    assert parse(json.loads(form)) == parse(record)


@given(schemas_with_values())
def test_canonical_form_is_its_own_canonical_form(drawn: tuple[str, Any]) -> None:
    form = canonical_form(parse(json.loads(drawn[0])))
    assert canonical_form(parse(json.loads(form))) == form


@given(schemas_with_values())
def test_a_schema_written_as_a_document_parses_to_itself(drawn: tuple[str, Any]) -> None:
    schema = parse(json.loads(drawn[0]))
    assert parse(document(schema)) == schema


def test_documents_keep_names_logical_types_and_defaults() -> None:
    shared = {"type": "fixed", "name": "io.Key", "size": 16, "logicalType": "uuid"}
    fields: Any = [
        {"name": "key", "type": shared},
        {"name": "other", "type": ["null", "io.Key"], "default": None},
        {"name": "color", "type": {"type": "enum", "name": "io.Color", "symbols": ["RED"]}},
        {
            "name": "price",
            "type": {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2},
            "default": "",
        },
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    ]
    record: Any = {"type": "record", "name": "io.Bill", "fields": fields}
    assert document(parse(record)) == record
    node: Any = {"type": "record", "name": "Node", "fields": [{"name": "next", "type": "Node"}]}
    assert document(parse(node)) == node


def test_names_take_the_namespace_of_what_encloses_them() -> None:
    inner = {"type": "enum", "name": "Color", "symbols": ["RED"]}
    schema = parse(
        {
            "type": "record",
            "name": "Car",
            "namespace": "io.cars",
            "fields": [
                {"name": "paint", "type": inner},
                {"name": "roof", "type": "Color"},
                {"name": "trim", "type": "io.cars.Color"},
            ],
        }
    )
    assert isinstance(schema, Record)
    assert schema.name == "io.cars.Car"
    assert len({field.schema for field in schema.fields}) == 1


def test_logical_types_are_remembered_and_bad_ones_ignored() -> None:
    def logical(**attributes: Any) -> Logical | None:
        schema = parse({"type": "bytes"} | attributes)
        assert isinstance(schema, Primitive)
        return schema.logical

    assert logical(logicalType="decimal", precision=5, scale=2) == Logical("decimal", 5, 2)
    assert logical(logicalType="decimal", precision=2, scale=5) is None
    assert logical(logicalType="decimal", precision="5") is None
    assert logical(logicalType=7) is None
    assert logical(logicalType="uuid") is None, "bytes are no uuid"
    assert logical(logicalType="\ud800") is None
    assert logical() is None


def test_a_schema_that_contains_itself_parses_to_a_reference() -> None:
    node: Any = {"type": "record", "name": "Node", "fields": [{"name": "next", "type": "Node"}]}
    assert parse(node) == Record("Node", (Field("next", Reference("Node")),))


def test_names_of_references_are_known() -> None:
    money: Any = {
        "type": "record",
        "name": "io.Money",
        "fields": [{"name": "cents", "type": "long"}],
    }
    bill: Any = {"type": "record", "name": "io.Bill", "fields": [{"name": "sum", "type": "Money"}]}
    schema = parse(bill, [money])
    assert isinstance(schema, Record)
    assert schema.fields[0].schema == parse(money)


_BAD: list[Any] = [
    None,
    7,
    "nothing",
    [],
    ["null", "null"],
    ["null", ["int"]],
    [{"type": "array", "items": "int"}, {"type": "array", "items": "long"}],
    {},
    {"type": "array"},
    {"type": "map"},
    {"type": "record", "name": "R"},
    {"type": "record", "fields": []},
    {"type": "record", "name": 7, "fields": []},
    {"type": "record", "name": "R", "fields": "f"},
    {"type": "record", "name": "R", "fields": [7]},
    {"type": "record", "name": "1R", "fields": []},
    {"type": "record", "name": "int", "fields": []},
    {"type": "record", "name": "R", "fields": [{"name": "a-b", "type": "int"}]},
    {"type": "record", "name": "R", "fields": [{"name": "a"}]},
    {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}] * 2},
    {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int", "default": "x"}]},
    {"type": "enum", "name": "E", "symbols": []},
    {"type": "enum", "name": "E", "symbols": ["A", "A"]},
    {"type": "enum", "name": "E", "symbols": ["A", 7]},
    {"type": "enum", "name": "E", "symbols": ["A"], "default": "B"},
    {"type": "enum", "name": "E", "symbols": "A"},
    {"type": "fixed", "name": "F", "size": -1},
    {"type": "fixed", "name": "F", "size": True},
    {"type": "fixed", "name": "F"},
    [{"type": "fixed", "name": "F", "size": 1}, {"type": "fixed", "name": "F", "size": 2}],
]


@pytest.mark.parametrize("schema", _BAD, ids=map(json.dumps, _BAD))
def test_what_is_no_schema_is_said_to_be_none(schema: Any) -> None:
    with pytest.raises(SchemaError):
        parse(schema)


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ("null", [None], [0, ""]),
        ("boolean", [True], [1, None]),
        ("int", [0, -(2**31)], [2**31, 1.0, True]),
        ("long", [2**63 - 1], [2**63, "1"]),
        ("double", [1, 1.5, "NaN"], ["nan", True, None]),
        ("bytes", ["\u00ff"], ["\u0100", b"a"]),
        ("string", ["€"], [1]),
        (["null", "int"], [None, 1], ["x"]),
        ({"type": "array", "items": "int"}, [[], [1]], [["x"], "x"]),
        ({"type": "map", "values": "int"}, [{}, {"a": 1}], [{"a": "x"}, []]),
        ({"type": "fixed", "name": "F", "size": 2}, ["ab"], ["a", "ab\u0100"]),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, ["A"], ["B", 0]),
        (
            {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]},
            [{"a": 1}],
            [{}, {"a": "x"}, 1],
        ),
    ],
)
def test_defaults_fit_their_type(schema: Any, good: list[Any], bad: list[Any]) -> None:
    parsed = parse(schema)
    assert all(default_fits(value, parsed) for value in good)
    assert not any(default_fits(value, parsed) for value in bad)


def test_primitive_types_parse_in_both_spellings() -> None:
    for kind in PrimitiveType:
        assert parse(kind.value) == parse({"type": kind.value}) == Primitive(kind)
        assert parse({"type": {"type": kind.value}}) == Primitive(kind)
