"""Files of events: three formats of the same rows give the same bytes; a bad row is named."""

import csv
import json
from pathlib import Path

import fastavro
import pytest

from stream_app.adapters.avro.record_files import (
    FileEvent,
    FileFormat,
    open_events,
)
from stream_app.adapters.avro.schema_file import EventSchema, event_schema, read_schema_file
from stream_app.errors import ConfigError, DataError, StreamAppError, UsageError

CANARY = "canary-of-a-payload"
DOCUMENT = {
    "type": "record",
    "name": "Event",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "amount", "type": ["null", "double"], "default": None},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 6}},
    ],
}
SCHEMA = event_schema(json.dumps(DOCUMENT), "the schema")
ROWS = [
    {"id": "a", "at": "2024-05-01T12:00:00Z", "amount": "1.5", "price": "12"},
    {"id": "b", "at": "2024-05-01T12:00:00.001Z", "amount": "", "price": "-3"},
]


@pytest.fixture
def csv_file(tmp_path: Path) -> Path:
    path = tmp_path / "events.csv"
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, list(ROWS[0]))
        writer.writeheader()
        writer.writerows(ROWS)
    return path


@pytest.fixture
def json_file(tmp_path: Path) -> Path:
    path = tmp_path / "events.jsonl"
    lines = [json.dumps({**row, "amount": float(row["amount"] or 0) or None}) for row in ROWS]
    path.write_text("\n\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def avro_file(tmp_path: Path, csv_file: Path) -> Path:
    path = tmp_path / "events.avro"
    with path.open("wb") as file:
        fastavro.writer(
            file, fastavro.parse_schema(DOCUMENT), [r.fields for r in rows_of(csv_file)]
        )
    return path


def rows_of(path: Path, schema: EventSchema | None = SCHEMA) -> list[FileEvent]:
    with open_events(path, schema=schema) as events:
        return list(events.rows())


def test_three_formats_of_the_same_rows_give_the_same_bytes(
    csv_file: Path, json_file: Path, avro_file: Path
) -> None:
    from_csv = [row.avro for row in rows_of(csv_file)]
    assert [row.avro for row in rows_of(json_file)] == from_csv
    assert [row.avro for row in rows_of(avro_file, None)] == from_csv
    assert len(from_csv) == len(ROWS)


def test_times_are_whole_numbers_in_every_format(
    csv_file: Path, json_file: Path, avro_file: Path
) -> None:
    wanted = [1714564800000, 1714564800001]
    for path, schema in ((csv_file, SCHEMA), (json_file, SCHEMA), (avro_file, None)):
        assert [row.fields["at"] for row in rows_of(path, schema)] == wanted


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_a_container_of_several_blocks_keeps_every_row(tmp_path: Path, codec: str) -> None:
    path = tmp_path / "events.avro"
    rows = [{"id": str(n), "at": n, "amount": n / 2, "price": b"\x01"} for n in range(1000)]
    with path.open("wb") as file:
        fastavro.writer(
            file, fastavro.parse_schema(DOCUMENT), rows, codec=codec, sync_interval=1000
        )
    with open_events(path) as events:
        assert [row["id"] for row in events] == [row["id"] for row in rows]
        assert events.share_read == 1.0
        assert events.rows_read == len(rows)


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "lines", "told"),
    [
        ("e.csv", ("id,at,price", f"a,{CANARY},1"), "row 1: field 'at': expected a time"),
        ("e.csv", ("id,at,price", "a,1,1", "b,1"), "row 2: fewer cells than the header"),
        ("e.csv", ("id,at,price", f"a,1,1,{CANARY}"), "row 1: not in the schema: (columns"),
        ("e.csv", ("id,at,price,colour", "a,1,1,red"), "row 1: not in the schema: colour"),
        ("e.csv", ("id,price", "a,1"), "row 1: field 'at' is missing"),
        ("e.csv", ("id,at,price", f'a,1,"{CANARY}'), "row 1: no CSV"),
        ("e.jsonl", ('{"id": "a", "at": 1, "price": 1}', f"{{{CANARY}"), "row 2: not a JSON"),
        ("e.jsonl", (f'["{CANARY}"]',), "row 1: expected record Event as an object"),
        ("e.jsonl", ('{"id": 4, "at": 1, "price": 1}',), "row 1: field 'id': expected a string"),
    ],
)
def test_a_bad_row_is_told_by_number_and_field_and_never_by_value(
    tmp_path: Path, name: str, lines: tuple[str, ...], told: str
) -> None:
    with pytest.raises(DataError) as raised:
        rows_of(write(tmp_path / name, *lines))
    assert told in str(raised.value)
    assert CANARY not in str(raised.value)


def test_rows_before_a_bad_one_are_given(tmp_path: Path) -> None:
    path = write(tmp_path / "e.csv", "id,at,price", "a,1,1", "b,1,1", "c,x,1")
    with open_events(path, schema=SCHEMA) as events:
        rows = iter(events)
        assert [next(rows)["id"], next(rows)["id"]] == ["a", "b"]
        with pytest.raises(DataError, match="row 3"):
            next(rows)


def test_unknown_columns_can_be_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "e.csv", "id,at,price,colour", "a,1,1,red")
    with open_events(path, schema=SCHEMA, ignore_unknown=True) as events:
        assert [sorted(row) for row in events] == [["at", "id", "price"]]


def test_a_broken_container_is_told_by_its_row(avro_file: Path) -> None:
    content = bytearray(avro_file.read_bytes())
    content[-20] ^= 0xFF
    avro_file.write_bytes(content)
    with pytest.raises(DataError, match=r"row [123]: the container is broken here"):
        rows_of(avro_file, None)


@pytest.mark.parametrize(
    ("name", "schema", "error", "told"),
    [
        ("events.txt", SCHEMA, UsageError, "--format"),
        ("events.csv", None, UsageError, "--schema"),
        ("events.jsonl", None, UsageError, "--schema"),
        ("events.avro", None, DataError, "not an Avro container"),
    ],
)
def test_a_file_that_cannot_be_opened_says_what_to_give(
    tmp_path: Path,
    name: str,
    schema: EventSchema | None,
    error: type[StreamAppError],
    told: str,
) -> None:
    with pytest.raises(error, match=told):
        rows_of(write(tmp_path / name, "nothing"), schema)


def test_a_container_takes_no_second_schema(avro_file: Path) -> None:
    with pytest.raises(UsageError, match="brings its own schema"):
        rows_of(avro_file, SCHEMA)


def test_the_format_can_be_told(tmp_path: Path) -> None:
    path = write(tmp_path / "events.txt", '{"id": "a", "at": 1, "price": 1}')
    with open_events(path, FileFormat.JSONL, SCHEMA) as events:
        assert [row["id"] for row in events] == ["a"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "not a usable Avro schema"),
        ('"string"', "expected a record"),
        ('{"type": "record"}', "not a usable"),
    ],
)
def test_a_schema_file_that_is_none_is_refused(tmp_path: Path, content: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        read_schema_file(write(tmp_path / "e.avsc", content))


def test_an_absent_schema_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.avsc: cannot be read"):
        read_schema_file(tmp_path / "absent.avsc")
