"""The bench as a person runs it: counts and structure, never a speed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer

from stream_app.bench.events import make_readings
from stream_app.bench.options import COUNTED, Contender
from stream_app.errors import ExitStatus
from stream_app.resources import example_dir
from tests.kafka_fixtures import RealKafka, unique

COMMAND = [sys.executable, "-m", "stream_app", "bench"]
RECORDS = 2_000
QUICK = ("--records", str(RECORDS), "--rounds", "1", "--seconds", "0.5", "--json")
WITHIN_S = 280.0

pytestmark = pytest.mark.timeout(300)


def run(folder: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Status, document and standard error of one bench; its temporary files lie in ``folder``."""
    done = subprocess.run(
        [*COMMAND, *QUICK, *arguments],
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN_S,
    )
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


def assert_sound(document: dict[str, Any], records: int = RECORDS) -> None:
    assert document["faults"] == []
    assert document["ok"] is True
    assert document["records"] == records
    assert document["machine"]["cores"] >= 1
    for name, found in document["contenders"].items():
        (figures,) = found["runs"]
        if name != Contender.ONNX:
            assert figures["predictions"] + figures["dead_letters"] == records, name
            assert figures["commits"] >= 1
        assert figures["aborts"] == 0
        assert figures["records_per_second"] > 0
        assert sum(found["step_shares"].values()) == pytest.approx(1.0, abs=0.01)


def nothing_is_left(folder: Path) -> bool:
    # Java leaves its own library there, whoever asked for it.
    left = [path.name for path in folder.iterdir() if path.name.startswith("stream")]
    listed = subprocess.run(["ps", "-ww", "-eo", "args="], check=True, capture_output=True)
    return not left and str(folder).encode() not in listed.stdout


def test_everybody_carries_every_record_on_the_mock(tmp_path: Path) -> None:
    status, document, told = run(tmp_path, "--kafka", "mock", "--rate", "0")
    assert status == ExitStatus.OK, told
    assert_sound(document)
    native = {Contender.NATIVE, Contender.ECHO_NATIVE, Contender.NATIVE_WITHOUT_DRIFT}
    found = {Contender(name) for name in document["contenders"]}
    assert found in ({*Contender}, {*Contender} - native)
    # A hundred of each of four partitions, of all who score but the first.
    scoring = sum(each.scores for each in found)
    assert document["predictions_compared"] == 400 * (scoring - 1)
    cost = document["drift"]["cost"]
    assert set(cost) == {*COUNTED.values()} & found
    assert all(share < 1 for share in cost.values())
    (first, *_) = document["drift"]["partials"]
    assert 0 < first["each"] < 100
    assert document["model_cost"]
    assert [each["setting"] for each in document["recommendations"]] == [
        "batch.max_records",
        "batch.transaction_time_s",
        "model.intra_op_threads",
        "score --workers",
    ]
    assert nothing_is_left(tmp_path)


def test_latency_is_of_every_event_sent(tmp_path: Path) -> None:
    status, document, told = run(
        tmp_path,
        *("--kafka", "mock", "--rate", "100", "--model", "trees"),
        *("--only", "echo-public", "--only", "stream-app-public"),
    )
    assert status == ExitStatus.OK, told
    assert set(document["latency"]) == {
        "echo-public, no transactions",
        "echo-public",
        "stream-app-public",
        "stream-app-public, at least once",
    }
    for found in document["latency"].values():
        assert found["sent"] == 50
        assert found["unanswered"] == 0
        shown = [found[f"{name}_s"]["median"] for name in ("p50", "p99", "p999", "greatest")]
        assert shown == sorted(shown)
        assert shown[0] > 0


def test_a_signal_leaves_nothing_behind(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "--kafka", "mock"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    assert process.stderr is not None
    lines: list[str] = []
    reader = threading.Thread(target=lines.extend, args=(process.stderr,), daemon=True)
    reader.start()
    deadline_s = time.monotonic() + WITHIN_S
    while not any("round 1: plain-loop" in line for line in lines):
        assert process.poll() is None, lines
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 128 + signal.SIGINT, lines
    reader.join(60)
    process.stderr.close()
    assert any("nothing is left behind" in line for line in lines)
    assert nothing_is_left(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (("--kafka", "mock", "--records", "5"), ExitStatus.USAGE, "--records 5"),
        (("--only", "nobody"), ExitStatus.USAGE, "there are plain-loop"),
        (
            ("--bootstrap-servers", "127.0.0.1:1", "--set", "kafka.request_timeout_s=1"),
            ExitStatus.UNAVAILABLE,
            "no broker answers",
        ),
    ],
)
def test_what_cannot_be_done_is_told_in_one_message(
    tmp_path: Path, arguments: tuple[str, ...], status: ExitStatus, told: str
) -> None:
    found, _, said = run(tmp_path, *arguments)
    assert found == status, said
    assert told in said
    assert "Traceback" not in said


@pytest.mark.kafka
def test_one_s_own_model_is_measured_on_one_s_own_events_which_stay(
    kafka: RealKafka, tmp_path: Path
) -> None:
    topic = kafka.topic("readings", partitions=2)
    _send(kafka.bootstrap_servers, topic, RECORDS)
    config = tmp_path / "own.toml"
    config.write_text(_settings(topic), encoding="utf-8")
    before = _topics(kafka.bootstrap_servers)
    status, document, told = run(
        tmp_path,
        *("--config", str(config), "--bootstrap-servers", kafka.bootstrap_servers),
        *("--rate", "50", "--records", "1500", "--only", "plain-loop"),
        *("--only", "stream-app-public", "--only", "stream-app-native-without-drift"),
    )
    assert status == ExitStatus.OK, told
    assert_sound(document, 1_500)
    assert document["partitions"] == 2
    assert document["contenders"]["plain-loop"]["runs"][0]["dead_letters"] > 0
    assert _topics(kafka.bootstrap_servers) == before
    assert nothing_is_left(tmp_path)


@pytest.mark.kafka
def test_too_few_events_of_one_s_own_are_told(kafka: RealKafka, tmp_path: Path) -> None:
    topic = kafka.topic("readings", partitions=2)
    _send(kafka.bootstrap_servers, topic, 20)
    config = tmp_path / "own.toml"
    config.write_text(_settings(topic), encoding="utf-8")
    status, _, told = run(
        tmp_path, "--config", str(config), "--bootstrap-servers", kafka.bootstrap_servers
    )
    assert status == ExitStatus.DATA
    assert f"{topic} has 20 records" in told


def _send(servers: str, topic: str, count: int) -> None:
    """Readings, every hundredth of them broken."""
    made = make_readings(0, count, time.time_ns() // 1_000_000 - count)
    producer = Producer({"bootstrap.servers": servers})
    for row, (value, key) in enumerate(zip(made.values, made.keys, strict=True)):
        producer.produce(topic, value if row % 100 else b"broken", key, partition=row % 2)
    assert producer.flush(30) == 0


def _settings(topic: str) -> str:
    example = example_dir("bench")
    return f"""
        [kafka]
        group = "{unique("nobody")}"
        [input]
        topic = "{topic}"
        framing = "single-object"
        schema_dir = "{example / "schemas"}"
        [model]
        repository = "{example / "models"}"
        name = "trees"
    """


def _topics(servers: str) -> set[str]:
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "look"})
    try:
        return {name for name in consumer.list_topics(timeout=10).topics if "bench" in name}
    finally:
        consumer.close()
