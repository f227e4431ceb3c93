"""Small ONNX models made on the spot, and the contracts that go with them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from stream_app.adapters.model.manifest_file import FileEntry, parse_manifest
from stream_app.adapters.model.pack import pack_model

FLOAT, INT64, STRING = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING

CONTRACT = b"""
format = 1
[event]
id = "id"
[[inputs]]
name = "x"
dtype = "float32"
[[inputs.features]]
field = "a"
on_null = "nan"
[[inputs.features]]
field = "b"
[[outputs]]
field = "scores"
output = "y"
"""
"""For any model of :func:`model`: ``x`` is float32 [N, 2], ``y`` anything."""


def value(name: str, dtype: int, shape: Sequence[int | str | None] | None) -> object:
    """An input or output."""
    return helper.make_tensor_value_info(name, dtype, shape)


def model(
    nodes: Sequence[object],
    *,
    inputs: Sequence[object] | None = None,
    outputs: Sequence[object] | None = None,
    constants: dict[str, np.ndarray] | None = None,
    opsets: dict[str, int] | None = None,
    ir_version: int = 10,
) -> bytes:
    """A model of these nodes; ``x`` float32 [N, 2] in and ``y`` float32 out unless told."""
    graph = helper.make_graph(
        list(nodes),
        "graph",
        list(inputs or [value("x", FLOAT, ["N", 2])]),
        list(outputs or [value("y", FLOAT, None)]),
        [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()],
    )
    ids = [helper.make_opsetid(domain, version) for domain, version in (opsets or {"": 17}).items()]
    made = helper.make_model(graph, opset_imports=ids, ir_version=ir_version)
    return bytes(made.SerializeToString(deterministic=True))


def node(operator: str, inputs: Sequence[str], outputs: Sequence[str], **options: object) -> object:
    """A node."""
    return helper.make_node(operator, list(inputs), list(outputs), **options)


def linear() -> bytes:
    """``y = sigmoid(2 a + 3 b)``: one column of scores."""
    return model(
        [node("MatMul", ["x", "w"], ["z"]), node("Sigmoid", ["z"], ["y"])],
        constants={"w": np.array([[2.0], [3.0]], dtype=np.float32)},
    )


def lookup() -> bytes:
    """``y = table[x]``: fails on every row with a cell outside 0..3."""
    return model(
        [
            node("Cast", ["x"], ["i"], to=INT64),
            node("Gather", ["table", "i"], ["y"], name="the table"),
        ],
        constants={"table": np.arange(4, dtype=np.float32)},
    )


def greedy(elements_per_row: int | None = None) -> bytes:
    """An output of so many floats a row, or of one for each row: short of memory on purpose."""
    return model(
        [
            node("Shape", ["x"], ["shape"]),
            node("Gather", ["shape", "first"], ["rows"], axis=0),
            node("Concat", ["rows", "width" if elements_per_row else "rows"], ["wanted"], axis=0),
            node("ConstantOfShape", ["wanted"], ["y"]),
        ],
        constants={
            "first": np.array([0], dtype=np.int64),
            "width": np.array([elements_per_row or 0], dtype=np.int64),
        },
    )


def pack(repository: Path, content: bytes, version: str = "1", contract: bytes = CONTRACT) -> Path:
    """The model as a version of ``model`` in ``repository``."""
    return pack_model(
        model=content, contract=contract, repository=repository, name="model", version=version
    )


def exchange(version: Path, file: str, content: bytes) -> None:
    """Change a file of a version, and its hash with it."""
    (version / file).write_bytes(content)
    manifest = parse_manifest((version / "manifest.json").read_bytes(), "manifest.json")
    files = {**manifest.files, file: FileEntry.of(content)}
    (version / "manifest.json").write_bytes(manifest.model_copy(update={"files": files}).to_json())
