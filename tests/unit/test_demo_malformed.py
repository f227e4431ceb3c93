"""Events broken on purpose: which, how, and that the product's decoder calls each what it is."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from stream_app.adapters.avro.parts import build_decoder
from stream_app.adapters.demo.events import read_events
from stream_app.adapters.model.contract_file import load_contract
from stream_app.adapters.process.clock import SystemClock
from stream_app.adapters.process.prometheus_telemetry import NullTelemetry
from stream_app.core.columns import BytesColumn, RecordBatch, TimestampType
from stream_app.core.faults import Fault
from stream_app.demo.events import prepare_events
from stream_app.demo.malformed import MALFORMATIONS, Malformation, choose, planted
from stream_app.demo.options import DemoOptions
from stream_app.demo.settings_file import write_settings
from stream_app.ports import Decoder
from stream_app.resources import example_dir
from stream_app.settings import load_settings


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Decoder:
    """The decoder of the demo's workers."""
    folder = tmp_path_factory.mktemp("demo")
    settings = load_settings(write_settings(DemoOptions.of(), "nowhere:1", "events", folder))
    contract = load_contract(settings.model.repository / "car_loan" / "1" / "contract.toml")
    return build_decoder(settings, contract, SystemClock(), NullTelemetry(), compiled=False)


def decoded_faults(decoder: Decoder, values: list[bytes | None]) -> list[Fault]:
    count = len(values)
    records = RecordBatch(
        topic="events",
        values=BytesColumn.of(values),
        keys=BytesColumn.all_null(count),
        partition=np.zeros(count, dtype=np.int32),
        offset=np.arange(count, dtype=np.int64),
        timestamp_ms=np.zeros(count, dtype=np.int64),
        timestamp_type=np.full(count, TimestampType.CREATE_TIME, dtype=np.int8),
    )
    return [Fault.of(int(code)) for code in decoder.decode(records).fault]


@pytest.mark.parametrize("malformation", MALFORMATIONS, ids=lambda each: each.name)
def test_the_decoder_calls_each_broken_event_what_it_is(
    decoder: Decoder, malformation: Malformation
) -> None:
    events, writer = read_events(example_dir("car_loan") / "stream.avro")
    values = [malformation.apply(event, writer.encode) for event in events[:50]]
    assert decoded_faults(decoder, values) == [malformation.fault] * 50


def test_every_other_event_is_good(decoder: Decoder) -> None:
    prepared = prepare_events(DemoOptions.of(events=700))
    faults = decoded_faults(decoder, [event.value for event in prepared.all])
    found = Counter(fault.name for fault in faults if fault is not Fault.NONE)
    assert dict(found) == prepared.planted
    assert found.total() == 7


def test_the_choice_is_the_same_each_time_and_uses_every_way_alike() -> None:
    chosen = choose(30_000, 300, 7)
    assert choose(30_000, 300, 7) == chosen
    assert choose(30_000, 300, 8) != chosen
    assert len(chosen) == 300
    ways = Counter(malformation.name for malformation in chosen.values())
    assert set(ways) == {malformation.name for malformation in MALFORMATIONS}
    assert max(ways.values()) - min(ways.values()) <= 1
    assert sum(planted(chosen).values()) == 300


def test_there_are_eight_reasons_and_at_least_one_broken_event_in_any_run() -> None:
    assert len({malformation.fault for malformation in MALFORMATIONS}) >= 8
    assert DemoOptions.of(events=100).broken_events == 1


def test_the_default_is_the_example_itself(tmp_path: Path) -> None:
    events, _ = read_events(example_dir("car_loan") / "stream.avro")
    prepared = prepare_events(DemoOptions.of())
    assert list(prepared.sound) == events
    assert prepared.drift_from_ms == events[len(events) // 2]["timestamp"]
    prepared.write(tmp_path / "sent.avro")
    assert read_events(tmp_path / "sent.avro")[0] == events


@pytest.mark.parametrize("count", [101, 4_000, 75_001])
def test_time_goes_on_where_a_half_is_repeated_or_cut_short(count: int) -> None:
    prepared = prepare_events(DemoOptions.of(events=count))
    ids = [event["application_id"] for event in prepared.sound]
    assert len(set(ids)) == len(ids) == count
    times = [event["timestamp"] for event in prepared.sound]
    steps = {after - before for before, after in pairwise(times)}
    assert max(steps) - min(steps) <= 2, "the example has one event every 8 min 41 s"
    assert prepared.drift_from_ms == times[count - count // 2]
    assert len(prepared.all) == DemoOptions.of(events=count).records
