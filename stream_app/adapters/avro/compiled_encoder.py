"""The compiled encoder: all predictions of a batch in one call of a kernel, into one buffer.

Decides which outputs the kernel writes, and leaves the others to the reference encoder: texts,
integers beyond 64 signed bits, and outputs whose shape does not fit their field. What it writes is
the same to the byte.
"""

from collections.abc import Mapping
from io import BytesIO
from typing import Any, Final, NamedTuple

import numpy as np
import structlog

from stream_app.adapters.avro.compiled_kernels import encode_rows
from stream_app.adapters.avro.fastavro_encoder import FastavroEncoder
from stream_app.core.avro.kernels.encode import Scored
from stream_app.core.avro.outgoing_program import (
    Bound,
    CannotCompileError,
    compile_encoding,
)
from stream_app.core.avro.schema import Array, Union, describe
from stream_app.core.columns import (
    BytesColumn,
    EventBatch,
    Int64Array,
    RecordBatch,
    ScoreBatch,
    Tensor,
    UInt8Array,
)

log = structlog.get_logger()

_TYPES: Final = {"b": bool, "i": int, "u": int, "f": float}
_TOO_WIDE: Final = np.dtype(np.uint64)

Signature = tuple[tuple[type, int] | None, ...]
"""Of each bound output, the type and number of a row's elements; ``None``: none of the kernel's."""


class _Kernel(NamedTuple):
    """A program as the kernel takes it, made once and not for each batch."""

    row_bytes: int
    ops: Int64Array
    constants: UInt8Array


class CompiledEncoder:
    """Fulfils ``ports.Encoder``."""

    def __init__(self, reference: FastavroEncoder) -> None:
        """Take schema, prefix and contract from the reference encoder, which has checked them."""
        self._reference = reference
        self._programs: dict[Signature, _Kernel | None] = {}

    def encode(
        self, records: RecordBatch, events: EventBatch, scores: ScoreBatch
    ) -> tuple[BytesColumn, Mapping[int, str]]:
        """See ``ports.Encoder``."""
        if not len(scores.rows):
            return BytesColumn.of([]), {}
        outputs = [
            np.reshape(scores.outputs[binding.output], (len(scores.rows), -1))
            for binding in self._reference.bindings
        ]
        signature = tuple(map(_signature, outputs))
        if signature not in self._programs:
            self._programs[signature] = self._compiled(signature)
        program = self._programs[signature]
        if program is None:
            return self._reference.encode(records, events, scores)
        scored = Scored(
            rows=scores.rows,
            ids=np.frombuffer(events.ids.data, dtype=np.uint8),
            id_ends=events.ids.offsets,
            times=events.event_time_ms,
            partition=records.partition,
            offset=records.offset,
            topic=np.frombuffer(_string(records.topic), dtype=np.uint8),
            reals=_columns(outputs, float, np.dtype(np.float64)),
            wholes=_columns(outputs, int, np.dtype(np.int64)),
        )
        return self._run(program, scored, outputs)

    def _run(
        self, program: _Kernel, scored: Scored, outputs: list[Tensor]
    ) -> tuple[BytesColumn, Mapping[int, str]]:
        count = len(scored.rows)
        # Rows may be taken twice, by a test or a later caller: each has room for its own id.
        sizes = scored.id_ends[scored.rows + 1] - scored.id_ends[scored.rows]
        room = count * (program.row_bytes + len(scored.topic)) + int(sizes.sum())
        out = np.empty(room, dtype=np.uint8)
        ends = np.empty(count + 1, dtype=np.int64)
        misfits = np.empty(count, dtype=np.int32)
        bad = encode_rows(scored, program.ops, program.constants, out, ends, misfits)
        values = out[: ends[-1]].tobytes()
        if not bad:
            return BytesColumn(values, ends), {}
        failed = np.flatnonzero(misfits)
        real = {
            binding.field: output.dtype.kind == "f"
            for binding, output in zip(self._reference.bindings, outputs, strict=True)
        }
        details = {row: self._misfit(int(misfits[row]) - 1, real) for row in failed.tolist()}
        return BytesColumn(values, ends, misfits != 0), details

    def _misfit(self, number: int, real: Mapping[str, bool]) -> str:
        own = self._reference.record.fields[number]
        (binding,) = [each for each in self._reference.bindings if each.field == own.name]
        schema = own.schema
        if binding.column is None:
            branches = schema.branches if isinstance(schema, Union) else (schema,)
            schema = next((each.items for each in branches if isinstance(each, Array)), schema)
        kind = "float" if real[own.name] else "int"
        return f"field {own.name!r}: a {kind} that does not fit {describe(schema)}"

    def _compiled(self, signature: Signature) -> _Kernel | None:
        bound = []
        firsts = {float: 0, int: 0}
        for binding, found in zip(self._reference.bindings, signature, strict=True):
            if found is None:
                _told(f"output {binding.output!r} is neither numbers nor booleans")
                return None
            of, width = found
            matrix = float if of is float else int
            bound.append(Bound(binding, of, firsts[matrix], width))
            firsts[matrix] += width
        try:
            program = compile_encoding(
                self._reference.record,
                self._reference.prefix,
                self._reference.constant_bytes(),
                bound,
            )
        except CannotCompileError as exc:
            _told(str(exc))
            return None
        return _Kernel(
            program.row_bytes,
            np.array(program.ops, dtype=np.int64),
            np.frombuffer(bytes(program.constants), dtype=np.uint8),
        )


def _told(reason: str) -> None:
    log.warning(
        "encoder_falls_back",
        reason=reason,
        consequence="predictions are encoded one by one, many times slower",
    )


def _signature(output: Tensor) -> tuple[type, int] | None:
    of = _TYPES.get(output.dtype.kind)
    if of is None or output.dtype == _TOO_WIDE or output.dtype.itemsize > 8:
        return None
    return of, output.shape[1]


def _columns(outputs: list[Tensor], of: type, dtype: np.dtype[Any]) -> Any:
    """The outputs of one kind, side by side."""
    chosen = [each for each in outputs if (each.dtype.kind == "f") == (of is float)]
    if not chosen:
        return np.empty((len(outputs[0]) if outputs else 0, 0), dtype=dtype)
    if len(chosen) == 1:
        return np.ascontiguousarray(chosen[0], dtype=dtype)
    return np.concatenate(chosen, axis=1, dtype=dtype, casting="same_kind")


def _string(text: str) -> bytes:
    """An Avro string."""
    content = text.encode()
    buffer = BytesIO()
    size = len(content) << 1
    while size >= 0x80:
        buffer.write(bytes([size & 0x7F | 0x80]))
        size >>= 7
    return buffer.getvalue() + bytes([size]) + content
