"""Past events as the model will see live ones: a file's rows through the product's own decoder.

Decides that nothing is read in a second way: each row becomes Avro bytes, as a producer would
have sent them, and those are decoded by the contract, faults included. Chunks have always the same
size, so that what depends on it (the last bits of some models' answers) is always the same too.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from stream_app.adapters.avro.fastavro_decoder import FastavroDecoder
from stream_app.adapters.avro.schema_file import EventSchema
from stream_app.adapters.drift.event_files import FileRow, open_rows
from stream_app.adapters.process.clock import SystemClock
from stream_app.adapters.process.prometheus_telemetry import NullTelemetry
from stream_app.core.avro.canonical import fingerprint
from stream_app.core.avro.framing import SchemaKey, key_name, single_object_prefix
from stream_app.core.avro.gates import Rejection
from stream_app.core.avro.resolve import resolve
from stream_app.core.avro.store import WriterSchema
from stream_app.core.columns import (
    NO_TIMESTAMP,
    BytesColumn,
    EventBatch,
    RecordBatch,
)
from stream_app.core.contract import Contract
from stream_app.core.faults import Fault
from stream_app.errors import ConfigError
from stream_app.ports import Decoder
from stream_app.settings import Framing

CHUNK_ROWS = 4_096
_MAX_VALUE_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class EventChunk:
    """Some rows of a file.

    Attributes:
        events: Decoded; ``event_time_ms`` is ``NO_TIMESTAMP`` where the file has no time.
        labels: Of each row, what the label's field holds; empty where none was asked for.
    """

    events: EventBatch
    labels: Sequence[Any]


class EventReader:
    """An open file of past events; iterate once, then leave.

    Attributes:
        rows_read: So far, faulty ones too.
    """

    def __init__(
        self,
        path: Path,
        contract: Contract,
        *,
        schema: EventSchema | None = None,
        label: str | None = None,
        max_value_bytes: int = _MAX_VALUE_BYTES,
        compiled: bool = False,
    ) -> None:
        """Open the file; see :func:`read_events`."""
        self._file = open_rows(path, contract, schema)
        self.rows_read = 0
        try:
            record = self._file.schema.record
            plan = resolve(contract, record)
            if isinstance(plan, Rejection):
                raise ConfigError(
                    f"--data {path}: the contract cannot read it: {plan.detail}; give the data "
                    "that the model's events are like, or correct the contract"
                )
            if label is not None and not self._file.has_field(label):
                raise ConfigError(f"--label {label}: {path} has no such field; correct the name")
            self._label = label
            self._prefix = single_object_prefix(fingerprint(record))
            self._decoder = _decoder(contract, self._file.schema, max_value_bytes, compiled)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def share_read(self) -> float:
        """How much of the file was read, from 0 to 1."""
        return self._file.share_read

    def __iter__(self) -> Iterator[EventChunk]:
        """The chunks, in the file's order.

        Raises:
            DataError: the file is broken.
        """
        held: list[FileRow] = []
        for row in self._file.rows():
            held.append(row)
            if len(held) == CHUNK_ROWS:
                yield self._chunk(held)
                held = []
        if held:
            yield self._chunk(held)

    def _chunk(self, rows: Sequence[FileRow]) -> EventChunk:
        values = [None if row.avro is None else self._prefix + row.avro for row in rows]
        events = self._decoder.decode(_records(values, self.rows_read))
        self.rows_read += len(rows)
        for number, row in enumerate(rows):
            if row.avro is None:
                events.fault[number] = Fault.WRONG_TYPE
        misfits = {number: row.misfit for number, row in enumerate(rows) if row.avro is None}
        events = replace(events, fault_detail={**events.fault_detail, **misfits})
        if not self._file.has_time:
            events.event_time_ms[:] = NO_TIMESTAMP
        label = self._label
        return EventChunk(events, () if label is None else [_field(row, label) for row in rows])


def _field(row: FileRow, path: str) -> Any:
    """A column of that name, or what lies at the end of a dotted path."""
    if path in row.fields:
        return row.fields[path]
    value: Any = row.fields
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def read_events(
    path: Path,
    contract: Contract,
    *,
    schema: EventSchema | None = None,
    label: str | None = None,
    max_value_bytes: int = _MAX_VALUE_BYTES,
    compiled: bool = False,
) -> EventReader:
    """Open a file of past events.

    Args:
        path: An Avro container, CSV or Parquet, by its name's ending.
        contract: How events become tensors.
        schema: Of CSV and Parquet; without it, the contract says what columns are.
        label: A field, or column, to read beside the events.
        max_value_bytes: Larger events are faults, as on the live path.
        compiled: Decode with kernels; they are loaded, or compiled, first.

    Returns:
        To be entered, and iterated once: it gives ``EventChunk``s, and knows how far it is.

    Raises:
        ConfigError: the file cannot be read, or not as the contract asks.
        DataError: the file is not what its name says.
    """
    return EventReader(
        path,
        contract,
        schema=schema,
        label=label,
        max_value_bytes=max_value_bytes,
        compiled=compiled,
    )


class _OneSchema:
    """A store of the file's own schema."""

    def __init__(self, schema: EventSchema) -> None:
        self._key = fingerprint(schema.record)
        self._schema = WriterSchema(schema.text)

    def get(self, key: SchemaKey) -> WriterSchema | Rejection:
        """See ``SchemaStore``."""
        if key == self._key:
            return self._schema
        return Rejection(Fault.UNKNOWN_SCHEMA, f"{key_name(key)} is not the file's schema")


def _decoder(
    contract: Contract, schema: EventSchema, max_value_bytes: int, compiled: bool
) -> Decoder:
    reference = FastavroDecoder(
        contract,
        _OneSchema(schema),
        Framing.SINGLE_OBJECT,
        telemetry=NullTelemetry(),
        clock=SystemClock(),
        max_value_bytes=max_value_bytes,
    )
    if not compiled:
        return reference
    from stream_app.adapters.avro.compiled_decoder import CompiledDecoder  # noqa: PLC0415  # numba

    return CompiledDecoder(
        contract, reference, Framing.SINGLE_OBJECT, max_value_bytes=max_value_bytes
    )


def _records(values: Sequence[bytes | None], first: int) -> RecordBatch:
    count = len(values)
    return RecordBatch(
        topic="",
        values=BytesColumn.of(values),
        keys=BytesColumn.all_null(count),
        partition=np.zeros(count, dtype=np.int32),
        offset=np.arange(first, first + count, dtype=np.int64),
        timestamp_ms=np.full(count, NO_TIMESTAMP, dtype=np.int64),
        timestamp_type=np.zeros(count, dtype=np.int8),
    )
