"""What a model says about itself: its inputs and outputs, with types and shapes.

Decides only how a signature is written down, so that a contract can be checked against a model
without the library that runs it. Refuses to know ONNX.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TensorSignature:
    """One input or output of a model.

    Attributes:
        name: As in the model.
        dtype: A numpy name (``float32``, ``string``, ...) for a tensor; what the model calls it
            for anything else (``seq(map(int64,tensor(float)))``).
        shape: ``None`` for a dimension that may vary; ``None`` as a whole where the model does
            not say how many dimensions there are.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None

    @property
    def is_tensor(self) -> bool:
        """Whether the value is a tensor, and not a sequence, a map or an optional."""
        return "(" not in self.dtype

    def __str__(self) -> str:
        if self.shape is None:
            return f"{self.dtype} of unknown shape"
        return f"{self.dtype}[{', '.join('?' if d is None else str(d) for d in self.shape)}]"


@dataclass(frozen=True, slots=True)
class ModelSignature:
    """All inputs that a caller must give, and all outputs that it gets."""

    inputs: tuple[TensorSignature, ...]
    outputs: tuple[TensorSignature, ...]
