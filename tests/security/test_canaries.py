"""Canaries: secrets and payload values that must be found nowhere but where they belong.

Decides where is looked: logs at their finest, standard error, metrics, messages of endings, the
settings shown and checked, and the headers that we add to a dead letter. A dead letter's value,
key and original headers are the payload's place, and the only one.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from onnxruntime.capi import onnxruntime_pybind11_state as state

from stream_app.core.metrics import METRICS
from tests.car_loan import BROKEN, encoded, event
from tests.fake_registry import Answer, fake_registry
from tests.security.doors import PASSWORD, Doors
from tests.security.quoting_model import pack_quoting_model
from tests.security.rights import grant
from tests.worker import Job, Worker, Workers, until

SECRETS = {
    "kafka.sasl_password": PASSWORD,
    "kafka.ssl_key_password": "canary-key-password",
    "kafka.oauth_client_secret": "canary-oauth-secret",
    "registry.password": "canary-registry-password",
}
PAYLOAD = ("canary-id", "canary-key", "canary-head", "918273")
"""In ids, keys, headers, and a number as the model gets it."""

FINEST = {"STREAM_APP_KAFKA__PROPERTIES": '{"debug": "security,conf,eos,cgrp,msg"}'}
"""The Kafka client's own lines too."""

OURS = ("err.", "__connect.errors.")
READ_S = 60.0


def canaries(text: str) -> list[str]:
    """Those that are in a text."""
    return [word for word in (*SECRETS.values(), *PAYLOAD) if word in text]


@pytest.fixture
def job(doors: Doors, tmp_path: Path) -> Job:
    """Every secret is set, whether it is needed or not; the log is as fine as it gets."""
    locked = doors.ours.issue("worker", password=SECRETS["kafka.ssl_key_password"], file_name="shy")
    pack_quoting_model(tmp_path / "models")
    job = doors.job(
        tmp_path,
        "SCRAM",
        kafka__ssl_certificate_file=str(locked.certificate),
        kafka__ssl_key_file=str(locked.key),
        registry__username="worker",
        model__repository=str(tmp_path / "models"),
        model__version="1",
        log__level="debug",
    )
    return Job({**job.overrides, **SECRETS}, tmp_path)


def send_canaries(doors: Doors, job: Job) -> int:
    """Good ones, each way of being broken, and one that the model chokes on; how many are bad."""
    producer = Producer({"bootstrap.servers": doors.cluster.bootstrap_servers})
    headers = [("canary-head", b"canary-head-value"), ("traceparent", b"canary-head-trace")]
    marked = [{**event(n), "application_id": f"canary-id-{n}"} for n in range(40)]
    values = [encoded(each) for each in marked]
    broken = [make(each) for (_, make), each in zip(BROKEN.values(), marked, strict=False)]
    choking = encoded({**marked[0], "car_value": 918_273.0})
    for number, value in enumerate([*values, *broken, choking]):
        key = f"canary-key-{number}".encode()
        producer.produce(job.settings.input.topic, value, key, 0, headers=headers, timestamp=1_000)
    assert producer.flush(30) == 0
    return len(broken) + 1


def letters(doors: Doors, topic: str, count: int) -> Iterator[tuple[bytes, dict[str, bytes]]]:
    """Values and headers of ``count`` dead letters."""
    consumer = Consumer({"bootstrap.servers": doors.cluster.bootstrap_servers, "group.id": "look"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    try:
        for _ in range(count):
            message = consumer.poll(READ_S)
            assert message is not None, "a dead letter is missing"
            assert message.error() is None, message.error()
            yield message.value() or b"", dict(message.headers())
    finally:
        consumer.close()


def run(job: Job, *arguments: str) -> str:
    """All that a command says."""
    done = subprocess.run(
        [sys.executable, "-m", "stream_app", *arguments],
        env=job.environment({}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout + done.stderr


def test_no_canary_leaves_its_place_while_a_worker_scores(doors: Doors, job: Job) -> None:
    grant(doors.cluster, job)
    bad = send_canaries(doors, job)
    with Workers(job) as workers:
        worker = workers.start(**FINEST)
        worker.wait_scoring()
        found = list(letters(doors, job.settings.dlq_topic, bad))
        until("all is committed", lambda: dead(worker) == bad, 60)
        status, metrics = worker.get("/metrics")
        assert status == 200
        answers = [worker.get(path)[1] for path in ("/", "/livez", "/readyz", "/settings")]
        assert worker.stop() == 0
        log = worker.log()
    assert_tools_tell_no_canary(doors.plain(job), bad)
    assert "MODEL" in {headers["err.code"].decode()[:5] for _, headers in found}
    for value, headers in found:
        ours = {k: v for k, v in headers.items() if k.startswith(OURS)}
        assert len(ours) > 10
        assert canaries(repr(ours)) == []
        assert headers["canary-head"] == b"canary-head-value", "the original stays"
        assert headers["err.code"]
        assert isinstance(value, bytes)
    assert len([line for line in log.splitlines() if '"level": "debug"' in line]) > 0
    assert canaries(log) == []
    assert canaries(metrics) == []
    assert [canaries(answer) for answer in answers] == [[]] * 4


def assert_tools_tell_no_canary(job: Job, bad: int) -> None:
    """What those who look after a job read: all topics by the verifier, and the dead letters."""
    told = {
        arguments: run(job, *arguments)
        for arguments in (
            ("verify", "--json"),
            ("verify", "--json", "--content"),
            ("verify", "--content"),
            ("status",),
            ("status", "--json", "--dead-letters", str(bad)),
        )
    }
    for arguments, text in told.items():
        assert "Traceback" not in text, text
        assert canaries(text) == [], arguments
    assert '"predictions"' in told["verify", "--json"], "topics were read"
    assert "MODEL" in told["status", "--json", "--dead-letters", str(bad)], "letters were read"


def dead(worker: Worker) -> float:
    return worker.metric("stream_app_dead_letters_total")


def test_no_secret_is_told_by_an_error_or_a_command(doors: Doors, job: Job) -> None:
    wrong = Job({**job.overrides, "kafka.sasl_password": "canary-key-wrong"}, job.folder)
    with Workers(wrong) as workers:
        worker = workers.start(**FINEST)
        assert worker.wait_exit(60) == 78
        assert "SASL authentication" in worker.log()
        assert canaries(worker.log()) == []
    for told in (run(wrong, "check"), run(wrong, "check", "--json"), run(wrong, "topics", "plan")):
        assert told
        assert canaries(told) == []
    shown = [run(job, "settings", "--effective", "-f", kind) for kind in ("table", "toml", "json")]
    assert all("sasl_password" in text for text in shown)
    assert [canaries(text) for text in shown] == [[], [], []]


@pytest.mark.parametrize("status", [401, 403, 500])
def test_no_secret_is_told_of_a_registry_that_refuses(doors: Doors, job: Job, status: int) -> None:
    echo = f'{{"error_code": {status}, "message": "no"}}'.encode()
    with fake_registry() as registry:
        refuses = Answer(status, echo)
        subjects = f"/subjects/{job.settings.predictions_topic}-value"
        asked = ("GET /subjects", f"POST {subjects}", f"GET {subjects}/versions/latest")
        registry.answers = dict.fromkeys(asked, refuses)
        grant(doors.cluster, job)
        told = {
            **job.overrides,
            "input.framing": "confluent",
            "registry.url": registry.url,
            "start.wait_s": "1",
        }
        job = Job({k: v for k, v in told.items() if k != "input.schema_dir"}, job.folder)
        with Workers(job) as workers:
            worker = workers.start()
            assert worker.wait_exit(90) in {69, 78}
            assert "registry" in worker.log()
            assert canaries(worker.log()) == []
        assert registry.requests, "it was asked"
    assert canaries(run(job, "check")) == []


def test_labels_of_metrics_are_of_few_values_known_beforehand() -> None:
    known = {"code", "event", "partition", "result", "stage", "step", "bound", "reason", "worker"}
    known |= {"name", "version", "hash", "provider", "kind", "state", "outcome", "dimension"}
    # Columns are the contract's, and of these only the ten that are furthest.
    known |= {"role", "column", "level"}
    labels = {label for metric in METRICS for label in metric.labels}
    assert labels <= known
    assert not labels & {"key", "topic", "id", "event_id", "client", "host"}


def test_the_model_that_chokes_quotes_what_it_chokes_on(tmp_path: Path) -> None:
    """Else nothing would be proved by not finding it."""
    pack_quoting_model(tmp_path)
    model = tmp_path / "car_loan" / "1" / "model.onnx"
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    row = np.array([[918_273, 0, 0, 0, 0, 0, 0]], dtype=np.float32)
    with pytest.raises(state.InvalidArgument) as choked:
        session.run(None, {"features": row})
    assert canaries(str(choked.value)) == ["918273"]


def test_a_canary_would_be_found() -> None:
    assert canaries(f"password={PASSWORD} key canary-key-7") == [PASSWORD, "canary-key"]
