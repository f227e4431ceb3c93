"""ONNX Runtime as an engineer would call it by hand: a session from a file, and ``run``.

Decides nothing but the number of threads, which is the worker's setting.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnxruntime as ort

from stream_app.core.columns import Tensor


class PlainModel:
    """A model without checks of any kind."""

    def __init__(self, path: Path, threads: int) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        providers = ["CPUExecutionProvider"]
        self._session: Any = ort.InferenceSession(path, options, providers=providers)
        self._outputs = [node.name for node in self._session.get_outputs()]

    def run(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The model's outputs, by name."""
        return dict(zip(self._outputs, self._session.run(None, tensors), strict=True))
