"""Laws of the contract's check: each way not to fit a model is one line with its remedy."""

from dataclasses import replace

import pytest

from stream_app.core.contract import (
    Contract,
    DType,
    Encoding,
    Feature,
    InputTensor,
    OnNull,
    OutputBinding,
)
from stream_app.core.contract_check import check_signature
from stream_app.core.contract_rules import check_contract
from stream_app.core.signature import ModelSignature, TensorSignature

FITS = Contract(
    record_names=(),
    id_field="id",
    time_field=None,
    inputs=(InputTensor("x", DType.FLOAT32, (Feature("a"), Feature("b")), (2,)),),
    outputs=(OutputBinding("scores", "probabilities"), OutputBinding("label", "label", 0)),
)
SIGNATURE = ModelSignature(
    (TensorSignature("x", "float32", (None, 2)),),
    (
        TensorSignature("label", "int64", (None,)),
        TensorSignature("probabilities", "float32", (None, 3)),
    ),
)


def with_feature(feature: Feature, dtype: DType = DType.FLOAT32) -> Contract:
    tensor = InputTensor("x", dtype, (feature, Feature("b")), (feature.width + 1,))
    return replace(FITS, inputs=(tensor,))


def with_input(
    name: str = "x", dtype: str = "float32", shape: object = (None, 2)
) -> ModelSignature:
    return replace(SIGNATURE, inputs=(TensorSignature(name, dtype, shape),))  # type: ignore[arg-type]  # shorter tables


def test_a_contract_that_fits_has_no_faults() -> None:
    assert check_signature(FITS, SIGNATURE) == []
    assert check_signature(FITS, with_input(shape=None)) == []
    assert check_signature(FITS, with_input(shape=(None, None))) == []


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        (with_input(dtype="float64"), 'float32 here, float64 in the model; set dtype = "float64"'),
        (with_input(dtype="float16"), "export the model with such an input"),
        (with_input(shape=()), "a single value, not rows"),
        (
            with_input(shape=(1, 2)),
            "batch dimension is fixed to 1; export the model with a dynamic",
        ),
        (with_input(shape=(None, 2, 1)), "another number of dimensions; set shape = [2, 1]"),
        (
            with_input(shape=(None, 3)),
            "a row is [2] here (features fill 2 values), [3] in the model",
        ),
    ],
)
def test_an_input_that_differs_is_told_with_its_remedy(
    signature: ModelSignature, expected: str
) -> None:
    (fault,) = check_signature(FITS, signature)
    assert fault.startswith('inputs.0 ("x")')
    assert expected in fault


def test_an_unknown_name_suggests_the_closest_one_and_names_what_is_not_filled() -> None:
    faults = check_signature(
        replace(FITS, inputs=(replace(FITS.inputs[0], name="feature"),)), with_input("features")
    )
    assert (
        'the model has no input "feature", it has: "features"; did you mean "features"?'
        in (faults[0])
    )
    assert faults[1].startswith('inputs: the model\'s input "features" (float32[?, 2]) is missing')


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (OutputBinding("scores", "probability"), 'did you mean "probabilities"?'),
        (OutputBinding("scores", "probabilities", 3), "columns are 0 to 2; choose one of them"),
        (OutputBinding("scores", "label", 1), "columns are 0 to 0"),
    ],
)
def test_an_output_that_is_not_there_is_told(output: OutputBinding, expected: str) -> None:
    (fault,) = check_signature(replace(FITS, outputs=(output,)), SIGNATURE)
    assert fault.startswith('outputs.0 ("scores").')
    assert expected in fault


def test_maps_as_outputs_are_told_with_the_option_that_removes_them() -> None:
    maps = TensorSignature("probabilities", "seq(map(int64,tensor(float)))", None)
    (fault,) = check_signature(FITS, replace(SIGNATURE, outputs=(SIGNATURE.outputs[0], maps)))
    assert "'zipmap': False" in fault


def test_a_column_of_unknown_width_is_left_to_the_warm_up() -> None:
    wide = TensorSignature("probabilities", "float32", (None, None))
    outputs = (OutputBinding("scores", "probabilities", 7),)
    assert (
        check_signature(replace(FITS, outputs=outputs), replace(SIGNATURE, outputs=(wide,))) == []
    )


@pytest.mark.parametrize(
    ("contract", "expected"),
    [
        (with_feature(Feature("a", on_null=OnNull.NAN), DType.INT64), '"nan" needs a float input'),
        (with_feature(Feature("a", on_null=OnNull.DEFAULT)), "is needed with on_null"),
        (with_feature(Feature("a", default=1.0)), 'is only used with on_null = "default"'),
        (with_feature(Feature("a", on_null=OnNull.DEFAULT, default="a")), "is not a number"),
        (with_feature(Feature("a", on_null=OnNull.DEFAULT, default=True)), "is not a number"),
        (
            with_feature(Feature("a", on_null=OnNull.DEFAULT, default=1e39)),
            "is not finite in float32",
        ),
        (with_feature(Feature("a", on_null=OnNull.DEFAULT, default=float("nan"))), "is not finite"),
        (
            with_feature(Feature("a", on_null=OnNull.DEFAULT, default=1.5), DType.INT64),
            "no whole number",
        ),
        (
            with_feature(Feature("a", on_null=OnNull.DEFAULT, default=256), DType.UINT8),
            "no whole number",
        ),
        (
            with_feature(Feature("a", on_null=OnNull.DEFAULT, default=1), DType.BOOL),
            "is not a boolean",
        ),
        (
            with_feature(Feature("a", on_null=OnNull.DEFAULT, default=1), DType.STRING),
            "is not a string",
        ),
        (with_feature(Feature("a", categories=())), "the list is empty"),
        (with_feature(Feature("a", categories=("u", "u"))), "category 'u' is there twice"),
        (with_feature(Feature("a", categories=("u",)), DType.STRING), "codes are numbers"),
        (
            with_feature(Feature("a", categories=tuple(map(str, range(256)))), DType.UINT8),
            "use int64",
        ),
        (
            with_feature(Feature("a", categories=("u",), on_null=OnNull.DEFAULT, default="v")),
            "'v' is not in categories",
        ),
        (with_feature(Feature("a", categories=("u",), shape=(2,))), "arrays of categories"),
        (with_feature(Feature("a", encoding=Encoding.RAW)), "needs the shape"),
        (
            with_feature(Feature("a", encoding=Encoding.RAW, shape=(2,), categories=("u",))),
            '"raw" has none',
        ),
        (
            with_feature(Feature("a", encoding=Encoding.RAW, shape=(2,)), DType.STRING),
            "cannot be strings",
        ),
        (with_feature(Feature("b")), "field 'b' is there twice"),
        (with_feature(Feature("a b")), "not a dotted path"),
        (with_feature(Feature("a", aliases=("1",))), "not a dotted path"),
        (replace(FITS, inputs=()), "inputs: none are given"),
        (replace(FITS, outputs=()), "outputs: none are given"),
        (replace(FITS, time_field=""), "event.time: ''"),
        (replace(FITS, record_names=("a..b",)), "event.records: 'a..b'"),
        (replace(FITS, inputs=FITS.inputs * 2), "name 'x' is there twice"),
        (replace(FITS, outputs=FITS.outputs[:1] * 2), "field 'scores' is there twice"),
        (replace(FITS, outputs=(OutputBinding("a-b", "y"),)), "not a name that Avro allows"),
        (replace(FITS, outputs=(OutputBinding("a", "y", -1),)), "is negative"),
        (replace(FITS, inputs=(InputTensor("x", DType.BOOL, (), ()),)), "none are given"),
        (
            replace(FITS, inputs=(replace(FITS.inputs[0], shape=(2, 0)),)),
            "[2, 0] has a size below 1",
        ),
    ],
)
def test_a_contract_that_contradicts_itself_is_told(contract: Contract, expected: str) -> None:
    faults = check_contract(contract)
    assert any(expected in fault for fault in faults), faults
    assert check_signature(contract, SIGNATURE)[: len(faults)] == faults
