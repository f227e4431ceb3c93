"""Key, time and partition of an event, as the command line asks for them."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from stream_app.adapters.avro.schema_file import event_schema
from stream_app.cli.event_fields import (
    default_time_field,
    key_bytes,
    parse_partitioning,
    require_field,
    timestamp_ms,
)
from stream_app.cli.offsets import Moment, Place, parse_target
from stream_app.core.avro.schema import Record
from stream_app.core.columns import NO_TIMESTAMP
from stream_app.errors import UsageError


def record(**types: object) -> Record:
    fields = [{"name": name, "type": kind} for name, kind in types.items()]
    document = {"type": "record", "name": "R", "fields": fields}
    return event_schema(json.dumps(document), "test").record


def stamp(unit: str) -> dict[str, str]:
    return {"type": "long", "logicalType": f"timestamp-{unit}"}


def test_the_time_field_is_the_only_one_in_milliseconds() -> None:
    assert default_time_field(record(a="string", b=stamp("millis"))) == "b"
    assert default_time_field(record(a=stamp("micros"), b=["null", stamp("millis")])) == "b"


def test_no_time_field_is_guessed_among_several_or_none() -> None:
    assert default_time_field(record(a=stamp("millis"), b=stamp("millis"))) is None
    assert default_time_field(record(a="long")) is None


@pytest.mark.parametrize(
    ("unit", "value", "wanted"),
    [("millis", 1500, 1500), ("micros", 1_500_999, 1500), ("nanos", 1_500_999_999, 1500)],
)
def test_a_time_is_told_in_milliseconds_whatever_its_unit(
    unit: str, value: int, wanted: int
) -> None:
    assert timestamp_ms(record(t=["null", stamp(unit)]), "t")({"t": value}) == wanted


def test_an_event_without_time_has_none() -> None:
    read = timestamp_ms(record(t=["null", stamp("millis")]), "t")
    assert read({"t": None}) == NO_TIMESTAMP
    assert timestamp_ms(record(t="long"), None)({"t": 5}) == NO_TIMESTAMP


@pytest.mark.parametrize(
    ("value", "key"),
    [(None, None), ("ä", "ä".encode()), (b"\xff", b"\xff"), (-7, b"-7")],
)
def test_a_key_is_the_value_as_text_or_its_bytes(value: object, key: bytes | None) -> None:
    assert key_bytes(value) == key


@pytest.mark.parametrize(
    "call",
    [
        lambda: require_field(record(a="long"), "b", "--key-field"),
        lambda: timestamp_ms(record(a="long"), "a"),
        lambda: key_bytes(1.5),
        lambda: parse_partitioning("anyhow"),
        lambda: parse_partitioning("-1"),
        lambda: parse_partitioning("4").chooser(4),
        lambda: parse_target("someday"),
        lambda: parse_target("-5"),
        lambda: parse_target(""),
    ],
)
def test_what_cannot_be_is_refused_as_usage(call: Callable[[], object]) -> None:
    with pytest.raises(UsageError):
        call()


def test_partitions_go_round_or_stand_still_or_follow_the_key() -> None:
    wanted = {"round-robin": [0, 1, 2, 0], "2": [2, 2, 2, 2], "key": [-1, -1, -1, -1]}
    for word, partitions in wanted.items():
        choose = parse_partitioning(word).chooser(3)
        assert [choose(number) for number in range(4)] == partitions


NOON_MS = int(datetime(2024, 5, 1, 12, tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("start", Place.START),
        ("END", Place.END),
        ("0", 0),
        (" 1500 ", 1500),
        ("2024-05-01T12:00:00Z", Moment(NOON_MS)),
        ("2024-05-01T14:00:00+02:00", Moment(NOON_MS)),
        ("2024-05-01 12:00:00.250", Moment(NOON_MS + 250)),
        ("2024-05-01", Moment(NOON_MS - 12 * 3_600_000)),
    ],
)
def test_a_target_is_a_place_an_offset_or_a_moment(text: str, target: object) -> None:
    assert parse_target(text) == target
