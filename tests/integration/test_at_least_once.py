"""Delivery at least once: nothing is lost; what a crash repeats is told, not hidden."""

import signal
from pathlib import Path

from stream_app.adapters.verifier.reader import verify
from stream_app.verify import Isolation
from tests.car_loan import CAUGHT_UP_S, Feed, verdict
from tests.kafka_fixtures import MockKafka, RealKafka
from tests.worker import Workers, car_loan_job


def test_a_kill_repeats_but_loses_nothing(kafka: RealKafka, tmp_path: Path) -> None:
    job = car_loan_job(
        kafka,
        tmp_path,
        delivery="at_least_once",
        batch__max_records="128",
        batch__transaction_records="1000",
    )
    feed = Feed(job)
    feed.send(8_000)
    with Workers(job) as workers:
        victim = workers.start(failpoint="before_commit:3:kill")
        assert victim.wait_exit(within_s=60) == -signal.SIGKILL
        workers.start()
        report = verdict(feed)
    assert report.ok, report.to_json()
    # Also the control of every test that finds none: delivered and not committed comes twice.
    assert report.duplicated.count > 0
    assert report.predictions + sum(report.dead_letters.values()) == (
        feed.sent + report.duplicated.count
    )
    assert set(report.dead_letters) == set(feed.codes)


def test_a_plain_run_on_the_mock_cluster_neither_loses_nor_repeats(
    mock_kafka: MockKafka, tmp_path: Path
) -> None:
    job = car_loan_job(mock_kafka, tmp_path, protocol="consumer", delivery="at_least_once")
    feed = Feed(job, share_broken=0.02)
    feed.send(4_000)
    with Workers(job) as workers:
        worker = workers.start()
        report = verify(
            job.settings,
            wait_s=CAUGHT_UP_S,
            isolation=Isolation.READ_UNCOMMITTED,
            expected=feed.expected,
        )
        assert worker.stop() == 0
    assert report.ok, report.to_json()
    assert {name: f.count for name, f in report.findings.items() if f.count} == {}
    assert (report.events, report.dead_letters) == (4_000, dict(feed.codes))
