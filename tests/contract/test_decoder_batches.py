"""What every decoder owes the path: order, stores, and peace among the rows of a batch."""

import math
import uuid
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_app.core.avro.framing import guid_header
from stream_app.core.avro.store import NotYetKnownError, WriterSchema
from stream_app.core.contract import (
    Feature,
    OnNull,
)
from stream_app.core.faults import Fault
from stream_app.errors import RetriableError
from stream_app.settings import Framing
from tests.avro_kit import (
    MemoryStore,
    batch,
    confluent,
    contract_of,
    event_schema,
    single_object,
    written,
)
from tests.decoders import COLORS, TIME, Maker, decode, each_decoder, faults

pytestmark = each_decoder


def test_mixed_schemas_and_faults_keep_their_order(make: Maker) -> None:
    one = event_schema({"name": "f", "type": "double"})
    two = event_schema({"name": "f", "type": "int"}, {"name": "more", "type": "string"})
    guid = str(uuid.UUID(int=9))
    store = MemoryStore({1: WriterSchema(one), 2: WriterSchema(two), guid: WriterSchema(one)})
    of_one = confluent(1, written(one, {"id": "one", "f": 1.0}))
    of_two = confluent(2, written(two, {"id": "two", "f": 2, "more": "x"}))
    by_header = written(one, {"id": "three", "f": 3.0})
    records = batch(
        [of_two, of_one, None, by_header, of_two[:-1], of_one], {3: [guid_header(guid)]}
    )
    events = make(contract_of(Feature("f")), store, Framing.CONFLUENT).decode(records)
    good, bad = Fault.NONE, Fault.DECODE_ERROR
    assert faults(events) == [good, good, Fault.TOMBSTONE, good, bad, good]
    assert [event_id or b"" for event_id in events.ids] == [
        b"two",
        b"one",
        b"",
        b"three",
        b"",
        b"one",
    ]
    assert events.tensors["x"][events.good_rows()].ravel().tolist() == [2, 1, 3, 1]
    names = [events.schema_names[i] if i >= 0 else None for i in events.schema.tolist()]
    assert names == ["2", "1", None, guid, "2", "1"]


def test_single_objects_are_read_by_fingerprint(make: Maker) -> None:
    text = event_schema({"name": "f", "type": "double"})
    value = single_object(text, written(text, {"id": "a", "f": 1.0}))
    store = MemoryStore({value[2:10]: WriterSchema(text)})
    decoder = make(contract_of(Feature("f")), store, Framing.SINGLE_OBJECT)
    events = decoder.decode(batch([value, b"\xc3\x01" + bytes(9), confluent(1, b"0123456789")]))
    assert faults(events) == [Fault.NONE, Fault.UNKNOWN_SCHEMA, Fault.BAD_MAGIC]
    assert events.schema_names[0] == value[2:10].hex()


def test_a_schema_is_asked_for_once(make: Maker) -> None:
    text = event_schema()
    store = MemoryStore({1: WriterSchema(text), 2: WriterSchema("hostile")})
    decoder = make(contract_of(), store, Framing.CONFLUENT)
    values = [confluent(1, written(text, {"id": "a"})), confluent(2, b"x")] * 3
    for _ in range(3):
        decoder.decode(batch(values))
    assert store.asked == [1, 2]


def test_an_unreachable_store_costs_no_row(make: Maker) -> None:
    text = event_schema()
    store = MemoryStore({1: WriterSchema(text), 2: RetriableError("away")})
    decoder = make(contract_of(), store, Framing.CONFLUENT)
    values = [confluent(1, written(text, {"id": "a"})), confluent(2, written(text, {"id": "b"}))]
    with pytest.raises(RetriableError):
        decoder.decode(batch(values))
    assert faults(decoder.decode(batch(values[:1]))) == [Fault.NONE]
    store.answers[2] = WriterSchema(text)
    assert faults(decoder.decode(batch(values))) == [Fault.NONE] * 2


def test_all_unknown_schemas_of_a_batch_are_asked_for_at_once(make: Maker) -> None:
    store = MemoryStore({key: NotYetKnownError(str(key)) for key in (1, 2, 3)})
    decoder = make(contract_of(), store, Framing.CONFLUENT)
    with pytest.raises(NotYetKnownError):
        decoder.decode(batch([confluent(key, b"x") for key in (1, 2, 3)]))
    assert store.asked == [1, 2, 3]


def test_an_empty_batch_is_an_empty_batch(make: Maker) -> None:
    contract = contract_of(Feature("f"), time_field="at")
    events = make(contract, MemoryStore(), Framing.CONFLUENT).decode(batch([]))
    assert len(events) == 0
    assert events.tensors["x"].shape == (0, 1)
    assert events.kinds.shape == (0, 1)


_CAR_LOAN = contract_of(
    Feature("amount"),
    Feature("ratio", on_null=OnNull.NAN),
    Feature("color", categories=("RED", "GREEN")),
    Feature("flag"),
    Feature("count"),
    time_field="at",
)
_CAR_LOAN_SCHEMA = event_schema(
    {"name": "at", "type": TIME},
    {"name": "amount", "type": "double"},
    {"name": "ratio", "type": ["null", "double"]},
    {"name": "color", "type": COLORS},
    {"name": "flag", "type": "boolean"},
    {"name": "count", "type": "int"},
    {"name": "note", "type": "string"},
)
_NUMBERS = st.floats(-1e30, 1e30)
_EVENTS = st.fixed_dictionaries(
    {
        "id": st.text(min_size=1, max_size=12),
        "at": st.integers(-62_135_596_800_000, 253_402_300_799_999),
        "amount": _NUMBERS,
        "ratio": st.none() | _NUMBERS,
        "color": st.sampled_from(["RED", "GREEN"]),
        "flag": st.booleans(),
        "count": st.integers(-(2**31), 2**31 - 1),
        "note": st.text(max_size=12),
    }
)


@given(st.lists(_EVENTS, min_size=1, max_size=8))
def test_what_was_written_is_what_is_read(
    make: Maker, written_events: list[dict[str, Any]]
) -> None:
    payloads = [written(_CAR_LOAN_SCHEMA, event) for event in written_events]
    events = decode(make, _CAR_LOAN, _CAR_LOAN_SCHEMA, *payloads)
    assert faults(events) == [Fault.NONE] * len(payloads)
    assert list(events.ids) == [e["id"].encode() for e in written_events]
    assert events.event_time_ms.tolist() == [event["at"] for event in written_events]
    expected = [
        [
            event["amount"],
            math.nan if event["ratio"] is None else event["ratio"],
            ["RED", "GREEN"].index(event["color"]),
            event["flag"],
            event["count"],
        ]
        for event in written_events
    ]
    np.testing.assert_array_equal(
        events.tensors["x"], np.array(expected, dtype=np.float64).astype(np.float32)
    )


@settings(max_examples=300)
@given(_EVENTS, st.data())
def test_no_damage_crashes_or_touches_a_neighbour(
    make: Maker, event: dict[str, Any], data: st.DataObject
) -> None:
    whole = confluent(1, written(_CAR_LOAN_SCHEMA, event))
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 3))):
        damaged[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(whole)))
    was_whole_before_the_cut = damaged == whole
    damaged = damaged[:cut]
    store = MemoryStore({1: WriterSchema(_CAR_LOAN_SCHEMA)})
    decoder = make(_CAR_LOAN, store, Framing.CONFLUENT)
    alone = decoder.decode(batch([whole]))
    events = decoder.decode(batch([whole, bytes(damaged), whole]))
    for row in (0, 2):
        assert events.fault[row] == 0
        assert events.ids[row] == alone.ids[0]
        np.testing.assert_array_equal(events.tensors["x"][row], alone.tensors["x"][0])
    assert faults(events)[1] in Fault
    if was_whole_before_the_cut and cut < len(whole):
        assert faults(events)[1] is not Fault.NONE
