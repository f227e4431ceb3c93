"""The example's model with a table that is looked up by `car_value`, and too short for a canary.

ONNX Runtime then fails at run time, and quotes the value in its message: the model that a test
needs which looks for payload values in logs.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from stream_app.adapters.model.pack import pack_model
from tests.car_loan import EXAMPLE

LONGEST = 900_000
_MODEL = EXAMPLE / "models" / "car_loan" / "1"


def pack_quoting_model(repository: Path) -> None:
    """The model as version 1 of ``car_loan``."""
    model = onnx.load(_MODEL / "model.onnx")
    graph = model.graph
    last = next(node for node in graph.node if "probabilities" in node.output)
    last.output[list(last.output).index("probabilities")] = "plain"
    for node in graph.node:
        node.input[:] = ["plain" if name == "probabilities" else name for name in node.input]
    constants = {
        "first": np.array([0], dtype=np.int64),
        "table": np.zeros(LONGEST, dtype=np.float32),
    }
    graph.initializer.extend(numpy_helper.from_array(a, name) for name, a in constants.items())
    graph.node.extend(
        [
            helper.make_node("Gather", ["features", "first"], ["car_value"], axis=1),
            helper.make_node("Cast", ["car_value"], ["place"], to=TensorProto.INT64),
            helper.make_node("Gather", ["table", "place"], ["nothing"], axis=0, name="lookup"),
            helper.make_node("Add", ["plain", "nothing"], ["probabilities"]),
        ]
    )
    pack_model(
        model=model.SerializeToString(),
        contract=(_MODEL / "contract.toml").read_bytes(),
        repository=repository,
        name="car_loan",
        version="1",
    )
