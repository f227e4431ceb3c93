"""The reference decoder: any Avro schema, a row at a time, with fastavro.

Decides what each row of a batch is, whatever its bytes: framing, writer schema, gates, the strict
walk, then fastavro with the writer's schema (logical types left out), then the contract's
policies by column. No row's fault touches another row. Any faster decoder must agree with it.
"""

import json
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

import fastavro
import structlog

from stream_app.core.avro.canonical import canonical_form
from stream_app.core.avro.event_columns import EventColumns
from stream_app.core.avro.framing import (
    Framed,
    Misframed,
    SchemaKey,
    key_name,
    read_confluent,
    read_single_object,
)
from stream_app.core.avro.gates import Rejection, admit
from stream_app.core.avro.plan import Plan
from stream_app.core.avro.resolve import resolve
from stream_app.core.avro.store import NotYetKnownError, SchemaStore, WriterSchema
from stream_app.core.avro.wire import Walk, WireError
from stream_app.core.columns import EventBatch, RecordBatch
from stream_app.core.contract import Contract
from stream_app.core.faults import Fault
from stream_app.core.metrics import DECODER_FALLBACKS, WRITER_SCHEMAS
from stream_app.errors import RetriableError
from stream_app.ports import Clock, Telemetry
from stream_app.settings import Framing

log = structlog.get_logger()

MAX_PROGRAMS: Final = 1_000
MAX_LOADING_S: Final = 5.0
"""One call asks the store for new schemas no longer than this: the loop must turn."""
MAX_HELD_BYTES: Final = 1 << 20
"""Rows become columns after so many bytes of them: as Python objects they take up to 800 times as
much."""


@dataclass(frozen=True, slots=True)
class _Program:
    """All that is needed to read the rows of one writer schema."""

    plan: Plan
    walk: Walk
    parsed: Any


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
        self._store = store
        self._framing = framing
        self._telemetry = telemetry
        self._clock = clock
        self._max_value_bytes = max_value_bytes
        self._programs: OrderedDict[SchemaKey, _Program | Rejection] = OrderedDict()

    def decode(self, records: RecordBatch) -> EventBatch:
        """See ``ports.Decoder``; also raises ``RetriableError`` while many schemas are loading."""
        columns = EventColumns(self._contract, len(records))
        payloads: dict[SchemaKey, list[tuple[int, bytes]]] = {}
        for row, value in enumerate(records.values):
            framed = self._read_framing(records, row, value)
            if isinstance(framed, Misframed):
                columns.blame(row, framed.fault, framed.detail)
            elif value is not None:
                columns.name_schema(row, framed.key)
                payloads.setdefault(framed.key, []).append((row, value[framed.start :]))
        programs = self._load(payloads)
        decoded = 0
        for key, found in payloads.items():
            program = programs[key]
            if isinstance(program, Rejection):
                for row, _ in found:
                    columns.blame(row, program.fault, program.detail)
            else:
                decoded += _decode_rows(program, found, columns)
        self._telemetry.count(DECODER_FALLBACKS, decoded)
        return columns.finish()

    def _read_framing(
        self, records: RecordBatch, row: int, value: bytes | None
    ) -> Framed | Misframed:
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

    def _load(self, keys: Iterable[SchemaKey]) -> dict[SchemaKey, _Program | Rejection]:
        """The programs of all ``keys``.

        Every key is asked for before an unknown one is reported, so that their patience runs at
        the same time.
        """
        deadline_s = self._clock.now_s() + MAX_LOADING_S
        programs: dict[SchemaKey, _Program | Rejection] = {}
        not_yet: NotYetKnownError | None = None
        for key in keys:
            cached = self._programs.get(key)
            if cached is not None:
                self._programs.move_to_end(key)
                programs[key] = cached
            elif self._clock.now_s() > deadline_s:
                raise RetriableError(
                    f"new writer schemas are still being fetched after {MAX_LOADING_S:g} s; those "
                    "that came are kept, the batch is tried again"
                )
            else:
                try:
                    programs[key] = self._ask(key)
                except NotYetKnownError as exc:
                    not_yet = exc
        if not_yet is not None:
            raise not_yet
        return programs

    def _ask(self, key: SchemaKey) -> _Program | Rejection:
        answer = self._store.get(key)
        if isinstance(answer, Rejection):
            return answer  # the store remembers it for as long as it is true
        program = self._compile(answer)
        if isinstance(program, Rejection):
            log.error(
                "writer_schema_rejected",
                schema=key_name(key),
                fault=program.fault.name,
                detail=program.detail,
            )
        else:
            log.info("writer_schema_read", schema=key_name(key), record=program.plan.schema.name)
        self._programs[key] = program
        if len(self._programs) > MAX_PROGRAMS:
            self._programs.popitem(last=False)
        self._telemetry.gauge(WRITER_SCHEMAS, len(self._programs))
        return program

    def _compile(self, writer: WriterSchema) -> _Program | Rejection:
        schema = admit(writer.text, writer.references)
        if isinstance(schema, Rejection):
            return schema
        plan = resolve(self._contract, schema)
        if isinstance(plan, Rejection):
            return plan
        try:
            parsed = fastavro.parse_schema(json.loads(canonical_form(schema)))
        except Exception as exc:  # noqa: BLE001  # fastavro does not list what it raises
            return Rejection(
                Fault.SCHEMA_INCOMPATIBLE, f"the Avro library refuses it: {type(exc).__name__}"
            )
        return _Program(plan, Walk(schema), parsed)


def _decode_rows(
    program: _Program, payloads: Iterable[tuple[int, bytes]], columns: EventColumns
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
