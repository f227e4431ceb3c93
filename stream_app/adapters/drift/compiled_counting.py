"""The kernels that count drift, imported after numba was told where to keep their machine code.

Decides for which types they are compiled: those of every batch, since a type that comes later
would be compiled inside one.
"""

import numpy as np

from stream_app.adapters.process.kernel_cache import keep_kernels

KEPT_IN = keep_kernels()

from stream_app.core.drift import kernels  # noqa: E402
from stream_app.core.drift.layout import Layout  # noqa: E402
from stream_app.core.drift.reference import Reference  # noqa: E402
from stream_app.core.drift.sources import NUMBERS  # noqa: E402
from stream_app.core.jit import was_compiled  # noqa: E402

__all__ = ["kernels", "load"]


def load() -> bool:
    """Run each kernel on no rows; whether one of them had to be compiled for it."""
    nothing = np.empty(0, dtype=np.int64)
    layout = Layout(Reference("", "", 0, (), (), nothing, nothing, 0, None, None))
    places, units = np.empty((0, 0), dtype=np.int16), np.empty((0, 0), dtype=np.int32)
    kinds, which = np.empty((0, 0), dtype=np.uint8), np.empty((0, 3), dtype=np.int64)
    rows, states = np.empty(0, dtype=np.intp), layout.empty(1)
    out = np.empty(0, dtype=np.uint8)
    tables = layout.tables
    kernels.cover_rows(np.empty(0, dtype=np.int32), nothing, nothing, nothing, nothing, nothing)
    for dtype in NUMBERS:
        tensor = np.empty((0, 0), dtype=dtype)
        edges, room = tables.edges_for(tensor.dtype)
        kernels.find_cells(tensor, kinds, which, edges, room, tables, places, units)
    kernels.add_cells(
        places, units, nothing, nothing, 1, tables, layout.co_rows, layout.scores, states
    )
    kernels.write_rows(places, units, nothing, rows, tables, out)
    # Bytes of records cannot be written to, which is a type of its own.
    read_only = np.frombuffer(b"", dtype=np.uint8)
    kernels.read_rows(read_only, tables, 0, places, units, nothing)
    kernels.write_sparse(states[0], out)
    kernels.read_sparse(read_only, states[0])
    kernels.is_balanced(states[0], nothing)
    return any(
        map(
            was_compiled,
            (
                kernels.cover_rows,
                kernels.find_cells,
                kernels.add_cells,
                kernels.write_rows,
                kernels.read_rows,
                kernels.write_sparse,
                kernels.read_sparse,
                kernels.is_balanced,
            ),
        )
    )
