"""The decoders under contract, and what their tests share.

A further decoder is added to ``DECODERS`` and must pass every ``test_decoder_*`` here.
"""

from collections.abc import Callable

import pytest

from stream_app.adapters.avro.compiled_decoder import CompiledDecoder
from stream_app.adapters.avro.fastavro_decoder import FastavroDecoder
from stream_app.core.avro.store import SchemaStore, WriterSchema
from stream_app.core.columns import EventBatch
from stream_app.core.contract import (
    Contract,
    Feature,
)
from stream_app.core.faults import Fault
from stream_app.ports import Decoder
from stream_app.settings import Framing
from tests.avro_kit import (
    CountedTelemetry,
    HandClock,
    MemoryStore,
    batch,
    confluent,
)

Maker = Callable[[Contract, SchemaStore, Framing], Decoder]
MAX_VALUE_BYTES = 1_000


def _fastavro(contract: Contract, store: SchemaStore, framing: Framing) -> FastavroDecoder:
    return FastavroDecoder(
        contract,
        store,
        framing,
        telemetry=CountedTelemetry(),
        clock=HandClock(),
        max_value_bytes=MAX_VALUE_BYTES,
    )


def _compiled(contract: Contract, store: SchemaStore, framing: Framing) -> Decoder:
    reference = _fastavro(contract, store, framing)
    return CompiledDecoder(contract, reference, framing, max_value_bytes=MAX_VALUE_BYTES)


DECODERS: dict[str, Maker] = {"fastavro": _fastavro, "compiled": _compiled}


each_decoder = pytest.mark.parametrize("make", list(DECODERS.values()), ids=list(DECODERS))
"""Runs a test, or with ``pytestmark`` all of a file, with every decoder as ``make``."""


def decode(make: Maker, contract: Contract, schema: str, *payloads: bytes) -> EventBatch:
    """Decode payloads that all claim to be of ``schema``."""
    store = MemoryStore({1: WriterSchema(schema)})
    decoder = make(contract, store, Framing.CONFLUENT)
    return decoder.decode(batch([confluent(1, payload) for payload in payloads]))


def faults(events: EventBatch) -> list[Fault]:
    by_number = {int(fault): fault for fault in Fault}
    for row, number in enumerate(events.fault.tolist()):
        assert bool(number) == (row in events.fault_detail)
    return [by_number[number] for number in events.fault.tolist()]


COLORS = {"type": "enum", "name": "Color", "symbols": ["RED", "GREEN"]}
DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}
TIME = {"type": "long", "logicalType": "timestamp-millis"}
UUID = {"type": "string", "logicalType": "uuid"}
CODED = Feature("f", categories=("RED", "GREEN"))
