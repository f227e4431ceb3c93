"""Laws of drafting: a draft is always a contract that can be read back, and says what to check."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.adapters.model.contract_draft import draft_contract
from stream_app.adapters.model.contract_file import dump_contract, parse_contract
from stream_app.core.contract import DType, Encoding, OnNull
from stream_app.core.contract_check import check_signature
from stream_app.core.signature import ModelSignature, TensorSignature
from stream_app.errors import ConfigError

SCORES = (
    TensorSignature("output_label", "int64", (None,)),
    TensorSignature("output_probability", "float32", (None, 2)),
)


def matrix(width: int | None, dtype: str = "float32") -> ModelSignature:
    return ModelSignature((TensorSignature("X", dtype, (None, width)),), SCORES)


def record(*fields: tuple[str, object], name: str = "Order") -> str:
    listed = [{"name": field, "type": kind} for field, kind in fields]
    return json.dumps({"type": "record", "name": name, "namespace": "shop", "fields": listed})


TIME = {"type": "long", "logicalType": "timestamp-millis"}
COLOURS = {"type": "enum", "name": "Colour", "symbols": ["red", "blue"]}
ORDER = record(
    ("note", "string"),
    ("createdAt", TIME),
    ("orderId", "string"),
    ("amount", "double"),
    ("customer", {"type": "record", "name": "C", "fields": [{"name": "age", "type": "int"}]}),
    ("colour", COLOURS),
    ("express", ["null", "boolean"]),
)


def test_numbers_and_enums_become_the_columns_of_one_matrix() -> None:
    contract, notes = draft_contract(matrix(4), ORDER)
    assert contract.record_names == ("shop.Order",)
    assert (contract.id_field, contract.time_field) == ("orderId", "createdAt")
    assert contract.feature_names == ("amount", "customer.age", "colour", "express")
    assert contract.features[2].categories == ("red", "blue")
    assert contract.features[3].on_null is OnNull.NAN
    assert {(o.field, o.output) for o in contract.outputs} == {
        ("label", "output_label"),
        ("scores", "output_probability"),
    }
    assert check_signature(contract, matrix(4)) == []
    assert [note.split(":")[0] for note in notes] == ['input "X"', "colour", "express"]


def test_strings_are_taken_only_as_far_as_columns_are_missing() -> None:
    contract, notes = draft_contract(matrix(5), ORDER)
    assert contract.feature_names == ("note", "amount", "customer.age", "colour", "express")
    assert "note: list its categories, in the order of the training's codes" in notes
    assert check_signature(contract, matrix(5)) == []


@pytest.mark.parametrize(("width", "columns"), [(2, 2), (9, 5)])
def test_another_number_of_columns_is_a_note_and_still_a_contract(width: int, columns: int) -> None:
    contract, notes = draft_contract(matrix(width), ORDER)
    assert len(contract.features) == columns
    assert any(f"the model wants {width} columns" in note for note in notes)


def test_inputs_with_names_are_filled_by_the_fields_of_those_names() -> None:
    signature = ModelSignature(
        (
            TensorSignature("Amount", "float32", (None, 1)),
            TensorSignature("customer_age", "int64", (None, 1)),
            TensorSignature("age", "int64", (None,)),
            TensorSignature("colour", "string", (None, 1)),
            TensorSignature("half", "float16", (None, 1)),
        ),
        SCORES,
    )
    contract, notes = draft_contract(signature, ORDER)
    fields = {tensor.name: tensor.features[0].field for tensor in contract.inputs}
    assert fields == {"Amount": "amount", "age": "customer.age", "colour": "colour"}
    assert [tensor.shape for tensor in contract.inputs] == [(1,), (), (1,)]
    assert contract.inputs[2].features[0].categories is None
    assert 'input "customer_age": no field has this name; add it by hand' in notes
    assert 'input "half": float16 cannot be filled by a contract' in notes


def test_bytes_become_the_tensor_of_an_image() -> None:
    image = ModelSignature((TensorSignature("pixels", "uint8", (None, 28, 28)),), SCORES)
    schema = record(("id", "long"), ("picture", "bytes"), ("width", "int"))
    contract, notes = draft_contract(image, schema)
    (feature,) = contract.features
    assert (feature.field, feature.shape, feature.encoding) == ("picture", (28, 28), Encoding.RAW)
    assert contract.inputs[0].shape == (28, 28)
    assert "picture: taken as a raw tensor; see its shape and byte order" in notes


def test_outputs_without_a_known_name_keep_their_own() -> None:
    signature = ModelSignature(
        matrix(1).inputs,
        (
            TensorSignature("dense/1:0", "float32", (None, 1)),
            TensorSignature("dense.1:0", "float32", (None, 1)),
            TensorSignature("maps", "seq(map(int64,tensor(float)))", None),
        ),
    )
    contract, notes = draft_contract(signature, record(("id", "string"), ("a", "int")))
    assert [output.field for output in contract.outputs] == ["dense_1_0", "dense_1_0_", "maps"]
    assert any("export without ZipMap" in note for note in notes)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ("{", "not a valid Avro schema"),
        ('"string"', "expected a record, found string"),
        (record(("a", "double")), "no field can name an event"),
        (record(("id", "string"), ("when", TIME)), "can fill an input of the model"),
    ],
)
def test_a_schema_that_leads_nowhere_is_told(schema: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        draft_contract(matrix(2), schema)


def test_a_guess_at_the_id_is_a_note() -> None:
    contract, notes = draft_contract(matrix(1), record(("code", "string"), ("a", "int")))
    assert contract.id_field == "code"
    assert "event.id: nothing is named like an id; 'code' is only a guess" in notes
    assert any(note.startswith("event.time: no timestamp field") for note in notes)


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,5}", fullmatch=True)
KINDS = st.sampled_from(
    [
        *("string", "bytes", "int", "long", "float", "double", "boolean"),
        *(TIME, {"type": "array", "items": "float"}, {"type": "map", "values": "int"}),
    ]
)
FIELDS = st.lists(
    st.tuples(NAMES, KINDS | st.tuples(st.just("null"), KINDS).map(list)),
    max_size=6,
    unique_by=lambda field: field[0],
)
SHAPES = st.none() | st.lists(st.none() | st.integers(-1, 5), max_size=3).map(tuple)
TENSORS = st.builds(TensorSignature, NAMES, st.sampled_from([*DType, "float16", "seq(x)"]), SHAPES)


@given(
    FIELDS, st.lists(TENSORS, max_size=3, unique_by=lambda t: t.name), st.lists(TENSORS, min_size=1)
)
def test_whatever_is_drafted_can_be_read_back(
    fields: list[tuple[str, object]], inputs: list[TensorSignature], outputs: list[TensorSignature]
) -> None:
    try:
        contract, notes = draft_contract(
            ModelSignature(tuple(inputs), tuple(outputs)), record(*fields)
        )
    except ConfigError as exc:
        assert str(exc).startswith("--schema: ")  # noqa: PT017  # the other outcome that is right
        return
    assert parse_contract(dump_contract(contract, notes).encode(), "draft") == contract
