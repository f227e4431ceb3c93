"""The decoders under contract, and what their tests share.

A further decoder is added to ``DECODERS`` and must pass every ``test_decoder_*`` here.
"""

from collections.abc import Callable

import numpy as np
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


def assert_agree(found: EventBatch, expected: EventBatch) -> None:
    """Rows with a fault may hold anything but the fault, its words, the id and the time."""
    assert found.fault.tolist() == expected.fault.tolist()
    assert dict(found.fault_detail) == dict(expected.fault_detail)
    assert list(found.ids) == list(expected.ids)
    assert found.event_time_ms.tolist() == expected.event_time_ms.tolist()
    good = expected.good_rows()
    assert np.array_equal(found.kinds[good], expected.kinds[good])
    assert found.tensors.keys() == expected.tensors.keys()
    for name, tensor in expected.tensors.items():
        ours = found.tensors[name]
        assert (ours.dtype, ours.shape) == (tensor.dtype, tensor.shape)
        # As bytes, since NaN is not itself; but for texts.
        same = ours[good].tolist() if tensor.dtype == object else ours[good].tobytes()
        assert same == (tensor[good].tolist() if tensor.dtype == object else tensor[good].tobytes())


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
