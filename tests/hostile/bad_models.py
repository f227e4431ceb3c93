"""Bad model files, all of them: how each comes about, and what must be said of it.

``TABLE`` is the specification's. Each row damages a packed version as somebody who can also write
its manifest could.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from stream_app.adapters.model.golden_file import Golden, dump_golden, parse_golden
from stream_app.adapters.model.manifest_file import CONTRACT_FILE, GOLDEN_FILE, MODEL_FILE
from tests.onnx_models import CONTRACT, FLOAT, exchange, linear, model, node, value

Damage = Callable[[Path], None]
_IDENTITY = node("Identity", ["x"], ["y"])


@dataclass(frozen=True, slots=True)
class Row:
    """A bad version: how it comes about, and what must be said of it.

    Attributes:
        what: In the specification's words.
        damage: Is given the version's folder.
        file: Which file is named.
        told: Words of the message: the check, what was expected, what was found, what to do.
        settings: Of the start.
    """

    what: str
    damage: Damage
    told: tuple[str, ...]
    file: str = MODEL_FILE
    settings: tuple[str, ...] = ()


def _is(content: bytes) -> Damage:
    """The model is these bytes, and its hash is made to fit."""
    return lambda version: exchange(version, MODEL_FILE, content)


def _write(file: str, content: bytes, version: Path) -> None:
    (version / file).write_bytes(content)


def _changed(change: Callable[[onnx.ModelProto], None]) -> Damage:
    made = onnx.ModelProto.FromString(linear())
    change(made)
    return _is(made.SerializeToString())


def _flip_stored_bit(version: Path) -> None:
    content = bytearray((version / MODEL_FILE).read_bytes())
    content[-20] ^= 1
    (version / MODEL_FILE).write_bytes(content)


def _flip_weight(made: onnx.ModelProto) -> None:
    weight = made.graph.initializer[0]
    bits = numpy_helper.to_array(weight).view(np.int32) ^ (1 << 25)
    weight.CopyFrom(numpy_helper.from_array(bits.view(np.float32), "w"))


def _contract(old: bytes, new: bytes) -> Damage:
    def damage(version: Path) -> None:
        assert old in CONTRACT
        exchange(version, CONTRACT_FILE, CONTRACT.replace(old, new))

    return damage


def _golden_without_its_nan(version: Path) -> None:
    golden = parse_golden((version / GOLDEN_FILE).read_bytes(), "golden")
    assert np.isnan(golden.outputs["y"]).any(), "NaN in gives NaN out"
    outputs = {"y": np.nan_to_num(golden.outputs["y"])}
    exchange(version, GOLDEN_FILE, dump_golden(Golden(golden.inputs, outputs)))


def _golden_of_no_rows(version: Path) -> None:
    none = np.zeros((0, 2), dtype=np.float32)
    exchange(version, GOLDEN_FILE, dump_golden(Golden({"x": none}, {"y": none})))


def _golden_without_an_input(version: Path) -> None:
    rows = np.zeros((2, 2), dtype=np.float32)
    exchange(version, GOLDEN_FILE, dump_golden(Golden({"other": rows}, {"y": rows})))


def _weights_elsewhere(location: str) -> Damage:
    def change(made: onnx.ModelProto) -> None:
        weight = made.graph.initializer[0]
        weight.ClearField("raw_data")
        weight.data_location = TensorProto.EXTERNAL
        entry = weight.external_data.add()
        entry.key, entry.value = "location", location

    damage = _changed(change)

    def with_the_file(version: Path) -> None:
        secret = version.parent / "weights.bin"
        secret.write_bytes(np.array([2, 3], dtype=np.float32).tobytes())
        (version / "link.bin").symlink_to(secret)
        os.link(secret, version / "hard.bin")
        damage(version)

    return with_the_file


def _sparse_weights_elsewhere(made: onnx.ModelProto) -> None:
    values = numpy_helper.from_array(np.zeros(2, dtype=np.float32), "s")
    values.ClearField("raw_data")
    values.data_location = TensorProto.EXTERNAL
    entry = values.external_data.add()
    entry.key, entry.value = "location", "../weights.bin"
    indices = numpy_helper.from_array(np.arange(2), "indices")
    made.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [4]))


def _linked_out_of_its_folder(version: Path) -> None:
    outside = version.parent.parent / "elsewhere.onnx"
    (version / MODEL_FILE).rename(outside)
    (version / MODEL_FILE).symlink_to(outside)


_NO_CUSTOM = "libraries of custom operators are never loaded"
_OTHER_OPSET = "an opset that this ONNX Runtime supports"
_ONE_FILE = ("expected one file, found 1 tensors with external data (w)", "save it as one file")

TABLE = (
    Row("missing", lambda version: (version / MODEL_FILE).unlink(), ("No such file", "pack it")),
    Row(
        "empty",
        partial(_write, MODEL_FILE, b""),
        ("SHA-256 check failed", "promises", "the file has", "restore"),
    ),
    Row("no graph", _is(b"\x08\x0a"), ("No graph was found", "export the model again")),
    Row("garbage", _is(b"garbage" * 9), ("not an ONNX model", "export it again")),
    Row("truncated", _is(linear()[:-9]), ("not an ONNX model", "cut off", "export it again")),
    Row("opset 99", _is(model([_IDENTITY], opsets={"": 99})), (_OTHER_OPSET,)),
    Row("ir 99", _is(model([_IDENTITY], ir_version=99)), (_OTHER_OPSET,)),
    Row(
        "custom domain",
        _is(model([node("Foo", ["x"], ["y"], domain="acme")], opsets={"": 17, "acme": 1})),
        (_NO_CUSTOM,),
    ),
    Row("unknown operator", _is(model([node("Foo", ["x"], ["y"])])), ("No Op registered for Foo",)),
    Row(
        "a flipped bit in the file",
        _flip_stored_bit,
        ("SHA-256 check failed", "promises", "the file has"),
    ),
    Row(
        "a flipped bit in a weight, and a hash to fit",
        _changed(_flip_weight),
        ("golden vectors", 'output "y"', "expected", "found", "pack it again"),
    ),
    Row(
        "another dtype than the contract's",
        _contract(b'"float32"', b'"float64"'),
        ("float64 here, float32 in the model", 'set dtype = "float32"'),
        file=CONTRACT_FILE,
    ),
    Row(
        "another rank",
        _contract(b'dtype = "float32"', b'dtype = "float32"\nshape = [2, 1]'),
        ("[2, 1] here, [2] in the model", "another number of dimensions", "set shape = [2]"),
        file=CONTRACT_FILE,
    ),
    Row(
        "another dimension",
        _contract(b'[[inputs.features]]\nfield = "b"\n', b""),
        ("a row is [1] here", "[2] in the model", "add, remove or reshape features"),
        file=CONTRACT_FILE,
    ),
    Row(
        "a model's input that the contract has not",
        _is(
            model(
                [node("Add", ["x", "more"], ["y"])],
                inputs=[value("x", FLOAT, ["N", 2]), value("more", FLOAT, ["N", 2])],
            )
        ),
        ('the model\'s input "more" (float32[?, 2]) is missing', "add an [[inputs]]"),
        file=CONTRACT_FILE,
    ),
    Row(
        "an input that the model has not",
        _contract(b'name = "x"', b'name = "features"'),
        ('the model has no input "features", it has: "x"',),
        file=CONTRACT_FILE,
    ),
    Row(
        "golden vectors without an input",
        _golden_without_an_input,
        ("the golden vectors cannot be run", "pack the version again"),
    ),
    Row(
        "NaN where the golden vectors have none",
        _golden_without_its_nan,
        ("golden vectors", "expected 0.0, found nan"),
    ),
    Row(
        "golden vectors of no rows",
        _golden_of_no_rows,
        ("positive number of rows", "pack the version again"),
        file=GOLDEN_FILE,
    ),
    Row(
        "golden vectors that are none",
        lambda version: exchange(version, GOLDEN_FILE, b"no zip"),
        ("no golden vectors", "pack the version again"),
        file=GOLDEN_FILE,
    ),
    Row(
        "a provider that is not there",
        lambda version: None,
        ("expected CUDAExecutionProvider, but", "model.allow_cpu_fallback = true"),
        file="model.execution_provider",
        settings=("model.execution_provider=CUDAExecutionProvider",),
    ),
    Row("external data in ../", _weights_elsewhere("../weights.bin"), _ONE_FILE),
    Row("external data, absolute", _weights_elsewhere("/etc/passwd"), _ONE_FILE),
    Row("external data, a symbolic link", _weights_elsewhere("link.bin"), _ONE_FILE),
    Row("external data, a hard link", _weights_elsewhere("hard.bin"), _ONE_FILE),
    Row(
        "external data of a sparse tensor",
        _changed(_sparse_weights_elsewhere),
        ("expected one file, found 1 tensors with external data (s)",),
    ),
    Row("a link out of the version's folder", _linked_out_of_its_folder, ("outside of", "put")),
    Row(
        "a manifest that is none",
        partial(_write, "manifest.json", b"[" * 9_999),
        ("Invalid JSON", "pack the version again"),
        file="manifest.json",
    ),
    Row(
        "a contract without end",
        lambda version: exchange(version, CONTRACT_FILE, CONTRACT + b"z = " + b"[" * 9_999),
        ("not valid TOML",),
        file=CONTRACT_FILE,
    ),
)
