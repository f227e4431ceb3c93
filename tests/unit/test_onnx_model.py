"""Laws of loading and running: a model that is not what it should be never scores."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from stream_app.adapters.model.golden_file import Golden, dump_golden, parse_golden
from stream_app.adapters.model.manifest_file import (
    GOLDEN_FILE,
    MODEL_FILE,
)
from stream_app.adapters.model.onnx_model import OnnxModel, load_model, read_signature
from stream_app.adapters.model.onnx_session import open_session
from stream_app.adapters.model.repository import ModelRepository
from stream_app.core.signature import TensorSignature
from stream_app.errors import (
    ConfigError,
    DeviceOutOfMemoryError,
    ExitStatus,
    ModelRunError,
)
from stream_app.ports import Model
from stream_app.settings import ModelSettings
from tests.onnx_models import (
    CONTRACT,
    FLOAT,
    INT64,
    STRING,
    exchange,
    greedy,
    linear,
    lookup,
    model,
    node,
    pack,
    value,
)

SETTINGS = ModelSettings()
ROWS = np.array([[0.0, 1.0], [2.0, 3.0]], dtype=np.float32)


def loaded(repository: Path, content: bytes, *sizes: int) -> OnnxModel:
    pack(repository, content)
    return load_model(ModelRepository(repository).open("model"), SETTINGS, sizes or (1,))


def refused(content: bytes, settings: ModelSettings = SETTINGS) -> str:
    with pytest.raises(ConfigError) as caught:
        open_session(content, "m/model.onnx", settings)
    assert caught.value.exit_status is ExitStatus.CONFIG
    return str(caught.value)


def test_a_model_answers_by_name_and_says_what_it_is(tmp_path: Path) -> None:
    scorer: Model = loaded(tmp_path, linear())
    assert (scorer.name, scorer.version, len(scorer.content_hash)) == ("model", "1", 12)
    scores = scorer.run({"x": ROWS})["y"].astype(np.float64)
    expected = 1 / (1 + np.exp(-(ROWS @ np.array([[2.0], [3.0]]))))
    np.testing.assert_allclose(scores, expected, rtol=1e-5)


def test_a_signature_has_names_types_and_what_is_fixed(tmp_path: Path) -> None:
    content = model(
        [node("Identity", ["x"], ["y"]), node("Identity", ["s"], ["t"])],
        inputs=[value("x", FLOAT, ["N", None, 3]), value("s", STRING, None)],
        outputs=[value("y", FLOAT, ["N", None, 3]), value("t", STRING, ["N"])],
    )
    path = tmp_path / "any.onnx"
    path.write_bytes(content)
    assert read_signature(path).inputs == (
        TensorSignature("x", "float32", (None, None, 3)),
        TensorSignature("s", "string", None),
    )
    assert read_signature(path).outputs[1] == TensorSignature("t", "string", (None,))
    with pytest.raises(ConfigError, match="cannot be read"):
        read_signature(tmp_path / "absent.onnx")


FOO = node("Foo", ["x"], ["y"])
IDENTITY = node("Identity", ["x"], ["y"])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "No graph was found in the protobuf.; the file holds no graph"),
        (b"garbage" * 9, "not an ONNX model (wire type 7 at byte 0"),
        (linear()[:-9], "not an ONNX model (the field at byte"),
        (b"ORTM" + b"\x00" * 64, "not an ONNX model"),
        (model([IDENTITY], opsets={"": 99}), "an opset that this ONNX Runtime supports"),
        (model([IDENTITY], ir_version=99), "an opset that this ONNX Runtime supports"),
        (model([FOO]), "No Op registered for Foo"),
        (
            model([node("Foo", ["x"], ["y"], domain="acme")], opsets={"": 17, "acme": 1}),
            "libraries of custom operators are never loaded",
        ),
        (
            model(
                [node("EPContext", ["x"], ["y"], domain="com.microsoft", ep_cache_context="../c")],
                opsets={"": 17, "com.microsoft": 1},
            ),
            "found a compiled one (EPContext)",
        ),
        (
            model([node("MatMul", ["x", "w"], ["y"])], constants={"w": np.zeros((3, 1))}),
            "export",
        ),
    ],
    ids=[
        "empty",
        "garbage",
        "cut",
        "format of ONNX Runtime",
        "opset 99",
        "ir 99",
        "unknown operator",
        "custom domain",
        "compiled",
        "types that do not fit",
    ],
)
def test_a_file_that_is_no_model_for_us_is_refused(content: bytes, expected: str) -> None:
    text = refused(content)
    assert text.startswith("m/model.onnx: ")
    assert expected in text


def pointing_elsewhere(location: str) -> bytes:
    made = onnx.ModelProto.FromString(linear())
    weight = made.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    for key, text in (("location", location), ("length", "8")):
        entry = weight.external_data.add()
        entry.key, entry.value = key, text
    return bytes(made.SerializeToString())


@pytest.mark.parametrize("location", ["weights.bin", "../weights.bin", "/etc/passwd", "*/_ORT_MEM"])
def test_external_data_is_refused_wherever_it_is(
    location: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "weights.bin").write_bytes(np.array([2, 3], dtype=np.float32).tobytes())
    monkeypatch.chdir(tmp_path)
    text = refused(pointing_elsewhere(location))
    assert "expected one file, found 1 tensors with external data (w)" in text
    assert "save_as_external_data=False" in text


def with_weight(change: Callable[[np.ndarray], np.ndarray]) -> bytes:
    made = onnx.ModelProto.FromString(linear())
    weight = made.graph.initializer[0]
    weight.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(weight)), "w"))
    return bytes(made.SerializeToString())


def test_a_flipped_bit_of_a_weight_is_found_even_when_the_hash_was_made_to_fit(
    tmp_path: Path,
) -> None:
    version = pack(tmp_path, linear())
    flipped = with_weight(lambda w: (w.view(np.int32) ^ (1 << 25)).view(np.float32))
    exchange(version, MODEL_FILE, flipped)
    files = ModelRepository(tmp_path).open("model")
    with pytest.raises(ConfigError) as caught:
        load_model(files, SETTINGS)
    text = str(caught.value)
    assert text.startswith(f'{version / MODEL_FILE}: golden vectors: output "y": ')
    assert "values differ, the first at" in text
    assert "expected" in text
    assert "found" in text


def test_a_change_within_the_tolerance_is_none(tmp_path: Path) -> None:
    version = pack(tmp_path, linear())
    exchange(version, MODEL_FILE, with_weight(lambda w: w * np.float32(1 + 1e-7)))
    assert load_model(ModelRepository(tmp_path).open("model"), SETTINGS).name == "model"


def test_outputs_that_were_not_finite_must_be_so_again(tmp_path: Path) -> None:
    version = pack(tmp_path, linear())
    golden = parse_golden((version / GOLDEN_FILE).read_bytes(), "golden")
    assert np.isnan(golden.outputs["y"]).any()
    finite = np.nan_to_num(golden.outputs["y"])
    exchange(version, GOLDEN_FILE, dump_golden(Golden(golden.inputs, {"y": finite})))
    with pytest.raises(ConfigError, match=r"8 of 64 values differ.*expected 0\.0, found nan"):
        load_model(ModelRepository(tmp_path).open("model"), SETTINGS)


def test_a_contract_that_does_not_fit_is_told_before_anything_runs(tmp_path: Path) -> None:
    version = pack(tmp_path, linear())
    wrong = CONTRACT.replace(b'output = "y"', b'output = "z"').replace(b'"float32"', b'"float64"')
    exchange(version, "contract.toml", wrong)
    with pytest.raises(ConfigError) as caught:
        load_model(ModelRepository(tmp_path).open("model"), SETTINGS)
    lines = str(caught.value).split("\n")
    assert [line.startswith(f"{version / 'contract.toml'}: ") for line in lines] == [True, True]
    assert 'set dtype = "float32"' in lines[0]
    assert 'the model has no output "z", it has: "y"' in lines[1]


def test_a_model_that_mixes_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='output "y" has another number of rows'):
        pack(tmp_path, model([node("Flatten", ["x"], ["y"], axis=0)]))


def test_a_provider_that_is_not_there_is_an_error_unless_allowed(tmp_path: Path) -> None:
    missing = ModelSettings(execution_provider="RocketExecutionProvider")
    text = refused(linear(), missing)
    assert "model.execution_provider: expected RocketExecutionProvider, but this ONNX" in text
    assert "model.allow_cpu_fallback = true" in text

    pack(tmp_path, linear())
    allowed = missing.model_copy(update={"allow_cpu_fallback": True})
    files = ModelRepository(tmp_path).open("model")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scorer = load_model(files, allowed)
    assert scorer.execution_provider == "CPUExecutionProvider"
    assert "scoring on the CPU instead of RocketExecutionProvider" in scorer.warnings[0]


def test_dynamic_quantisation_is_warned_about(tmp_path: Path) -> None:
    nodes = [
        node("DynamicQuantizeLinear", ["x"], ["q", "scale", "zero"]),
        node("DequantizeLinear", ["q", "scale", "zero"], ["y"]),
    ]
    contract = CONTRACT.replace(b'on_null = "nan"', b"")
    pack(tmp_path, model(nodes), contract=contract)
    scorer = load_model(ModelRepository(tmp_path).open("model"), SETTINGS)
    (warning,) = scorer.warnings
    assert "quantised dynamically (DynamicQuantizeLinear)" in warning
    assert loaded(tmp_path / "other", linear()).warnings == ()


def test_the_warm_up_runs_each_size_and_measures_it(tmp_path: Path) -> None:
    scorer = loaded(tmp_path, linear(), 512, 1, 1)
    assert 0 < scorer.seconds_per_row < 1e-3
    assert [rows for rows, _ in scorer.curve.points] == [1, 512]
    assert scorer.curve.run_s(512) == pytest.approx(512 * scorer.seconds_per_row)


def test_a_batch_that_does_not_fit_is_found_by_the_warm_up(tmp_path: Path) -> None:
    pack(tmp_path, greedy())
    files = ModelRepository(tmp_path).open("model")
    assert load_model(files, SETTINGS, (64,)).name == "model"
    with pytest.raises(ConfigError, match=r"warm-up with 1048576 rows .*lower batch\.max_records"):
        load_model(files, SETTINGS, (64, 1 << 20))


def test_no_memory_for_so_many_rows_is_told_apart_and_fewer_rows_still_run() -> None:
    session = open_session(greedy(1 << 32), "m", SETTINGS).session
    with pytest.raises(DeviceOutOfMemoryError, match=r"\(ConstantOfShape\).*lower batch"):
        session.run({"x": np.zeros((256, 2), dtype=np.float32)})
    small = open_session(greedy(4), "m", SETTINGS).session
    assert small.run({"x": np.zeros((3, 2), dtype=np.float32)})["y"].shape == (3, 4)


def test_a_row_that_makes_the_model_fail_is_named_without_its_values(
    capfd: pytest.CaptureFixture[str],
) -> None:
    session = open_session(lookup(), "m", SETTINGS).session
    good = session.run({"x": np.full((2, 2), 3, dtype=np.float32)})
    assert good["y"].tolist() == [[3, 3], [3, 3]]
    with pytest.raises(ModelRunError) as caught:
        session.run({"x": np.array([[0, 1], [2, 777]], dtype=np.float32)})
    assert str(caught.value) == 'the model fails in node "the table" (Gather)'
    assert "777" in str(caught.value.__cause__)
    assert capfd.readouterr() == ("", "")


def test_strings_and_integers_go_in_and_come_out(tmp_path: Path) -> None:
    contract = b"""
    format = 1
    event = { id = "id" }
    [[inputs]]
    name = "words"
    dtype = "string"
    features = [{ field = "a" }]
    [[inputs]]
    name = "numbers"
    dtype = "int64"
    features = [{ field = "b" }]
    [[outputs]]
    field = "scores"
    output = "twice"
    [[outputs]]
    field = "label"
    output = "same"
    """
    content = model(
        [node("Identity", ["words"], ["same"]), node("Add", ["numbers", "numbers"], ["twice"])],
        inputs=[value("words", STRING, ["N", 1]), value("numbers", INT64, ["N", 1])],
        outputs=[value("same", STRING, ["N", 1]), value("twice", INT64, ["N", 1])],
    )
    pack(tmp_path, content, contract=contract)
    scorer = load_model(ModelRepository(tmp_path).open("model"), SETTINGS, (1, 8))
    words = np.array([["größer"], [""]], dtype=object)
    outputs = scorer.run({"words": words, "numbers": np.array([[1], [2]])})
    assert outputs["same"].tolist() == words.tolist()
    assert outputs["twice"].tolist() == [[2], [4]]
