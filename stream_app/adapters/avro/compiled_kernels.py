"""The kernels, imported after numba was told where to keep their machine code."""

from stream_app.adapters.process.kernel_cache import keep_kernels

KEPT_IN = keep_kernels()
"""``None``: nowhere, so that each process compiles them anew."""

from stream_app.core.avro.kernels.decode import decode_rows  # noqa: E402
from stream_app.core.avro.kernels.encode import encode_rows  # noqa: E402

__all__ = ["KEPT_IN", "decode_rows", "encode_rows"]
