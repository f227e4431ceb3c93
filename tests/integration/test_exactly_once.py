"""The main promise on a real broker, for many events: one in, one outcome out."""

from pathlib import Path

import pytest

from tests.car_loan import Feed, assert_exactly_once
from tests.kafka_fixtures import RealKafka
from tests.worker import Workers, car_loan_job


@pytest.mark.timeout(240)
def test_a_hundred_thousand_events_come_out_exactly_once(kafka: RealKafka, tmp_path: Path) -> None:
    job = car_loan_job(kafka, tmp_path, registry__unknown_retry_s="1")
    feed = Feed(job, share_broken=0.01)
    feed.send(100_000)
    assert len(feed.codes) >= 8
    assert feed.codes.total() == pytest.approx(1000, rel=0.2)
    with Workers(job) as workers:
        workers.start()
        workers.start()
        for worker in workers.started:
            worker.wait_scoring()
        assert_exactly_once(feed)
        assert [worker.stop() for worker in workers.started] == [0, 0]
