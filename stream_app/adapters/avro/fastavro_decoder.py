"""The reference decoder: any Avro schema, a row at a time, with fastavro.

Decides what each row of a batch is, whatever its bytes: framing, writer schema, gates, the strict
walk, then fastavro with the writer's schema (logical types left out), then the contract's
policies by column. No row's fault touches another row. Any faster decoder must agree with it.
"""

from collections.abc import Iterable
from io import BytesIO
from typing import Final

import fastavro

from stream_app.adapters.avro.writer_programs import WriterProgram, WriterPrograms
from stream_app.core.avro.event_columns import EventColumns
from stream_app.core.avro.framing import (
    Framed,
    Misframed,
    SchemaKey,
    read_confluent,
    read_single_object,
)
from stream_app.core.avro.gates import Rejection
from stream_app.core.avro.store import SchemaStore
from stream_app.core.avro.wire import WireError
from stream_app.core.columns import EventBatch, RecordBatch
from stream_app.core.contract import Contract
from stream_app.core.faults import Fault
from stream_app.core.metrics import DECODER_FALLBACKS
from stream_app.ports import Clock, Telemetry
from stream_app.settings import Framing

MAX_HELD_BYTES: Final = 1 << 20
"""Rows become columns after so many bytes of them: as Python objects they take up to 800 times as
much."""


class FastavroDecoder:
    """Fulfils ``ports.Decoder``."""

    def __init__(
        self,
        contract: Contract,
        store: SchemaStore,
        framing: Framing,
        *,
        telemetry: Telemetry,
        clock: Clock,
        max_value_bytes: int,
    ) -> None:
        self._contract = contract
        self._framing = framing
        self._telemetry = telemetry
        self._max_value_bytes = max_value_bytes
        self.programs = WriterPrograms(contract, store, telemetry, clock)

    def decode(self, records: RecordBatch) -> EventBatch:
        """See ``ports.Decoder``; also raises ``RetriableError`` while many schemas are loading."""
        columns = EventColumns(self._contract, len(records))
        payloads: dict[SchemaKey, list[tuple[int, bytes]]] = {}
        for row, value in enumerate(records.values):
            framed = self.read_framing(records, row, value)
            if isinstance(framed, Misframed):
                columns.blame(row, framed.fault, framed.detail)
            elif value is not None:
                columns.name_schema(row, framed.key)
                payloads.setdefault(framed.key, []).append((row, value[framed.start :]))
        programs = self.programs.load(payloads)
        decoded = 0
        for key, found in payloads.items():
            program = programs[key]
            if isinstance(program, Rejection):
                for row, _ in found:
                    columns.blame(row, program.fault, program.detail)
            else:
                decoded += decode_rows(program, found, columns)
        self._telemetry.count(DECODER_FALLBACKS, decoded)
        return columns.finish()

    def read_framing(
        self, records: RecordBatch, row: int, value: bytes | None
    ) -> Framed | Misframed:
        """Which schema a row names, and where its value begins."""
        if value is None:
            return Misframed(Fault.TOMBSTONE, "the value is null")
        if len(value) > self._max_value_bytes:
            return Misframed(
                Fault.TOO_LARGE,
                f"{len(value)} bytes; input.max_value_bytes allows {self._max_value_bytes}",
            )
        if self._framing is Framing.SINGLE_OBJECT:
            return read_single_object(value)
        return read_confluent(value, records.headers.get(row, ()))


def decode_rows(
    program: WriterProgram, payloads: Iterable[tuple[int, bytes]], columns: EventColumns
) -> int:
    """Decode the rows of one program into ``columns``; how many could be."""
    rows: list[int] = []
    events: list[object] = []
    decoded = held_bytes = 0
    for row, payload in payloads:
        try:
            program.walk.check(payload, 0)
            events.append(fastavro.schemaless_reader(BytesIO(payload), program.parsed, None))
        except WireError as exc:
            columns.blame(row, exc.fault, exc.detail)
        except MemoryError:
            raise  # not the record's doing: the same bytes may pass with more room
        except Exception as exc:  # noqa: BLE001  # fastavro does not list what it raises
            columns.blame(row, Fault.DECODE_ERROR, f"{type(exc).__name__} from the Avro library")
        else:
            rows.append(row)
            decoded += 1
            held_bytes += len(payload)
            if held_bytes >= MAX_HELD_BYTES:
                columns.place(program.plan, rows, events)
                rows, events, held_bytes = [], [], 0
    if rows:
        columns.place(program.plan, rows, events)
    return decoded
