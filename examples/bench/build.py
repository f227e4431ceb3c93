"""Make the models of ``stream-app bench``: a network, an ensemble of trees, a convolution.

    python examples/bench/build.py

needs stream-app itself and onnx. The weights are drawn, not learnt: what a model costs does not
depend on whether it is right. They come from a seeded generator, so the same versions of the
packages give the same files.

All three read the same twelve columns of the same event, so that one topic serves all and a
difference between two runs is the model's. The convolution, too: it takes the row as a signal of
one channel and twelve steps instead of an array field of its own, whose decoding would then be
measured with it.
"""

import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, TensorProto, checker, helper, numpy_helper

from stream_app.adapters.model.contract_file import dump_contract
from stream_app.adapters.model.pack import pack_model
from stream_app.bench.events import CHANNELS, make_readings
from stream_app.core.contract import Contract, DType, Feature, InputTensor, OnNull, OutputBinding

HERE = Path(__file__).resolve().parent
MODES = ("IDLE", "RAMP", "HOLD", "COOL", "FAULT")
FEATURES = (
    *(Feature(f"channel_{number + 1}") for number in range(CHANNELS)),
    Feature("cycles"),
    Feature("mode", categories=MODES),
    # Null in a fifth of the events; the mean of the rest.
    Feature("vibration", on_null=OnNull.DEFAULT, default=2.0),
    Feature("measured_at"),
)
WIDTH = len(FEATURES)
BEGIN_MS = 1_750_000_000_000
SAMPLES = 64
SEED = 7

MEAN = np.array([0.0] * CHANNELS + [4_000.0, 2.0, 2.0, float(BEGIN_MS)], dtype=np.float32)
SCALE = np.array([1.0] * CHANNELS + [5e-4, 0.7, 0.7, 1e-12], dtype=np.float32)
"""What makes columns comparable; it is part of the graph, as in a real model."""

HIDDEN = 64
TREES, DEPTH = 100, 6
KERNELS, KERNEL_STEPS = (32, 64), 3


class Graph:
    """Nodes and weights, one after another."""

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        self.nodes: list[object] = []
        self.weights: list[object] = []

    def add(self, operator: str, *inputs: str, **attributes: object) -> str:
        """A node; the name of what comes out."""
        name = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def weight(self, values: npt.NDArray[np.generic]) -> str:
        """A constant; its name."""
        name = f"weight_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def drawn(self, *shape: int) -> str:
        """Weights that keep the size of what they are multiplied with."""
        spread = 1.0 / np.sqrt(np.prod(shape[1:]))
        return self.weight(self._random.normal(0.0, spread, shape).astype(np.float32))

    def comparable(self) -> str:
        """The input with its columns on one scale."""
        centred = self.add("Sub", "features", self.weight(MEAN))
        return self.add("Mul", centred, self.weight(SCALE))

    def dense(self, source: str, width_in: int, width_out: int) -> str:
        """A layer of a network."""
        bias = self.weight(np.zeros(width_out, dtype=np.float32))
        return self.add("Gemm", source, self.drawn(width_out, width_in), bias, transB=1)

    def model(self, name: str, last: str) -> ModelProto:
        """All of it, with ``last`` as its scores."""
        self.nodes.append(helper.make_node("Identity", [last], ["scores"]))
        graph = helper.make_graph(
            self.nodes,
            name,
            [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, WIDTH])],
            [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [None, 1])],
            self.weights,
        )
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="bench")
        checker.check_model(model)
        return model


def mlp(random: np.random.Generator) -> ModelProto:
    """12-64-64-1."""
    graph = Graph(random)
    first = graph.add("Relu", graph.dense(graph.comparable(), WIDTH, HIDDEN))
    second = graph.add("Relu", graph.dense(first, HIDDEN, HIDDEN))
    return graph.model("mlp", graph.dense(second, HIDDEN, 1))


def cnn(random: np.random.Generator) -> ModelProto:
    """Two convolutions over the row and a dense layer."""
    graph = Graph(random)
    shape = graph.weight(np.array([-1, 1, WIDTH], dtype=np.int64))
    layer, channels = graph.add("Reshape", graph.comparable(), shape), 1
    for kernels in KERNELS:
        weights = graph.drawn(kernels, channels, KERNEL_STEPS)
        layer = graph.add("Relu", graph.add("Conv", layer, weights, pads=[1, 1]))
        channels = kernels
    flat = graph.add("Flatten", layer)
    return graph.model("cnn", graph.dense(flat, channels * WIDTH, 1))


def trees(random: np.random.Generator) -> ModelProto:
    """Complete trees, as boosting to a depth of six makes them.

    Thresholds are the columns' own quantiles, so that each split parts the events: a branch that
    always goes the same way would cost nothing.
    """
    rows = matrix(4_096)
    splits, nodes = 2**DEPTH - 1, 2 ** (DEPTH + 1) - 1
    node = np.tile(np.arange(nodes), TREES)
    tree = np.repeat(np.arange(TREES), nodes)
    is_leaf = node >= splits
    column = np.where(is_leaf, 0, random.integers(0, WIDTH - 1, len(node)))
    quantile = random.uniform(0.2, 0.8, len(node))
    threshold = np.array(
        [np.quantile(rows[:, c], q) for c, q in zip(column, quantile, strict=True)]
    )
    graph = Graph(random)
    last = graph.add(
        "TreeEnsembleRegressor",
        "features",
        domain="ai.onnx.ml",
        n_targets=1,
        nodes_treeids=tree.tolist(),
        nodes_nodeids=node.tolist(),
        nodes_featureids=column.tolist(),
        nodes_modes=["LEAF" if leaf else "BRANCH_LEQ" for leaf in is_leaf],
        nodes_values=np.where(is_leaf, 0.0, threshold).astype(np.float32).tolist(),
        nodes_truenodeids=np.where(is_leaf, 0, 2 * node + 1).tolist(),
        nodes_falsenodeids=np.where(is_leaf, 0, 2 * node + 2).tolist(),
        target_treeids=tree[is_leaf].tolist(),
        target_nodeids=node[is_leaf].tolist(),
        target_ids=[0] * int(is_leaf.sum()),
        target_weights=random.normal(0.0, 0.05, int(is_leaf.sum())).astype(np.float32).tolist(),
    )
    return graph.model("trees", last)


def matrix(count: int) -> npt.NDArray[np.float32]:
    """What the contract makes of the bench's own events."""
    fields = make_readings(0, count, BEGIN_MS).fields
    rows = np.stack([fields[feature.field] for feature in FEATURES], axis=1)
    defaults = np.array([float(feature.default or 0.0) for feature in FEATURES])
    return np.where(np.isnan(rows), defaults, rows).astype(np.float32)


def contract() -> Contract:
    """The same for all of them."""
    return Contract(
        record_names=("io.streamapp.bench.Reading",),
        id_field="reading_id",
        time_field="measured_at",
        inputs=(InputTensor("features", DType.FLOAT32, FEATURES, (WIDTH,)),),
        outputs=(OutputBinding("scores", "scores"),),
    )


def main() -> None:
    """Version 1 of each, replaced on purpose."""
    shutil.rmtree(HERE / "models", ignore_errors=True)
    for make in (mlp, trees, cnn):
        folder = pack_model(
            model=make(np.random.default_rng(SEED)).SerializeToString(deterministic=True),
            contract=dump_contract(contract()).encode(),
            repository=HERE / "models",
            name=make.__name__,
            version="1",
            samples={"features": matrix(SAMPLES)},
            created_by="examples/bench/build.py",
        )
        size = (folder / "model.onnx").stat().st_size
        print(f"{make.__name__:6} {size:8,} bytes")


if __name__ == "__main__":
    main()
