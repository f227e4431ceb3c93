"""The tools against a real broker: what one writes the other shows, and nothing is broken."""

import base64
import csv
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import fastavro
import pytest
from confluent_kafka import Consumer, Producer

from stream_app.adapters.kafka.admin import KafkaAdmin
from stream_app.adapters.kafka.offsets import (
    alter_offsets,
    committed_offsets,
    describe_group,
    end_offsets,
    offsets_at,
)
from stream_app.adapters.kafka.replay import OutgoingEvent, ReplayReport, produce_events
from stream_app.adapters.kafka.topics import describe_topics
from stream_app.core.positions import NextOffset
from stream_app.errors import ExitStatus, UnavailableError
from stream_app.settings import KafkaSettings
from tests.command_line import CommandLine, command_line
from tests.kafka_fixtures import RealKafka, unique

SCHEMA = {
    "type": "record",
    "name": "Event",
    "namespace": "tests",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "amount", "type": ["null", "double"], "default": None},
        {"name": "good", "type": "boolean"},
    ],
}
NOON_MS = 1_714_564_800_000
ROWS = 250


@pytest.fixture
def cli(
    kafka: RealKafka, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    return command_line(kafka.bootstrap_servers, monkeypatch, capsys)


@pytest.fixture
def admin(kafka: RealKafka) -> KafkaAdmin:
    return KafkaAdmin(KafkaSettings(bootstrap_servers=kafka.bootstrap_servers))


@pytest.fixture
def schemas(tmp_path: Path) -> Path:
    folder = tmp_path / "schemas"
    folder.mkdir()
    (folder / "event.avsc").write_text(json.dumps(SCHEMA), encoding="utf-8")
    return folder


def row(number: int) -> dict[str, object]:
    amount = None if number % 7 == 0 else number / 4
    return {
        "id": f"e{number}",
        "at": NOON_MS + number,
        "amount": amount,
        "good": number % 2 == 0,
    }


@pytest.fixture(params=["events.avro", "events.csv", "events.jsonl"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / str(request.param)
    rows = [row(number) for number in range(ROWS)]
    if path.suffix == ".avro":
        with path.open("wb") as out:
            fastavro.writer(out, fastavro.parse_schema(SCHEMA), rows)
    elif path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as out:
            writer = csv.DictWriter(out, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def test_what_produce_sends_tail_shows(
    kafka: RealKafka, cli: CommandLine, file: Path, schemas: Path
) -> None:
    topic = kafka.topic("produce", 3)
    schema = [] if file.suffix == ".avro" else ["--schema", schemas / "event.avsc"]
    single = {"input__framing": "single-object", "input__schema_dir": schemas}
    sent = cli("produce", file, "--topic", topic, "--key-field", "id", "--json", *schema, **single)
    assert sent.status == ExitStatus.OK, sent.err
    assert sent.document["delivered"] == ROWS
    assert sent.document["failed"] == {}
    shown = cli("tail", topic, "--from-beginning", "--until-end", "--format", "json", **single)
    assert shown.status == ExitStatus.OK, shown.err
    found = {record["key"]: record for record in shown.lines}
    assert len(shown.lines) == len(found) == ROWS
    for number in range(ROWS):
        wanted, record = row(number), found[f"e{number}"]
        assert record["timestamp_ms"] == wanted["at"]
        assert {**record["value"], "at": wanted["at"]} == wanted
    assert {record["partition"] for record in shown.lines} == {0, 1, 2}


def test_tail_stops_after_as_many_as_asked(
    kafka: RealKafka, cli: CommandLine, tmp_path: Path, schemas: Path
) -> None:
    topic = kafka.topic("tail", 1)
    path = tmp_path / "e.jsonl"
    path.write_text("\n".join(json.dumps(row(n)) for n in range(5)), encoding="utf-8")
    single = {"input__framing": "single-object", "input__schema_dir": schemas}
    schema = ("--schema", schemas / "event.avsc")
    assert cli("produce", path, "-t", topic, *schema, "--limit", 4, **single).status == 0
    shown = cli("tail", topic, "--from-beginning", "--max", 3, **single)
    header, *lines = shown.out.splitlines()
    assert header.split() == ["partition", "offset", "timestamp", "key", "value"]
    assert [line.split()[1] for line in lines] == ["0", "1", "2"]
    rest = cli("tail", topic, "--from-beginning", "--until-end", "--format", "json", **single)
    assert len(rest.lines) == 4


def test_what_cannot_be_decoded_is_shown_with_the_reason(
    kafka: RealKafka, cli: CommandLine, schemas: Path
) -> None:
    topic = kafka.topic("tail", 1)
    events = [OutgoingEvent(b"\xff" * 20), OutgoingEvent(None, b"k", headers=[("h", b"1")])]
    produce_events(KafkaSettings(bootstrap_servers=kafka.bootstrap_servers), topic, events)
    single = {"input__framing": "single-object", "input__schema_dir": schemas}
    shown = cli("tail", topic, "--from-beginning", "--until-end", "--format", "json", **single)
    broken, tombstone = shown.lines
    assert broken["reason"].startswith("BAD_MAGIC")
    assert base64.b64decode(broken["value_base64"]) == b"\xff" * 20
    assert tombstone["value"] is None
    assert tombstone["headers"] == {"h": "1"}


def test_only_committed_records_are_shown_and_open_ones_are_told(
    kafka: RealKafka, cli: CommandLine, admin: KafkaAdmin
) -> None:
    topic = kafka.topic("open", 1)
    names = {
        "input__topic": topic,
        "output__predictions_topic": kafka.topic("predictions", 1),
        "output__dlq_topic": kafka.topic("dlq", 1),
        "kafka__group": unique("group"),
    }
    producer = Producer(
        {"bootstrap.servers": kafka.bootstrap_servers, "transactional.id": unique("tools")}
    )
    producer.init_transactions(10)
    for value, finish in ((b"aborted", producer.abort_transaction), (b"committed", None)):
        producer.begin_transaction()
        producer.produce(names["output__predictions_topic"], value)
        producer.flush()
        (finish or producer.commit_transaction)(10)
    producer.begin_transaction()
    producer.produce(names["output__predictions_topic"], b"open")
    producer.flush()
    status = cli("status", "--json", **names).document
    assert [(t["topic"], t["partition"]) for t in status["open_transactions"]] == [
        (names["output__predictions_topic"], 0)
    ]
    shown = cli(
        "tail", names["output__predictions_topic"], "--from-beginning", "--until-end", "--raw",
        "--format", "json", **names,
    )  # fmt: skip
    assert [record["value_base64"] for record in shown.lines] == ["Y29tbWl0dGVk"]
    producer.commit_transaction(10)
    status = cli("status", "--json", **names).document
    assert status["open_transactions"] == []
    assert "open transactions: none" in cli("status", **names).out


def test_records_too_far_ahead_are_refused_with_the_remedy(
    kafka: RealKafka, cli: CommandLine, tmp_path: Path, schemas: Path
) -> None:
    topic = kafka.topic("future", 1)
    path = tmp_path / "e.jsonl"
    path.write_text(json.dumps({**row(1), "at": "2999-01-01T00:00:00Z"}), encoding="utf-8")
    schema = ("--schema", schemas / "event.avsc", "--framing", "single-object")
    refused = cli("produce", path, "-t", topic, *schema)
    assert refused.status == ExitStatus.UNAVAILABLE
    assert "0 records delivered" in refused.out
    assert "1 records: INVALID_TIMESTAMP; brokers refuse timestamps more than an hour" in (
        refused.err
    )
    assert cli("produce", path, "-t", topic, *schema, "--timestamp-now").status == ExitStatus.OK


def test_old_records_are_warned_of_where_the_topic_would_delete_them(
    kafka: RealKafka, cli: CommandLine, tmp_path: Path, schemas: Path
) -> None:
    path = tmp_path / "e.jsonl"
    path.write_text("\n".join(json.dumps(row(n)) for n in range(3)), encoding="utf-8")
    schema = ("--schema", schemas / "event.avsc", "--framing", "single-object")
    short = cli("produce", path, "-t", kafka.topic("short", 1, retention_ms="86400000"), *schema)
    assert short.err.count("brokers will delete them") == 1
    kept = cli("produce", path, "-t", kafka.topic("kept", 1), *schema)
    assert "delete" not in kept.err


def test_a_bad_row_ends_with_65_after_those_before_it_were_sent(
    kafka: RealKafka, cli: CommandLine, tmp_path: Path, schemas: Path
) -> None:
    topic = kafka.topic("bad", 1)
    path = tmp_path / "e.jsonl"
    path.write_text(f"{json.dumps(row(0))}\n{json.dumps(row(1))}\n{{}}\n", encoding="utf-8")
    schema = ("--schema", schemas / "event.avsc", "--framing", "single-object")
    stopped = cli("produce", path, "-t", topic, *schema)
    assert stopped.status == ExitStatus.DATA
    assert "row 3: field 'id' is missing" in stopped.err
    shown = cli("tail", topic, "--from-beginning", "--until-end", "--raw", "--format", "json")
    assert len(shown.lines) == 2


def test_an_interrupt_flushes_what_was_sent_and_says_so(kafka: RealKafka) -> None:
    topic = kafka.topic("interrupt", 1)

    def events() -> Iterator[OutgoingEvent]:
        yield from [OutgoingEvent(b"x")] * 10
        raise KeyboardInterrupt

    told: list[ReplayReport] = []
    settings = KafkaSettings(bootstrap_servers=kafka.bootstrap_servers)
    report = produce_events(settings, topic, events(), on_progress=told.append)
    assert report.interrupted
    assert (report.sent, report.delivered, report.waiting) == (10, 10, 0)
    assert told[-1] is report


def test_a_rate_is_kept(kafka: RealKafka) -> None:
    topic = kafka.topic("rate", 1)
    settings = KafkaSettings(bootstrap_servers=kafka.bootstrap_servers)
    report = produce_events(settings, topic, [OutgoingEvent(b"x")] * 51, rate=100)
    assert report.delivered == 51
    assert report.elapsed_s >= 0.5


def test_topics_are_created_once_and_then_left_alone(cli: CommandLine, admin: KafkaAdmin) -> None:
    names = {"input__topic": unique("job"), "kafka__group": unique("group")}
    create = ("topics", "create", "--with-input", "--partitions", 3, "--json")
    dry = cli(*create, "--dry-run", **names).document["topics"]
    assert {topic["action"] for topic in dry} == {"would create"}
    assert describe_topics(admin, [topic["topic"] for topic in dry]) == {}
    first = cli(*create, **names)
    assert first.status == ExitStatus.OK, first.err
    assert {topic["action"] for topic in first.document["topics"]} == {"created"}
    again = cli(*create, **names)
    assert {topic["action"] for topic in again.document["topics"]} == {"exists"}
    assert len(again.document["topics"]) == 9
    assert not any(topic["differences"] for topic in again.document["topics"])
    assert again.err == ""
    present = describe_topics(admin, [topic["topic"] for topic in first.document["topics"]])
    counts = {topic["role"]: present[topic["topic"]].partitions for topic in dry}
    assert counts["input"] == counts["predictions"] == counts["dlq"] == 3


def test_topics_follow_an_input_that_is_there_and_differences_are_told(
    kafka: RealKafka, cli: CommandLine
) -> None:
    source = kafka.topic("source", 5)
    made = cli("topics", "create", "--json", input__topic=source).document["topics"]
    assert [t["partitions"] for t in made if t["role"] in {"predictions", "dlq"}] == [5, 5]
    other = cli("topics", "create", "--partitions", 2, "--retention-ms", 7, input__topic=source)
    assert other.status == ExitStatus.OK
    assert f"topic {source}.dlq: 5 partitions, expected 2; retention.ms=" in other.err


def test_a_cluster_that_refuses_a_topic_is_quoted(cli: CommandLine) -> None:
    answer = cli(
        "topics", "create", "--with-input", "--replication-factor", 9, input__topic=unique("many")
    )
    assert answer.status == ExitStatus.CONFIG
    assert "INVALID_REPLICATION_FACTOR" in answer.err


def test_topics_need_an_input(cli: CommandLine) -> None:
    answer = cli("topics", "create", input__topic="absent-topic")
    assert answer.status == ExitStatus.UNAVAILABLE
    assert "input topic 'absent-topic' does not exist" in answer.err
    assert "--with-input" in answer.err


@pytest.fixture(params=["classic", "consumer"])
def member(request: pytest.FixtureRequest, kafka: RealKafka) -> Iterator[tuple[str, str, str]]:
    """An active member of a group of its own; (topic, group, protocol)."""
    topic, group = kafka.topic("active", 2), unique("group")
    consumer = Consumer(
        {
            "bootstrap.servers": kafka.bootstrap_servers,
            "group.id": group,
            "group.protocol": request.param,
            "client.id": "somebody",
            "auto.offset.reset": "earliest",
        }
    )
    assigned, stop = threading.Event(), threading.Event()
    consumer.subscribe([topic], on_assign=lambda *_: assigned.set())

    def poll() -> None:
        while not stop.is_set():
            consumer.poll(0.05)

    thread = threading.Thread(target=poll)
    thread.start()
    assert assigned.wait(30)
    yield topic, group, request.param
    stop.set()
    thread.join()
    consumer.close()


def test_offsets_are_not_moved_under_an_active_member(
    cli: CommandLine, admin: KafkaAdmin, member: tuple[str, str, str]
) -> None:
    topic, group, _ = member
    names = {"input__topic": topic, "kafka__group": group}
    refused = cli("offsets", "reset", "--to", "start", "--yes", **names)
    assert refused.status == ExitStatus.USAGE
    assert f"group '{group}' has 1 active member (somebody on " in refused.err
    assert committed_offsets(admin, group, topic, [0, 1]) == {}


def test_a_dry_run_under_an_active_member_shows_the_change_and_what_stands_in_its_way(
    cli: CommandLine, admin: KafkaAdmin, member: tuple[str, str, str]
) -> None:
    topic, group, _ = member
    names = {"input__topic": topic, "kafka__group": group}
    shown = cli("offsets", "reset", "--to", "start", "--dry-run", **names)
    assert shown.status == ExitStatus.OK
    assert "dry run: nothing was changed" in shown.out
    assert "warning: it would be refused now: " in shown.err
    assert "1 active member (somebody on " in shown.err
    assert committed_offsets(admin, group, topic, [0, 1]) == {}


def test_status_shows_who_reads_what(cli: CommandLine, member: tuple[str, str, str]) -> None:
    topic, group, protocol = member
    names = {"input__topic": topic, "kafka__group": group}
    status = cli("status", "--json", **names).document
    assert status["group"]["state"] == "stable"
    assert status["group"]["protocol"] == protocol
    assert [m["partitions"] for m in status["group"]["members"]] == [[[topic, 0], [topic, 1]]]
    assert [p["member"].split(" on ")[0] for p in status["partitions"]] == ["somebody"] * 2
    assert status["absent_topics"] == [
        f"{topic}.predictions",
        f"{topic}.dlq",
        f"{topic}.drift.partials",
    ]
    shown = cli("status", **names).out
    assert f"group {group}: stable, {protocol}, " in shown


def test_offsets_go_to_a_time_an_offset_and_the_ends(
    kafka: RealKafka, cli: CommandLine, admin: KafkaAdmin
) -> None:
    topic, group = kafka.topic("reset", 2), unique("group")
    names = {"input__topic": topic, "kafka__group": group}
    events = [OutgoingEvent(b"x", timestamp_ms=NOON_MS + n, partition=n % 2) for n in range(20)]
    produce_events(KafkaSettings(bootstrap_servers=kafka.bootstrap_servers), topic, events)

    def at() -> dict[int, int]:
        return {p: o.offset for p, o in committed_offsets(admin, group, topic, [0, 1]).items()}

    assert cli("offsets", "reset", "--to", "end", "--dry-run", **names).status == ExitStatus.OK
    assert at() == {}
    wanted: list[tuple[tuple[object, ...], dict[int, int]]] = [
        (("--to", "end"), {0: 10, 1: 10}),
        (("--to", "start", "--partition", 1), {0: 10, 1: 0}),
        (("--to", "2024-05-01T12:00:00.008Z"), {0: 4, 1: 4}),
        (("--to", "2024-05-01T12:00:00.009Z"), {0: 5, 1: 4}),
        (("--to", "2999-01-01"), {0: 10, 1: 10}),
        (("--to", 7, "-p", 0), {0: 7, 1: 10}),
        (("--to", "start"), {0: 0, 1: 0}),
    ]
    for arguments, offsets in wanted:
        answer = cli("offsets", "reset", *arguments, "--yes", **names)
        assert answer.status == ExitStatus.OK, answer.err
        assert at() == offsets, arguments
    shown = cli("offsets", "show", "--json", **names).document
    assert [(p["committed"], p["end"], p["lag"]) for p in shown] == [(0, 10, 10)] * 2
    outside = cli("offsets", "reset", "--to", 11, "--yes", **names)
    assert outside.status == ExitStatus.USAGE
    assert "partition 0 holds the offsets 0 to 10" in outside.err
    assert cli("offsets", "reset", "--to", "end", "-p", 2, **names).status == ExitStatus.USAGE


def test_metadata_beside_an_offset_is_kept(kafka: RealKafka, admin: KafkaAdmin) -> None:
    topic, group = kafka.topic("metadata", 2), unique("group")
    wanted = {0: NextOffset(3, "model 7"), 1: NextOffset(0)}
    alter_offsets(admin, group, topic, wanted)
    assert committed_offsets(admin, group, topic, [0, 1]) == wanted


def test_a_group_that_never_was_is_absent(kafka: RealKafka, admin: KafkaAdmin) -> None:
    group = unique("never")
    assert not describe_group(admin, group).exists
    assert committed_offsets(admin, group, kafka.topic("never", 1), [0]) == {}


def test_dead_letters_are_listed_by_reason(kafka: RealKafka, cli: CommandLine) -> None:
    topic = kafka.topic("letters", 1)
    names = {
        "input__topic": topic,
        "output__dlq_topic": kafka.topic("dlq", 2),
        "kafka__group": unique("group"),
        "input__framing": "single-object",
    }
    letters = [
        OutgoingEvent(
            b"\x00" * 12,
            timestamp_ms=NOON_MS + n,
            partition=n % 2,
            headers=[
                ("err.stage", b"decode"),
                ("err.code", b"BAD_MAGIC" if n % 3 else b"TOO_SHORT"),
                ("err.message", b"expected the first bytes c3 01"),
                ("err.topic", topic.encode()),
                ("err.partition", b"0"),
                ("err.offset", str(n).encode()),
            ],
        )
        for n in range(9)
    ]
    settings = KafkaSettings(bootstrap_servers=kafka.bootstrap_servers)
    none = cli("tail", "--dead-letters", "--from-beginning", "--until-end", **names)
    assert (none.out, none.err) == ("", "no records\n")
    produce_events(settings, names["output__dlq_topic"], letters)
    status = cli("status", "--json", "--dead-letters", 2, **names).document
    assert status["dead_letters_by_code"] == {"BAD_MAGIC": 6, "TOO_SHORT": 3}
    assert [n["source"] for n in status["last_dead_letters"]] == [f"{topic}/0/7", f"{topic}/0/8"]
    shown = cli("tail", "--dead-letters", "--from-beginning", "--until-end", **names)
    assert shown.status == ExitStatus.OK, shown.err
    assert len(shown.out.splitlines()) == 9
    assert f"BAD_MAGIC               {topic}/0/8  expected the first bytes c3 01" in shown.out


def test_dead_letters_are_found_behind_those_that_were_aborted(
    kafka: RealKafka, cli: CommandLine
) -> None:
    """As a worker leaves them that the circuit breaker has stopped."""
    topic, dlq = kafka.topic("letters", 1), kafka.topic("dlq", 1)
    producer = Producer(
        {"bootstrap.servers": kafka.bootstrap_servers, "transactional.id": unique("tools")}
    )
    producer.init_transactions(10)
    for letters, end in ((1, producer.commit_transaction), (600, producer.abort_transaction)):
        producer.begin_transaction()
        for _ in range(letters):
            producer.produce(dlq, b"", headers=[("err.code", b"BAD_MAGIC")])
        producer.flush(10)
        end(10)
    names = {"input__topic": topic, "output__dlq_topic": dlq, "kafka__group": unique("group")}
    status = cli("status", "--json", **names).document
    assert status["dead_letters_by_code"] == {"BAD_MAGIC": 1}


def test_times_and_ends_are_the_brokers(kafka: RealKafka, admin: KafkaAdmin) -> None:
    topic = kafka.topic("times", 1)
    assert offsets_at(admin, topic, [0], NOON_MS) == {0: 0}
    assert end_offsets(admin, topic, []) == {}


def test_an_absent_topic_is_told_before_anything_is_sent(kafka: RealKafka) -> None:
    settings = KafkaSettings(bootstrap_servers=kafka.bootstrap_servers)
    with pytest.raises(UnavailableError, match="looking for topic"):
        produce_events(settings, "not a possible name", [OutgoingEvent(b"x")])
