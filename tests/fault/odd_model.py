"""The example's model with one more term: 0 / (car_value + 1), which only some events notice.

Decides for which events the model's answer is not a number. For all others it is the example's,
to the bit.
"""

from functools import cache
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from stream_app.adapters.model.pack import pack_model
from tests.car_loan import BROKEN, EXAMPLE, Event, encoded

_MODEL = EXAMPLE / "models" / "car_loan" / "1"


def _without_an_answer(event: Event) -> bytes:
    """Zero divided by zero: the model's output for this event is NaN."""
    return encoded({**event, "car_value": -1.0})


BROKEN_WITH_NO_ANSWER = BROKEN | {
    "an output that is no number": ("NON_FINITE_OUTPUT", _without_an_answer)
}


def pack_odd_model(repository: Path) -> Path:
    """The model as version 1 of ``car_loan``; the folder of the version."""
    return pack_model(
        model=_content(),
        contract=(_MODEL / "contract.toml").read_bytes(),
        repository=repository,
        name="car_loan",
        version="1",
    )


@cache
def _content() -> bytes:
    model = onnx.load(_MODEL / "model.onnx")
    graph = model.graph
    last = next(node for node in graph.node if "probabilities" in node.output)
    last.output[list(last.output).index("probabilities")] = "plain"
    for node in graph.node:
        node.input[:] = ["plain" if name == "probabilities" else name for name in node.input]
    constants = {
        "first": np.array([0], dtype=np.int64),
        "one": np.array([1.0], dtype=np.float32),
        "zero": np.array([0.0], dtype=np.float32),
    }
    graph.initializer.extend(numpy_helper.from_array(a, name) for name, a in constants.items())
    graph.node.extend(
        [
            helper.make_node("Gather", ["features", "first"], ["car_value"], axis=1),
            helper.make_node("Add", ["car_value", "one"], ["divisor"]),
            helper.make_node("Div", ["zero", "divisor"], ["nothing"]),
            helper.make_node("Add", ["plain", "nothing"], ["probabilities"]),
        ]
    )
    return bytes(model.SerializeToString(deterministic=True))
