"""``golden.npz``: inputs, and what the model answered to them when it was packed.

Decides how the two are kept (numpy's own format, without Python objects) and when an answer is
close enough. Together with the hash this finds a model that loads but computes something else:
another runtime, another device, another optimisation.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from stream_app.core.columns import Tensor
from stream_app.errors import ConfigError

_INPUT, _OUTPUT = "input:", "output:"
_GREATEST_BYTES = 1 << 30
"""Of all arrays, unpacked: a thousandth of it can be written in the file."""


@dataclass(frozen=True, slots=True)
class Golden:
    """Inputs by name and outputs by name; all have the same number of rows."""

    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(next(iter(self.inputs.values())))

    def tiled(self, rows: int) -> dict[str, Tensor]:
        """The inputs, repeated or cut to ``rows`` rows."""
        picked = np.arange(rows) % self.rows
        return {name: tensor[picked] for name, tensor in self.inputs.items()}


def dump_golden(golden: Golden) -> bytes:
    """The file's content; equal values give equal bytes."""
    arrays = {f"{_INPUT}{name}": _storable(tensor) for name, tensor in golden.inputs.items()}
    arrays |= {f"{_OUTPUT}{name}": _storable(tensor) for name, tensor in golden.outputs.items()}
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    return content.getvalue()


def parse_golden(content: bytes, name: str) -> Golden:
    """Read golden vectors; ``name`` stands in messages.

    Raises:
        ConfigError: they cannot be read, or are not rows of equal number.
    """
    inputs: dict[str, Tensor] = {}
    outputs: dict[str, Tensor] = {}
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            unpacked = sum(entry.file_size for entry in arrays.zip.infolist())
            if unpacked > _GREATEST_BYTES:
                raise ValueError(f"{unpacked} bytes unpacked, at most {_GREATEST_BYTES} are read")
            for key in arrays.files:
                target = inputs if key.startswith(_INPUT) else outputs
                target[key.partition(":")[2]] = _usable(arrays[key])
    except Exception as exc:  # whatever zip, zlib, numpy and its parser of headers raise
        reason = f"{type(exc).__name__}: {exc}"
        raise ConfigError(f"{name}: no golden vectors ({reason}); pack the version again") from exc
    lengths = {tensor.shape[:1] for tensor in (*inputs.values(), *outputs.values())}
    if not inputs or not outputs or len(lengths) != 1 or lengths & {(), (0,)}:
        raise ConfigError(
            f"{name}: expected inputs and outputs with one equal, positive number of rows, found "
            f"{len(inputs)} inputs, {len(outputs)} outputs; pack the version again"
        )
    return Golden(inputs, outputs)


def difference(found: Tensor, golden: Tensor, absolute: float, relative: float) -> str:
    """What is different between an output and its golden one; empty when they agree.

    NaN agrees with NaN and an infinity with the same infinity; floats agree within the tolerance,
    everything else only when equal.
    """
    if found.dtype != golden.dtype or found.shape != golden.shape:
        return (
            f"expected {golden.dtype}{list(golden.shape)}, found {found.dtype}{list(found.shape)}"
        )
    if np.issubdtype(golden.dtype, np.floating):
        mine, theirs = found.astype(np.float64), golden.astype(np.float64)
        same = np.isclose(mine, theirs, rtol=relative, atol=absolute, equal_nan=True)
    else:
        same = np.asarray(found == golden)
    if same.all():
        return ""
    worst = _first(same)
    return (
        f"{int((~same).sum())} of {same.size} values differ, the first at {list(worst)}: expected "
        f"{golden[worst]!s}, found {found[worst]!s} (tolerance {absolute:g} + {relative:g} x)"
    )


def _first(same: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]") -> tuple[int, ...]:
    return tuple(int(axis[0]) for axis in np.nonzero(~same))


def _storable(tensor: Tensor) -> Tensor:
    """Strings are Python objects for ONNX Runtime; the file has them at a fixed width."""
    return tensor.astype(np.str_) if tensor.dtype == object else tensor


def _usable(tensor: Tensor) -> Tensor:
    return tensor.astype(object) if np.issubdtype(tensor.dtype, np.str_) else tensor
