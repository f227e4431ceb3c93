"""A worker frozen past its session is a zombie: what it held must not be committed twice."""

from pathlib import Path

import pytest

from stream_app.failpoints import Place
from tests.car_loan import PARTITIONS, Feed, assert_exactly_once
from tests.kafka_fixtures import RealKafka
from tests.worker import START_S, Job, Worker, Workers, car_loan_job, open_transactions, until

EVENTS = 8_000


def has_partitions(worker: Worker, count: int) -> None:
    until(
        f"it owns {count} partitions",
        lambda: worker.metric("stream_app_assigned_partitions") == count,
        30,
    )


def job_of_small_transactions(
    kafka: RealKafka, folder: Path, protocol: str, session_s: str = "2"
) -> Job:
    return car_loan_job(
        kafka,
        folder,
        protocol=protocol,
        kafka__session_timeout_s=session_s,
        batch__max_records="128",
        batch__transaction_records="1000",
    )


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_zombie_that_wakes_commits_nothing_of_what_it_held(
    kafka: RealKafka, tmp_path: Path, protocol: str
) -> None:
    job = job_of_small_transactions(kafka, tmp_path, protocol)
    feed = Feed(job)
    with Workers(job) as workers:
        other = workers.start()
        zombie = workers.start(failpoint=f"{Place.MID_DELIVER}:20:stop")
        has_partitions(other, 2)
        has_partitions(zombie, 2)
        feed.send(EVENTS)
        until("it stops", lambda: zombie.frozen, START_S)
        has_partitions(other, PARTITIONS)
        zombie.resume()
        has_partitions(zombie, 2)
        feed.send(EVENTS)
        assert_exactly_once(feed)
        # On a slow machine the broker ends the transaction before the group's refusal is heard.
        undone = zombie.events("transaction_aborted") + zombie.events("producer_fenced")
        assert undone, "it held outcomes, and must have undone them"
        assert [worker.stop() for worker in workers.started] == [0, 0]


def test_a_zombie_whose_transaction_the_broker_has_ended_makes_itself_anew(
    kafka: RealKafka, tmp_path: Path
) -> None:
    # It stays a member all the time: nobody but itself brings it back to the committed offsets.
    job = job_of_small_transactions(kafka, tmp_path, "classic", session_s="25")
    feed = Feed(job)
    feed.send(EVENTS)
    with Workers(job) as workers:
        # The nap lets the outcomes reach the broker.
        nap = f"{Place.AFTER_DELIVER}:3:sleep=0.5"
        zombie = workers.start(failpoint=f"{nap},{Place.BEFORE_COMMIT}:3:stop")
        until("it stops", lambda: zombie.frozen, START_S)
        until("its transaction is open", lambda: open_transactions(job) > 0, 10)
        until("the broker ends it", lambda: open_transactions(job) == 0, 30)
        zombie.resume()
        assert_exactly_once(feed)
        assert zombie.events("producer_rebuilt")
        assert {event["event_kind"] for event in zombie.events("rebalance")} == {"assigned"}
        assert zombie.stop() == 0
