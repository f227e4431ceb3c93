"""SIGKILL at every point of the transaction: the next worker finds nothing lost, nothing twice."""

import signal
from pathlib import Path

import pytest

from stream_app.failpoints import Place
from tests.car_loan import Feed, assert_exactly_once
from tests.kafka_fixtures import RealKafka
from tests.worker import Job, Workers, car_loan_job, open_transactions, until

EVENTS = 8_000

WRITTEN = {Place.AFTER_SEND_OFFSETS, Place.BEFORE_COMMIT}
"""Where outcomes lie in the topics already, behind a transaction that is open."""


def outcomes_are_open(job: Job) -> bool:
    return open_transactions(job) > 0


@pytest.mark.parametrize(
    ("place", "hit", "protocol"),
    [
        (Place.AFTER_BEGIN, 3, "classic"),
        (Place.MID_DELIVER, 20, "classic"),
        (Place.AFTER_DELIVER, 3, "classic"),
        (Place.AFTER_SEND_OFFSETS, 3, "classic"),
        (Place.BEFORE_COMMIT, 3, "classic"),
        (Place.AFTER_COMMIT, 3, "classic"),
        (Place.MID_DELIVER, 20, "consumer"),
        (Place.AFTER_SEND_OFFSETS, 3, "consumer"),
    ],
)
def test_a_killed_worker_loses_and_repeats_nothing(
    kafka: RealKafka, tmp_path: Path, place: Place, hit: int, protocol: str
) -> None:
    # Eight micro-batches a transaction, eight transactions in all.
    job = car_loan_job(
        kafka,
        tmp_path,
        protocol=protocol,
        batch__max_records="128",
        batch__transaction_records="1000",
    )
    feed = Feed(job)
    feed.send(EVENTS)
    with Workers(job) as workers:
        # Where outcomes must have reached the broker, a nap lets them.
        nap = f"{Place.AFTER_DELIVER}:{hit}:sleep=0.5," if place in WRITTEN else ""
        victim = workers.start(failpoint=f"{nap}{place}:{hit}:kill")
        assert victim.wait_exit(within_s=60) == -signal.SIGKILL
        assert victim.events("failpoint_fires")
        if place in WRITTEN:
            until(
                "the kill left outcomes in an open transaction", lambda: outcomes_are_open(job), 5
            )
        workers.start()
        assert_exactly_once(feed)
        assert not outcomes_are_open(job)
