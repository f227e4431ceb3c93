"""The compiled decoder: a whole batch in one call of a kernel, straight into the model's tensors.

Decides which rows the kernel decodes and which are left to the reference decoder: those whose
writer schema was not seen before, or cannot be compiled, and values that only Python's numbers can
hold. Knows nothing about what a fault is; the reference decoder's rows and these are the same.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import structlog

from stream_app.adapters.avro.compiled_kernels import decode_rows
from stream_app.adapters.avro.decode_details import Limits, detail
from stream_app.adapters.avro.fastavro_decoder import FastavroDecoder
from stream_app.adapters.avro.writer_programs import MAX_PROGRAMS, WriterProgram
from stream_app.core.avro.framing import (
    CONFLUENT_BYTES,
    HEADER_NAME,
    SINGLE_OBJECT_BYTES,
    Framed,
    SchemaKey,
    key_name,
)
from stream_app.core.avro.layout import Layout, ProgramTable
from stream_app.core.avro.memory import PREFIXED, UNREAD, Decoded, Values
from stream_app.core.avro.opcodes import Status
from stream_app.core.avro.plan import Plan
from stream_app.core.avro.program import compile_program
from stream_app.core.avro.program_writer import CannotCompileError, Program
from stream_app.core.columns import BytesColumn, EventBatch, Int32Array, RecordBatch, Tensor
from stream_app.core.contract import Contract
from stream_app.core.header_columns import rows_with
from stream_app.settings import Framing

log = structlog.get_logger()

_NOT_NULL: Final = np.empty(0, dtype=np.bool_)
_NOT_GIVEN: Final = np.empty(0, dtype=np.int32)


class CompiledDecoder:
    """Fulfils ``ports.Decoder``."""

    def __init__(
        self,
        contract: Contract,
        reference: FastavroDecoder,
        framing: Framing,
        *,
        max_value_bytes: int,
    ) -> None:
        """Lay out the contract's tensors.

        Args:
            contract: As the reference decoder has it.
            reference: Decodes what is left to it; its programs are shared.
            framing: Of the values.
            max_value_bytes: Likewise.
        """
        self._reference = reference
        self._framing = framing
        self._max_value_bytes = max_value_bytes
        self._layout = Layout(contract)
        self._table = ProgramTable()
        self._plans: list[Plan] = []
        self._index: dict[SchemaKey, int] = {}

    def decode(self, records: RecordBatch) -> EventBatch:
        """See ``ports.Decoder``; also raises ``RetriableError`` while many schemas are loading."""
        out, left = self._run(records)
        if left and self._learn(records, np.flatnonzero(out.status == Status.UNKNOWN)):
            out, left = self._run(records)
        texts = self._table.texts
        tensors = self._layout.tensors(out, records.values.data, texts)
        details = self._details(out) if out.fault.any() else {}
        if not left:
            return self._batch(tensors, out, _ids(out), self._table.names, details)
        return self._merged(records, tensors, out, details)

    def _run(self, records: RecordBatch) -> tuple[Decoded, int]:
        column = records.values
        data = np.frombuffer(column.data, dtype=np.uint8)
        out = self._layout.allocate(len(records), len(data))
        single = self._framing is Framing.SINGLE_OBJECT
        values = Values(
            data=data,
            offsets=column.offsets,
            nulls=_NOT_NULL if column.nulls is None else column.nulls,
            given=_NOT_GIVEN if single or not records.headers else self._given(records),
            framing_bytes=SINGLE_OBJECT_BYTES if single else CONFLUENT_BYTES,
            max_bytes=self._max_value_bytes,
        )
        _, left = decode_rows(values, self._table.arrays, self._layout.columns, out)
        return out, left

    # -- writer schemas ------------------------------------------------------------------------

    def _given(self, records: RecordBatch) -> Int32Array:
        """The programs of rows that name their schema in a header."""
        given = np.full(len(records), PREFIXED, dtype=np.int32)
        for row in rows_with(records.headers, HEADER_NAME):
            own = records.headers[row]
            if any(name == HEADER_NAME and content is not None for name, content in own):
                key = self._key(records, row)
                given[row] = UNREAD if key is None else self._index.get(key, UNREAD)
        return given

    def _key(self, records: RecordBatch, row: int) -> SchemaKey | None:
        value = records.values[row]
        if value is None:
            return None
        framed = self._reference.read_framing(records, row, value)
        return framed.key if isinstance(framed, Framed) else None

    def _learn(self, records: RecordBatch, unknown: npt.NDArray[np.intp]) -> bool:
        """Compile the schemas of rows that no program is known for; whether there are any."""
        rows = {*unknown.tolist(), *records.headers}
        keys = {self._key(records, row): None for row in rows}
        wanted = [key for key in keys if key is not None and key not in self._index]
        found = self._reference.programs.load(wanted)
        fresh = [(key, each) for key, each in found.items() if isinstance(each, WriterProgram)]
        if len(self._index) + len(fresh) > MAX_PROGRAMS:
            self._table, self._plans, self._index = ProgramTable(), [], {}
        for key, each in fresh:
            number = _number(key, len(self._index))
            self._index[key] = self._table.append(number, key_name(key), _compiled(key, each))
            self._plans.append(each.plan)
        return bool(fresh)

    # -- rows that are left to the reference decoder ---------------------------------------------

    def _merged(
        self,
        records: RecordBatch,
        tensors: dict[str, Tensor],
        out: Decoded,
        details: dict[int, str],
    ) -> EventBatch:
        rows = np.flatnonzero(out.status)
        found = self._reference.decode(records.take(rows))
        for name, tensor in found.tensors.items():
            tensors[name][rows] = tensor
        out.kinds[rows] = found.kinds
        out.times[rows] = found.event_time_ms
        out.fault[rows] = found.fault
        names = self._table.names
        out.program[rows] = np.where(found.schema < 0, -1, found.schema + len(names))
        details |= {int(rows[row]): text for row, text in found.fault_detail.items()}
        ids = list(_ids(out))
        for row, event_id in zip(rows.tolist(), found.ids, strict=True):
            ids[row] = event_id
        return self._batch(
            tensors, out, BytesColumn.of(ids), [*names, *found.schema_names], details
        )

    def _batch(
        self,
        tensors: dict[str, Tensor],
        out: Decoded,
        ids: BytesColumn,
        schema_names: list[str],
        details: dict[int, str],
    ) -> EventBatch:
        return EventBatch(
            tensors=tensors,
            kinds=out.kinds,
            event_time_ms=out.times,
            ids=ids,
            schema=out.program,
            schema_names=schema_names,
            fault=out.fault,
            fault_detail=details,
        )

    def _details(self, out: Decoded) -> dict[int, str]:
        limits = Limits(self._framing, self._max_value_bytes)
        return {
            row: detail(out, row, self._table, self._plans, limits)
            for row in np.flatnonzero(out.fault).tolist()
        }


def _ids(out: Decoded) -> BytesColumn:
    nulls = out.id_nulls if out.id_nulls.any() else None
    return BytesColumn(out.ids[: out.id_ends[-1]].tobytes(), out.id_ends, nulls)


def _number(key: SchemaKey, unique: int) -> int:
    """The key as the kernel reads it; of one that never stands before a value, any other."""
    match key:
        case int():
            return key
        case bytes():
            return int.from_bytes(key, "big", signed=True)
        case _:
            return -1 - unique


def _compiled(key: SchemaKey, program: WriterProgram) -> Program | None:
    try:
        return compile_program(program.plan)
    except CannotCompileError as exc:
        log.warning(
            "decoder_falls_back",
            schema=key_name(key),
            reason=str(exc),
            consequence="its rows are decoded one by one, about a hundred times slower",
        )
        return None
