"""The tools with Confluent framing: what is registered, what is refused, what is decoded."""

import json
from pathlib import Path

import pytest

from stream_app.errors import ExitStatus
from tests.command_line import CommandLine, command_line
from tests.kafka_fixtures import RealKafka, unique

EVENT = {
    "type": "record",
    "name": "Event",
    "fields": [{"name": "id", "type": "string"}, {"name": "amount", "type": "double"}],
}


@pytest.fixture
def cli(
    kafka: RealKafka,
    registry_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> CommandLine:
    monkeypatch.setenv("STREAM_APP_REGISTRY__URL", registry_url)
    return command_line(kafka.bootstrap_servers, monkeypatch, capsys)


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    path = tmp_path / "event.avsc"
    path.write_text(json.dumps(EVENT), encoding="utf-8")
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "events.jsonl"
    rows = [{"id": f"e{number}", "amount": number / 2} for number in range(20)]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def test_a_trial_is_created_once_with_its_schemas(cli: CommandLine, schema: Path) -> None:
    create = ("topics", "create", "--with-input", "--register-schemas", "--json")
    job = unique("job")
    given = (*create, "--event-schema", schema)
    dry = cli(*given, "--dry-run", input__topic=job)
    assert dry.status == ExitStatus.OK, dry.err
    subjects = [f"{job}-value", f"{job}.predictions-value"]
    assert [(s["subject"], s["action"]) for s in dry.document["schemas"]] == [
        (subject, "would register") for subject in subjects
    ]
    first = cli(*given, input__topic=job).document["schemas"]
    assert [(s["subject"], s["action"]) for s in first] == [(s, "registered") for s in subjects]
    again = cli(*given, input__topic=job).document["schemas"]
    assert [s["action"] for s in again] == ["exists", "exists"]
    assert [s["schema_id"] for s in again] == [s["schema_id"] for s in first]


def test_nothing_is_registered_where_the_framing_needs_no_registry(
    cli: CommandLine, schema: Path
) -> None:
    answer = cli(
        "topics", "create", "--with-input", "--register-schemas", "--event-schema", schema,
        input__topic=unique("job"), input__framing="single-object",
    )  # fmt: skip
    assert answer.status == ExitStatus.OK
    assert "no schema to register" in answer.out


def test_events_are_refused_until_their_schema_is_registered(
    kafka: RealKafka, cli: CommandLine, schema: Path, file: Path
) -> None:
    topic = kafka.topic("confluent", 1)
    send = ("produce", file, "--topic", topic, "--schema", schema, "--json")
    refused = cli(*send)
    assert refused.status == ExitStatus.CONFIG
    assert f"no version of subject '{topic}-value'; give --register" in refused.err
    assert cli(*send, "--register").document["delivered"] == 20
    assert cli(*send).document["delivered"] == 20
    shown = cli("tail", topic, "--from-beginning", "--until-end", "--format", "json")
    assert shown.status == ExitStatus.OK, shown.err
    assert [record["value"]["id"] for record in shown.lines] == 2 * [f"e{n}" for n in range(20)]


def test_a_schema_with_other_words_but_the_same_bytes_is_taken(
    kafka: RealKafka, cli: CommandLine, schema: Path, file: Path
) -> None:
    topic = kafka.topic("words", 1)
    send = ("produce", file, "--topic", topic, "--schema", schema, "--json")
    assert cli(*send, "--register").status == ExitStatus.OK
    schema.write_text(json.dumps({**EVENT, "doc": "In other words."}), encoding="utf-8")
    assert cli(*send).document["delivered"] == 20


def test_a_schema_that_old_readers_cannot_follow_is_refused(
    kafka: RealKafka, cli: CommandLine, schema: Path, file: Path
) -> None:
    topic = kafka.topic("compatible", 1)
    send = ("produce", file, "--topic", topic, "--schema", schema, "--ignore-unknown", "--register")
    assert cli(*send).status == ExitStatus.OK
    fields = [{"name": "id", "type": "string"}, {"name": "amount", "type": "string"}]
    schema.write_text(json.dumps({**EVENT, "fields": fields}), encoding="utf-8")
    refused = cli(*send)
    assert refused.status == ExitStatus.CONFIG
    assert "not compatible" in refused.err
    shown = cli("tail", topic, "--from-beginning", "--until-end", "--format", "json")
    assert len(shown.lines) == 20


def test_a_registry_that_is_away_is_told_with_its_address(
    kafka: RealKafka, cli: CommandLine, schema: Path, file: Path
) -> None:
    topic = kafka.topic("away", 1)
    away = {"registry__url": "http://127.0.0.1:9/apis", "registry__timeout_s": 1}
    answer = cli("produce", file, "--topic", topic, "--schema", schema, **away)
    assert answer.status == ExitStatus.UNAVAILABLE
    assert "http://127.0.0.1:9/apis" in answer.err
    assert cli("produce", file, "--topic", topic, "--schema", schema, "--register").status == 0
    undecoded = cli("tail", topic, "--from-beginning", "--until-end", **away)
    assert undecoded.status == ExitStatus.UNAVAILABLE
    assert "--raw" in undecoded.err
    raw = cli("tail", topic, "--from-beginning", "--until-end", "--raw", **away)
    assert raw.status == ExitStatus.OK
