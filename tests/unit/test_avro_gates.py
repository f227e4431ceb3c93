"""Laws of the gates: what could hurt a reader never reaches one."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given

from stream_app.core.avro.gates import MAX_DEPTH, MAX_FIELDS, MAX_TEXT_BYTES, Rejection, admit
from stream_app.core.faults import Fault
from tests.avro_kit import schemas_with_values


def _record(name: str, *types: Any) -> dict[str, Any]:
    fields = [{"name": f"f{i}", "type": schema} for i, schema in enumerate(types)]
    return {"type": "record", "name": name, "fields": fields}


def _fault(schema: Any) -> Fault:
    found = admit(json.dumps(schema))
    return found.fault if isinstance(found, Rejection) else Fault.NONE


def _array(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


@pytest.mark.parametrize(
    "schema",
    [
        _record("Node", "Node"),
        _record("Node", ["null", "Node"]),
        _record("Node", _array("Node")),
        _record("Node", {"type": "map", "values": "Node"}),
        _record("A", _record("B", _record("C", ["null", "A"]))),
    ],
)
def test_recursive_schemas_are_refused(schema: Any) -> None:
    assert _fault(schema) is Fault.SCHEMA_RECURSIVE


@pytest.mark.parametrize(
    "items",
    [
        "null",
        _record("Empty"),
        _record("Nulls", "null", "null"),
        _record("Outer", _record("Inner", "null")),
        {"type": "fixed", "name": "Nothing", "size": 0},
        _record("Mixed", {"type": "fixed", "name": "Nothing", "size": 0}, "null"),
    ],
)
@pytest.mark.parametrize("kind", ["items", "values"])
def test_items_without_bytes_are_refused(kind: str, items: Any) -> None:
    container = {"type": "array" if kind == "items" else "map", kind: items}
    assert _fault(_record("R", container)) is Fault.SCHEMA_ZERO_WIDTH_ITEMS


def test_items_with_very_many_nulls_on_a_byte_are_refused() -> None:
    assert _fault(_array(_record("R", "boolean", *["null"] * 4))) is Fault.SCHEMA_ZERO_WIDTH_ITEMS
    assert _fault(_array(_record("R", "boolean", *["null"] * 3))) is Fault.NONE
    assert _fault(_array(["null", _record("R", *["int"] * 500)])) is Fault.NONE


def _nested(levels: int) -> Any:
    schema: Any = "boolean"
    for level in range(levels):
        schema = _record(f"N{level}", schema)
    return schema


def test_items_with_very_many_records_on_a_byte_are_refused() -> None:
    assert _fault(_array(_nested(5))) is Fault.SCHEMA_ZERO_WIDTH_ITEMS
    assert _fault(_array(_nested(4))) is Fault.NONE
    assert _fault(_record("R", _nested(20))) is Fault.NONE


@pytest.mark.parametrize("logical", [1_001, 10**9])
def test_decimals_of_very_many_digits_are_refused(logical: int) -> None:
    def decimal(precision: int) -> Any:
        kind = {"type": "bytes", "logicalType": "decimal", "precision": precision}
        return _record("R", ["null", kind])

    assert _fault(decimal(logical)) is Fault.SCHEMA_LIMIT
    assert _fault(decimal(1_000)) is Fault.NONE


def test_defaults_that_take_very_long_to_check_are_refused() -> None:
    """Each level has two records that misfit alike: twice the work of the level below."""
    types: list[Any] = []
    branches: Any = "int"
    for level in range(40):
        pair = [_record(f"{side}{level}", branches) for side in "AB"]
        types += pair
        branches = [f"A{level}", f"B{level}"]
    default: Any = "no int"
    for _ in range(40):
        default = {"f0": default}
    schema = _record("R", *types)
    schema["fields"].append({"name": "last", "type": branches, "default": default})
    assert _fault(schema) is Fault.SCHEMA_LIMIT


@pytest.mark.parametrize("items", [["null"], ["null", "int"], "int", _array("int"), "string"])
def test_items_with_bytes_pass(items: Any) -> None:
    assert _fault(_array(items)) is Fault.NONE


def test_text_beyond_the_limit_is_refused_unread() -> None:
    text = '"' + "x" * MAX_TEXT_BYTES
    found = admit(text)
    assert isinstance(found, Rejection)
    assert found.fault is Fault.SCHEMA_LIMIT


def test_fields_are_limited() -> None:
    assert _fault(_record("R", *["int"] * MAX_FIELDS)) is Fault.NONE
    assert _fault(_record("R", *["int"] * (MAX_FIELDS + 1))) is Fault.SCHEMA_LIMIT


def test_fields_are_counted_where_types_are_used_not_where_they_are_written() -> None:
    # 20 records, each with two fields of the one before: a million leaves in 1.5 KB of text.
    names = [f"R{i}" for i in range(20)]
    schema: Any = _record(names[0], "null", "null")
    for below, name in pairwise(names):
        schema = _record(name, schema, below)
    assert _fault(schema) is Fault.SCHEMA_LIMIT


def test_depth_is_limited() -> None:
    def nested(levels: int) -> Any:
        schema: Any = "int"
        for _ in range(levels - 1):
            schema = _array(schema)
        return schema

    assert _fault(nested(MAX_DEPTH)) is Fault.NONE
    assert _fault(nested(MAX_DEPTH + 1)) is Fault.SCHEMA_LIMIT


@pytest.mark.parametrize("text", ["[" * 100_000, '{"type":' * 20_000, "[" * 500 + "]" * 500])
def test_deep_json_is_refused_and_overflows_nothing(text: str) -> None:
    found = admit(text)
    assert isinstance(found, Rejection)
    assert found.fault in {Fault.SCHEMA_LIMIT, Fault.SCHEMA_INCOMPATIBLE}


def test_depth_through_references_is_limited() -> None:
    references = [json.dumps(_record("R0", "int"))]
    references += [json.dumps(_record(f"R{i}", f"R{i - 1}")) for i in range(1, 3_000)]
    found = admit('"R2999"', tuple(references))
    assert isinstance(found, Rejection)
    assert found.fault is Fault.SCHEMA_LIMIT


@pytest.mark.parametrize(
    "text", ["", "{", "7", '{"type": "record"}', '{"type": "int", "x": 1e999}x', "\ud800"]
)
def test_what_is_no_schema_is_incompatible(text: str) -> None:
    found = admit(text)
    assert isinstance(found, Rejection)
    assert found.fault is Fault.SCHEMA_INCOMPATIBLE


@given(schemas_with_values())
def test_ordinary_schemas_pass(drawn: tuple[str, Any]) -> None:
    found = admit(drawn[0])
    assert not isinstance(found, Rejection) or found.fault is Fault.SCHEMA_ZERO_WIDTH_ITEMS
