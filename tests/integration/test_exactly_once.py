"""The main promise on a real broker: one event in, one outcome out, whoever comes or goes."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.car_loan import PARTITIONS, Feed, assert_exactly_once
from tests.kafka_fixtures import RealKafka
from tests.worker import Workers, car_loan_job, group_members, open_transactions, until

PROTOCOLS = ("classic", "consumer")

SLOW_MODEL = ",".join(f"before_process:{hit}:sleep=0.01" for hit in range(1, 2_500))
"""With small batches and long transactions: a worker that never catches up, so that every
rebalance meets an open transaction."""


@contextmanager
def load(feed: Feed, per_second: float) -> Iterator[None]:
    """Events keep coming for as long as the block runs, and are all sent when it ends."""
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(feed.send_slowly, 10**6, per_second, stop)
        try:
            yield
            assert not sending.done(), "the load ended early: nothing was proved"
        finally:
            stop.set()
        sending.result(60)


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


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_workers_come_and_go_under_load(kafka: RealKafka, tmp_path: Path, protocol: str) -> None:
    job = car_loan_job(
        kafka,
        tmp_path,
        protocol=protocol,
        kafka__transaction_timeout_s="10",
        batch__max_records="16",
        batch__transaction_time_s="3",
    )
    feed = Feed(job)
    with Workers(job) as workers, load(feed, per_second=1_500):
        first = workers.start(failpoint=SLOW_MODEL).wait_scoring()
        others = [workers.start(failpoint=SLOW_MODEL) for _ in range(2)]
        for worker in others:
            worker.wait_scoring()
        assert group_members(job) == 3
        assert [worker.stop() for worker in others] == [0, 0]
        before = first.metric("stream_app_predictions_total")
        until(
            "the one that stays takes over all partitions",
            lambda: first.metric("stream_app_assigned_partitions") == PARTITIONS,
            20,
        )
        until(
            "the one that stays scores on",
            lambda: first.metric("stream_app_predictions_total") > before + 1_000,
            20,
        )
    with Workers(job) as workers:
        workers.start()
        assert_exactly_once(feed)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_worker_told_to_stop_drains_and_leaves_at_once(
    kafka: RealKafka, tmp_path: Path, protocol: str
) -> None:
    # With a session this long, only a member that leaves in order is gone soon.
    job = car_loan_job(kafka, tmp_path, protocol=protocol, kafka__session_timeout_s="25")
    feed = Feed(job)
    with Workers(job) as workers:
        with load(feed, per_second=3_000):
            worker = workers.start().wait_scoring()
            told_s = time.monotonic()
            assert worker.stop(within_s=20) == 0
            took_s = time.monotonic() - told_s
            assert group_members(job) == 0
            assert open_transactions(job) == 0
        assert took_s < 5
        assert worker.events("stopped")
        workers.start().wait_scoring(within_s=20)
        assert_exactly_once(feed)
