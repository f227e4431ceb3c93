"""The kernels, imported after numba was told where to keep their machine code.

Decides for which types they are compiled: those of every batch, since a type that comes later
would be compiled inside one.
"""

import numpy as np

from stream_app.adapters.process.kernel_cache import keep_kernels

KEPT_IN = keep_kernels()
"""``None``: nowhere, so that each process compiles them anew."""

from stream_app.core.avro.kernels.decode import decode_rows  # noqa: E402
from stream_app.core.avro.kernels.encode import Scored, encode_rows  # noqa: E402
from stream_app.core.avro.layout import Layout, ProgramTable  # noqa: E402
from stream_app.core.avro.memory import Values  # noqa: E402
from stream_app.core.avro.outgoing_program import OP_WIDTH  # noqa: E402
from stream_app.core.contract import Contract  # noqa: E402
from stream_app.core.jit import was_compiled  # noqa: E402

__all__ = ["KEPT_IN", "decode_rows", "encode_rows", "load"]


def load() -> bool:
    """Run each kernel on no rows; whether one of them had to be compiled for it."""
    no_bytes = np.frombuffer(b"", dtype=np.uint8)
    no_numbers = np.empty(0, dtype=np.int64)
    layout = Layout(Contract(record_names=(), id_field="", time_field=None, inputs=(), outputs=()))
    values = Values(
        data=no_bytes,
        offsets=np.zeros(1, dtype=np.int64),
        nulls=np.empty(0, dtype=np.bool_),
        given=np.empty(0, dtype=np.int32),
        framing_bytes=0,
        max_bytes=0,
    )
    decode_rows(values, ProgramTable().arrays, layout.columns, layout.allocate(0, 0))
    scored = Scored(
        rows=np.empty(0, dtype=np.intp),
        ids=no_bytes,
        id_ends=np.zeros(1, dtype=np.int64),
        times=no_numbers,
        partition=np.empty(0, dtype=np.int32),
        offset=no_numbers,
        topic=no_bytes,
        reals=np.empty((0, 0), dtype=np.float64),
        wholes=np.empty((0, 0), dtype=np.int64),
    )
    ops = np.empty((0, OP_WIDTH), dtype=np.int64)
    ends = np.empty(1, dtype=np.int64)
    misfits = np.empty(0, dtype=np.int32)
    encode_rows(scored, ops, no_bytes, np.empty(0, dtype=np.uint8), ends, misfits)
    return any(map(was_compiled, (decode_rows, encode_rows)))
