"""The verifier on what real scorers counted for drift, and on faults planted in it."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import Producer

from stream_app.adapters.verifier.reader import verify
from stream_app.verify import Isolation, Report
from tests.car_loan import Feed
from tests.fault.topic_admin import TopicAdmin
from tests.job import Job, car_loan_job
from tests.kafka_fixtures import RealKafka, unique
from tests.offline import partial_values
from tests.verify_kit import found
from tests.worker import Workers

pytestmark = pytest.mark.kafka

Change = Callable[[list[bytes]], list[bytes]]


@pytest.fixture(scope="module")
def scored(kafka: RealKafka, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A job of which everything is scored and counted, in several transactions."""
    job = car_loan_job(
        kafka,
        tmp_path_factory.mktemp("job"),
        drift__window_s="86400",
        batch__max_records="128",
        batch__transaction_records="200",
    )
    feed = Feed(job, share_broken=0.05)
    feed.send(2_000)
    with Workers(job) as workers:
        worker = workers.start()
        report = verify(job.settings, wait_s=60)
        assert report.ok, report.to_json()
        assert worker.stop() == 0
    return job


def transaction(job: Job, topic: str, values: list[bytes], *, commit: bool = True) -> None:
    producer = Producer(
        {
            "bootstrap.servers": job.settings.kafka.bootstrap_servers,
            "transactional.id": unique("planter"),
        }
    )
    producer.init_transactions(30)
    producer.begin_transaction()
    for value in values:
        producer.produce(topic, key=b"car_loan", value=value)
    producer.flush(10)
    if commit:
        producer.commit_transaction(30)
    else:
        producer.abort_transaction(30)


def verdict(kafka: RealKafka, job: Job, change: Change) -> Report:
    """With a topic of partials that holds others."""
    topic = kafka.topic("partials")
    transaction(job, topic, change(partial_values(job)))
    return verify(with_partials(job, topic))


def with_partials(job: Job, topic: str, **more: str) -> Any:
    drift = job.settings.drift.model_copy(update={"partials_topic": topic, **more})
    return job.settings.model_copy(update={"drift": drift})


def test_what_scorers_told_adds_up(scored: Job) -> None:
    report = verify(scored.settings)
    assert report.ok
    assert report.notes == ()
    drift = report.drift
    assert drift is not None
    assert drift.partials == len(partial_values(scored)) > 5
    assert (drift.rows, drift.before) == (report.predictions, 0)
    assert drift.dead_letters == sum(report.dead_letters.values())
    assert drift.windows > 5


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        pytest.param(lambda values: values[:2] + values[3:], "drift_gaps", id="one dropped"),
        pytest.param(lambda values: [*values, values[2]], "drift_overlaps", id="one doubled"),
        pytest.param(lambda values: [*values, b"noise"], "drift_unreadable", id="noise"),
        pytest.param(
            lambda values: [*values, values[2] + b"\0"], "drift_unreadable", id="bytes left over"
        ),
    ],
)
def test_a_fault_planted_in_partials_is_found(
    kafka: RealKafka, scored: Job, change: Change, finding: str
) -> None:
    assert found(verdict(kafka, scored, lambda values: values)) == {}
    report = verdict(kafka, scored, change)
    assert finding in found(report)
    assert all(name.startswith("drift_") for name in found(report))
    assert not report.ok


def test_aborted_partials_do_not_count(kafka: RealKafka, scored: Job) -> None:
    topic, values = kafka.topic("partials"), partial_values(scored)
    transaction(scored, topic, values[:3], commit=False)
    transaction(scored, topic, values)
    assert found(verify(with_partials(scored, topic))) == {}


def test_why_drift_is_not_judged_is_told(kafka: RealKafka, scored: Job) -> None:
    empty = kafka.topic("partials")
    for settings, reason in (
        (with_partials(scored, empty), "holds no partial"),
        (with_partials(scored, "not-there"), "there is no topic 'not-there'"),
        (with_partials(scored, empty, counting="off"), "drift.counting is off"),
    ):
        report = verify(settings)
        assert report.ok
        assert report.drift is not None
        assert reason in report.drift.skipped
    uncommitted = verify(scored.settings, isolation=Isolation.READ_UNCOMMITTED).drift
    assert uncommitted is not None
    assert "uncommitted" in uncommitted.skipped


def test_what_retention_left_of_partials_is_judged(kafka: RealKafka, scored: Job) -> None:
    topic, values = kafka.topic("partials", 1), partial_values(scored)
    transaction(scored, topic, [*values, values[-1]])
    TopicAdmin(scored).delete_before(topic, {0: 2})
    report = verify(with_partials(scored, topic))
    assert set(found(report)) == {"drift_overlaps", "drift_miscounted"}
    assert report.drift is not None
    assert report.drift.deleted == f"{topic}[0] begins at offset 2"
    assert 0 < report.drift.before < report.events


def test_the_command_tells_of_drift(kafka: RealKafka, scored: Job) -> None:
    def asked(*more: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "stream_app", "verify", *more]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, env=scored.environment({})
        )

    good = asked()
    assert good.returncode == 0
    assert "drift counts add up" in good.stdout
    assert "drift gaps" in good.stdout
    document = json.loads(asked("--json").stdout)
    assert document["drift"]["rows"] == document["predictions"]
    topic = kafka.topic("partials")
    transaction(scored, topic, partial_values(scored)[1:-1])
    bad = asked("--set", f"drift.partials_topic={topic}")
    assert bad.returncode == 65
    assert "what was counted of DRIFT is wrong" in bad.stdout
    off = asked("--set", "drift.counting=off")
    assert off.returncode == 0
    assert "not judged: drift.counting is off" in off.stdout
