"""The preflight as a user meets it: a message a fault, its remedy, a status, no traceback."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stream_app.adapters.local_kafka import create_topic
from stream_app.resources import example_dir, schema_path
from tests.kafka_fixtures import RealKafka


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A copy of the example's models that a test may damage."""
    return Path(shutil.copytree(example_dir("car_loan") / "models", tmp_path / "models"))


def run(
    command: str, bootstrap: str, repository: Path, **more: str
) -> subprocess.CompletedProcess[str]:
    """``stream-app COMMAND`` on the car-loan example."""
    values = {
        "kafka.bootstrap_servers": bootstrap,
        "kafka.request_timeout_s": "3",
        "input.topic": "loans",
        "input.framing": "single-object",
        "input.schema_dir": str(schema_path("event").parent),
        "model.repository": str(repository),
        "model.name": "car_loan",
        "http.enabled": "false",
        **{name.replace("__", "."): value for name, value in more.items()},
    }
    arguments = [part for name, value in values.items() for part in ("--set", f"{name}={value}")]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("STREAM_APP_")}
    return subprocess.run(
        [sys.executable, "-m", "stream_app", command, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        check=False,
    )


def assert_told(result: subprocess.CompletedProcess[str], status: int, *words: str) -> None:
    told = result.stdout + result.stderr
    assert result.returncode == status, told
    assert "Traceback" not in told
    for word in words:
        assert word in told


def job_topics(kafka: RealKafka) -> str:
    topic = kafka.topic("loans")
    for suffix in ("predictions", "dlq", "drift.partials"):
        create_topic(kafka.bootstrap_servers, f"{topic}.{suffix}", 4)
    return topic


def test_all_well_is_status_0(kafka: RealKafka, repository: Path) -> None:
    topic = job_topics(kafka)
    result = run("check", kafka.bootstrap_servers, repository, input__topic=topic)
    assert_told(result, 0, "all well")


def test_a_wrong_broker_address_is_named_with_its_setting(repository: Path) -> None:
    result = run("check", "127.0.0.1:1", repository)
    assert_told(result, 69, "fault brokers: ", "127.0.0.1:1", "kafka.bootstrap_servers", "1 fault")
    assert result.stderr == "", "the client's own lines say it again and again"


def test_a_missing_topic_is_named_with_the_command_that_makes_it(
    kafka: RealKafka, repository: Path
) -> None:
    result = run("check", kafka.bootstrap_servers, repository, input__topic="nowhere")
    assert_told(
        result,
        69,
        "nowhere does not exist; create it: stream-app topics create --with-input\n",
        "nowhere.dlq does not exist; create it: stream-app topics create\n",
        "nowhere.drift.partials does not exist; create it: stream-app topics create\n",
        "4 faults",
    )


def test_a_flipped_bit_in_the_model_is_found(kafka: RealKafka, repository: Path) -> None:
    model = repository / "car_loan/1/model.onnx"
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    topic = job_topics(kafka)
    result = run("check", kafka.bootstrap_servers, repository, input__topic=topic)
    assert_told(result, 78, "model.onnx", "SHA-256", "1 fault")


def test_a_contract_that_names_an_absent_field_is_found(kafka: RealKafka, repository: Path) -> None:
    name_an_absent_field(repository)
    topic = job_topics(kafka)
    result = run("check", kafka.bootstrap_servers, repository, input__topic=topic)
    assert_told(result, 78, "car_valu", "event.avsc", "reference.avro: was made with", "2 faults\n")


def test_a_registry_that_is_away_is_told_once_whatever_the_model_is_like(
    repository: Path,
) -> None:
    away = {"input__framing": "confluent", "registry__url": "http://127.0.0.1:1"}
    for version, faults in (("latest", "2 faults"), ("7", "3 faults")):
        result = run("check", "127.0.0.1:1", repository, model__version=version, **away)
        assert_told(result, 69 if version == "latest" else 78, "registry.url", faults)
        assert result.stdout.count("schema registry http") == 1


def test_all_faults_are_told_at_once(repository: Path) -> None:
    name_an_absent_field(repository)
    result = run("check", "127.0.0.1:1", repository, model__execution_provider="NoSuchProvider")
    assert_told(result, 78, "127.0.0.1:1", "car_valu", "NoSuchProvider")


def test_a_setting_that_does_not_exist_is_refused_before_anything_else(repository: Path) -> None:
    result = run("check", "127.0.0.1:1", repository, kafka__gruop="x")
    assert_told(result, 78, "kafka.gruop", "no such setting")


def test_json_is_for_programs(repository: Path) -> None:
    values = ["--set", "kafka.bootstrap_servers=127.0.0.1:1", "--set", "kafka.request_timeout_s=1"]
    result = subprocess.run(
        [sys.executable, "-m", "stream_app", "check", "--json", *values],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    answer = json.loads(result.stdout)
    assert answer["ok"] is False
    assert {finding["check"] for finding in answer["findings"] if not finding["ok"]} >= {"settings"}
    assert result.returncode == 78


def test_score_makes_the_same_checks_before_it_joins(kafka: RealKafka, repository: Path) -> None:
    name_an_absent_field(repository)
    topic = job_topics(kafka)
    result = run("score", kafka.bootstrap_servers, repository, input__topic=topic)
    assert_told(result, 78, "car_valu")


def test_score_waits_for_a_cluster_and_then_says_so(repository: Path) -> None:
    result = run("score", "127.0.0.1:1", repository, start__wait_s="2")
    assert_told(result, 69, "127.0.0.1:1", "start.wait_s")


def name_an_absent_field(repository: Path) -> None:
    """Misspell a field, and keep the manifest's hash true to it, as `model pack` would."""
    folder = repository / "car_loan/1"
    contract = folder / "contract.toml"
    contract.write_text(contract.read_text().replace('"car_value"', '"car_valu"'))
    manifest = json.loads((folder / "manifest.json").read_text())
    content = contract.read_bytes()
    entry = manifest["files"]["contract.toml"]
    entry["sha256"], entry["size_bytes"] = hashlib.sha256(content).hexdigest(), len(content)
    (folder / "manifest.json").write_text(json.dumps(manifest))
