"""Laws of the reference decoder that are not every decoder's."""

import pytest

from stream_app.adapters.avro import fastavro_decoder, writer_programs
from stream_app.adapters.avro.fastavro_decoder import FastavroDecoder
from stream_app.adapters.avro.writer_programs import MAX_LOADING_S
from stream_app.core.avro.framing import SchemaKey
from stream_app.core.avro.gates import Rejection
from stream_app.core.avro.store import WriterSchema
from stream_app.core.metrics import DECODER_FALLBACKS, WRITER_SCHEMAS
from stream_app.errors import RetriableError
from stream_app.settings import Framing
from tests.avro_kit import (
    CountedTelemetry,
    HandClock,
    MemoryStore,
    batch,
    confluent,
    contract_of,
    event_schema,
    written,
)

TEXT = event_schema()
EVENT = written(TEXT, {"id": "a"})


class SlowStore(MemoryStore):
    """Takes its time for each schema."""

    def __init__(self, clock: HandClock, takes_s: float) -> None:
        super().__init__({key: WriterSchema(TEXT) for key in range(1, 9)})
        self._clock = clock
        self._takes_s = takes_s

    def get(self, key: SchemaKey) -> WriterSchema | Rejection:
        self._clock.time_s += self._takes_s
        return super().get(key)


def _decoder(store: MemoryStore, telemetry: CountedTelemetry, clock: HandClock) -> FastavroDecoder:
    return FastavroDecoder(
        contract_of(),
        store,
        Framing.CONFLUENT,
        telemetry=telemetry,
        clock=clock,
        max_value_bytes=100,
    )


def test_schemas_and_rows_are_counted() -> None:
    telemetry = CountedTelemetry()
    store = MemoryStore({1: WriterSchema(TEXT), 2: WriterSchema(TEXT)})
    decoder = _decoder(store, telemetry, HandClock())
    decoder.decode(batch([confluent(key, EVENT) for key in (1, 2, 1, 3)]))
    assert telemetry.gauges[WRITER_SCHEMAS.name] == 2
    assert telemetry.counts[DECODER_FALLBACKS.name,] == 3


def test_many_slow_schemas_do_not_hold_the_loop_and_are_not_asked_for_twice() -> None:
    clock = HandClock()
    store = SlowStore(clock, takes_s=MAX_LOADING_S * 0.4)
    decoder = _decoder(store, CountedTelemetry(), clock)
    records = batch([confluent(key, EVENT) for key in range(1, 9)])
    rounds = 0
    while True:
        before_s = clock.time_s
        try:
            events = decoder.decode(records)
            break
        except RetriableError:
            rounds += 1
            assert clock.time_s - before_s <= 1.5 * MAX_LOADING_S
    assert rounds == 2
    assert store.asked == list(range(1, 9))
    assert not events.fault.any()


def test_memory_for_schemas_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_programs, "MAX_PROGRAMS", 2)
    telemetry = CountedTelemetry()
    store = MemoryStore({key: WriterSchema(TEXT) for key in range(1, 6)})
    decoder = _decoder(store, telemetry, HandClock())
    for key in range(1, 6):
        decoder.decode(batch([confluent(1, EVENT), confluent(key, EVENT)]))
    assert telemetry.gauges[WRITER_SCHEMAS.name] == 2
    assert store.asked == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("held_bytes", [1, 5, 1 << 20])
def test_rows_are_the_same_however_often_they_become_columns(
    held_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fastavro_decoder, "MAX_HELD_BYTES", held_bytes)
    telemetry, store = CountedTelemetry(), MemoryStore({1: WriterSchema(TEXT)})
    ids = [b"%d" % number for number in range(7)]
    values = [confluent(1, written(TEXT, {"id": text.decode()})) for text in ids]
    values[3] = values[3][:-1]
    events = _decoder(store, telemetry, HandClock()).decode(batch(values))
    assert [bool(fault) for fault in events.fault] == [row == 3 for row in range(7)]
    assert list(events.ids) == [*ids[:3], None, *ids[4:]]
    assert telemetry.counts[DECODER_FALLBACKS.name,] == 6
