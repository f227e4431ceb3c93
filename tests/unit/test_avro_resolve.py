"""Laws of resolution: what is read and how is settled before rows, with every reason at once."""

from typing import Any

import pytest

from stream_app.core.avro.gates import Rejection
from stream_app.core.avro.plan import MAX_TIME_MS, MIN_TIME_MS, Column, Plan, Reading, logical_range
from stream_app.core.avro.resolve import resolve
from stream_app.core.avro.schema import Enum, Logical
from stream_app.core.contract import Contract, DType, Encoding, Feature, OnNull
from stream_app.core.faults import Fault
from tests.avro_kit import admitted, contract_of, event_schema

DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}
DATE = {"type": "int", "logicalType": "date"}


def resolved(contract: Contract, schema: str) -> Plan:
    plan = resolve(contract, admitted(schema))
    assert isinstance(plan, Plan), plan
    return plan


def rejected(contract: Contract, schema: str) -> Rejection:
    rejection = resolve(contract, admitted(schema))
    assert isinstance(rejection, Rejection)
    return rejection


def column(feature: Feature, schema: Any, dtype: DType = DType.FLOAT32) -> Column:
    """The column of a feature ``f`` over a field ``f``."""
    text = event_schema({"name": "f", "type": schema})
    return resolved(contract_of(feature, dtype=dtype), text).columns[0]


def misfit(feature: Feature, schema: Any, dtype: DType = DType.FLOAT32) -> str:
    text = event_schema({"name": "f", "type": schema})
    rejection = rejected(contract_of(feature, dtype=dtype), text)
    assert rejection.fault is Fault.SCHEMA_INCOMPATIBLE
    return rejection.detail


def test_all_problems_are_told_at_once() -> None:
    contract = contract_of(
        Feature("a"), Feature("b"), Feature("c"), time_field="at", id_field="key"
    )
    text = event_schema({"name": "b", "type": "string"}, {"name": "c", "type": "int"})
    detail = rejected(contract, text).detail
    for field in ("'key'", "'at'", "'a'", "'b'"):
        assert field in detail
    assert "'c'" not in detail


def test_another_record_is_not_allowed_and_no_names_allow_all() -> None:
    contract = contract_of(record_names=("io.A", "io.B"))
    rejection = rejected(contract, event_schema())
    assert rejection.fault is Fault.SCHEMA_NOT_ALLOWED
    assert rejection.detail == "expected record io.A or io.B, found record test.Event"
    assert resolved(contract_of(record_names=()), event_schema()).columns == ()


@pytest.mark.parametrize(
    "text", ['"string"', '["null", "int"]', '{"type": "map", "values": "int"}']
)
def test_what_is_no_record_is_incompatible(text: str) -> None:
    rejection = rejected(contract_of(record_names=()), text)
    assert rejection.fault is Fault.SCHEMA_INCOMPATIBLE


def test_the_field_itself_comes_before_its_aliases_and_these_in_their_order() -> None:
    feature = Feature("f", aliases=("g", "h"))
    fields = [{"name": name, "type": "int"} for name in ("h", "g", "f")]

    def path(*names: str) -> tuple[str, ...] | None:
        own = [field for field in fields if field["name"] in names]
        return resolved(contract_of(feature), event_schema(*own)).columns[0].path

    assert path("f", "g", "h") == ("f",)
    assert path("g", "h") == ("g",)
    assert path("h") == ("h",)


@pytest.mark.parametrize(
    ("feature", "schema", "dtype", "reading"),
    [
        (Feature("f"), "long", DType.FLOAT32, Reading.NUMBER),
        (Feature("f"), DATE, DType.INT64, Reading.NUMBER),
        (Feature("f"), DECIMAL, DType.FLOAT64, Reading.DECIMAL),
        (Feature("f"), "string", DType.STRING, Reading.TEXT),
        (Feature("f", categories=("A",)), "string", DType.UINT8, Reading.CATEGORY),
        (Feature("f", encoding=Encoding.RAW), "bytes", DType.INT64, Reading.RAW),
    ],
)
def test_each_type_has_its_reading(
    feature: Feature, schema: Any, dtype: DType, reading: Reading
) -> None:
    found = column(feature, schema, dtype)
    assert (found.reading, found.depth, found.is_mixed) == (reading, 0, False)


def test_a_union_with_null_alone_is_not_mixed() -> None:
    assert not column(Feature("f"), ["null", "int"]).is_mixed
    assert column(Feature("f"), ["null", "int", "string"]).is_mixed


@pytest.mark.parametrize(
    "schema",
    [
        [DECIMAL, {"type": "fixed", "name": "F", "size": 2}],
        ["int", {"type": "long", "logicalType": "timestamp-millis"}],
        [DATE, "double", DECIMAL],
    ],
)
def test_branches_that_no_value_tells_apart_are_refused(schema: Any) -> None:
    assert "told apart" in misfit(Feature("f"), schema)


def test_a_way_with_two_records_or_a_map_is_no_way() -> None:
    def record(name: str) -> Any:
        return {"type": "record", "name": name, "fields": [{"name": "age", "type": "int"}]}

    for branches in ([record("A"), record("B")], [record("A"), {"type": "map", "values": "int"}]):
        text = event_schema({"name": "who", "type": branches})
        assert "'who.age'" in rejected(contract_of(Feature("who.age")), text).detail


@pytest.mark.parametrize(
    ("feature", "schema", "words"),
    [
        (Feature("f"), {"type": "array", "items": "int"}, "set its shape"),
        (Feature("f", shape=(2,)), "int", "expected an array"),
        (
            Feature("f", shape=(2, 2, 2)),
            {"type": "array", "items": {"type": "array", "items": "int"}},
            "nested 3 deep",
        ),
        (
            Feature("f", shape=(2,), encoding=Encoding.RAW),
            {"type": "array", "items": "int"},
            "bytes or fixed",
        ),
        (
            Feature("f", shape=(2,), encoding=Encoding.RAW),
            {"type": "fixed", "name": "F", "size": 9},
            "fixed of 8 bytes",
        ),
        (Feature("f", categories=("A",)), "int", "a string or an enum"),
        (Feature("f"), "string", "boolean, double, float, int, long for float32"),
    ],
)
def test_messages_say_what_was_expected(feature: Feature, schema: Any, words: str) -> None:
    assert words in misfit(feature, schema)


def test_policies_that_cannot_be_kept_are_refused() -> None:
    assert "has no NaN" in misfit(Feature("f", on_null=OnNull.NAN), "int", DType.INT64)
    assert "no default" in misfit(Feature("f", on_null=OnNull.DEFAULT), "int")
    listed = Feature("f", on_null=OnNull.DEFAULT, default="B", categories=("A",))
    assert "none of the categories" in misfit(listed, "string")


def test_codes_of_an_enum_are_by_name() -> None:
    found = column(
        Feature("f", categories=("RED", "BLUE")),
        {"type": "enum", "name": "C", "symbols": ["BLUE", "MAUVE", "RED"]},
    )
    assert isinstance(found.leaf, Enum)
    assert found.enum_codes(found.leaf) == (1, 2, 0)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("timestamp-millis", (MIN_TIME_MS, MAX_TIME_MS)),
        ("local-timestamp-micros", (MIN_TIME_MS * 1_000, MAX_TIME_MS * 1_000 + 999)),
        ("date", (-719_162, 2_932_896)),
        ("time-millis", (0, 86_399_999)),
        ("time-micros", (0, 86_399_999_999)),
        ("uuid", None),
        ("of-our-own", None),
    ],
)
def test_logical_types_have_their_range(name: str, expected: tuple[int, int] | None) -> None:
    assert logical_range(Logical(name)) == expected
    assert logical_range(None) is None
