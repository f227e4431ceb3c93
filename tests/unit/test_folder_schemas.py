"""Laws of the folder of schemas."""

import json
import os
from pathlib import Path

import pytest

from stream_app.adapters.avro.schema_patience import ASK_EVERY_S, RECHECK_S
from stream_app.adapters.avro.schema_stores import FolderSchemaStore
from stream_app.core.avro.canonical import fingerprint
from stream_app.core.avro.gates import Rejection
from stream_app.core.avro.parser import parse
from stream_app.core.avro.store import NotYetKnownError, WriterSchema
from stream_app.core.faults import Fault
from stream_app.errors import ConfigError, RetriableError
from tests.avro_kit import HandClock, event_schema

ONE = event_schema({"name": "f", "type": "double"})
TWO = event_schema({"name": "f", "type": "float"})
LOOP = event_schema({"name": "next", "type": ["null", "test.Event"]})


def _key(text: str) -> bytes:
    return fingerprint(parse(json.loads(text)))


def _publish(folder: Path, name: str, text: str, version: int = 0) -> None:
    path = folder / f"{name}.avsc"
    path.write_text(text)
    os.utime(path, ns=(version, version))


def test_schemas_are_known_by_their_fingerprints(tmp_path: Path) -> None:
    _publish(tmp_path, "one", ONE)
    _publish(tmp_path, "two", TWO)
    (tmp_path / "notes.txt").write_text("not a schema")
    store = FolderSchemaStore(tmp_path, HandClock())
    assert store.get(_key(ONE)) == WriterSchema(ONE)
    assert store.get(_key(TWO)) == WriterSchema(TWO)


def test_a_schema_published_later_is_found(tmp_path: Path) -> None:
    clock = HandClock()
    store = FolderSchemaStore(tmp_path, clock)
    with pytest.raises(NotYetKnownError):
        store.get(_key(ONE))
    _publish(tmp_path, "one", ONE)
    clock.time_s += ASK_EVERY_S
    assert store.get(_key(ONE)) == WriterSchema(ONE)


def test_a_file_that_changes_adds_its_new_schema_and_keeps_the_old(tmp_path: Path) -> None:
    clock = HandClock()
    _publish(tmp_path, "event", ONE, version=1)
    store = FolderSchemaStore(tmp_path, clock)
    _publish(tmp_path, "event", TWO, version=2)
    clock.time_s += ASK_EVERY_S
    assert store.get(_key(TWO)) == WriterSchema(TWO)
    assert store.get(_key(ONE)) == WriterSchema(ONE)


def test_an_unknown_fingerprint_is_refused_in_the_end(tmp_path: Path) -> None:
    clock = HandClock()
    store = FolderSchemaStore(tmp_path, clock, unknown_retry_s=5.0)
    with pytest.raises(NotYetKnownError):
        store.get(_key(ONE))
    clock.time_s += 5.0
    refusal = store.get(_key(ONE))
    assert isinstance(refusal, Rejection)
    assert refusal.fault is Fault.UNKNOWN_SCHEMA
    _publish(tmp_path, "one", ONE)
    assert store.get(_key(ONE)) == refusal
    clock.time_s += RECHECK_S
    assert store.get(_key(ONE)) == WriterSchema(ONE)


def test_unknown_fingerprints_do_not_make_the_folder_read_at_every_one(tmp_path: Path) -> None:
    clock = HandClock()
    store = FolderSchemaStore(tmp_path, clock, unknown_retry_s=0)
    clock.time_s += ASK_EVERY_S
    assert isinstance(store.get(b"unknown1"), Rejection)
    _publish(tmp_path, "one", ONE)
    # Within the interval even a published one is not seen: the folder was just read.
    assert isinstance(store.get(_key(ONE)), Rejection)


def test_keys_of_a_registry_are_unknown_to_a_folder(tmp_path: Path) -> None:
    store = FolderSchemaStore(tmp_path, HandClock())
    for key in (7, "89791762-2336-4186-9674-299b90a802e2"):
        refusal = store.get(key)
        assert isinstance(refusal, Rejection)
        assert refusal.fault is Fault.UNKNOWN_SCHEMA


def test_a_schema_that_contains_itself_is_known_so_that_its_rows_get_the_right_fault(
    tmp_path: Path,
) -> None:
    _publish(tmp_path, "loop", LOOP)
    assert FolderSchemaStore(tmp_path, HandClock()).get(_key(LOOP)) == WriterSchema(LOOP)


@pytest.mark.parametrize(
    "text", ["", "{", '{"type": "record"}', '"' + "x" * 300_000, "[" * 5_000, "\udcff"]
)
def test_a_file_that_is_no_schema_stops_the_start(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.avsc").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ConfigError, match=r"bad\.avsc"):
        FolderSchemaStore(tmp_path, HandClock())


@pytest.mark.parametrize("kind", ["pipe", "folder", "broken link"])
def test_what_is_no_file_stops_the_start_and_nothing_waits_for_it(
    tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "bad.avsc"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("nowhere")
    with pytest.raises(ConfigError, match=r"bad\.avsc: "):
        FolderSchemaStore(tmp_path, HandClock())


def test_a_broken_link_does_not_hide_the_schemas_beside_it(tmp_path: Path) -> None:
    clock = HandClock()
    store = FolderSchemaStore(tmp_path, clock)
    (tmp_path / "bad.avsc").symlink_to("nowhere")
    _publish(tmp_path, "one", ONE)
    clock.time_s += ASK_EVERY_S
    assert store.get(_key(ONE)) == WriterSchema(ONE)


def test_a_file_that_is_no_schema_does_not_stop_a_running_worker(tmp_path: Path) -> None:
    clock = HandClock()
    store = FolderSchemaStore(tmp_path, clock)
    (tmp_path / "bad.avsc").write_text("{")
    _publish(tmp_path, "one", ONE)
    clock.time_s += ASK_EVERY_S
    assert store.get(_key(ONE)) == WriterSchema(ONE)


def test_a_folder_that_is_not_there_stops_the_start_but_not_a_running_worker(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "schemas"
    with pytest.raises(ConfigError, match=r"input\.schema_dir"):
        FolderSchemaStore(folder, HandClock())
    folder.mkdir()
    clock = HandClock()
    store = FolderSchemaStore(folder, clock)
    folder.rmdir()
    clock.time_s += ASK_EVERY_S
    with pytest.raises(RetriableError):
        store.get(_key(ONE))
