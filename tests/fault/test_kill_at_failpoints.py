"""F1: SIGKILL at every point of the transaction, one worker or three; nothing lost or repeated."""

import pytest

from stream_app.failpoints import Place
from tests.fault.bench import Bench, Run
from tests.kafka_fixtures import RealKafka

PLACES = (
    Place.AFTER_BEGIN,
    Place.MID_DELIVER,
    Place.AFTER_DELIVER,
    Place.AFTER_SEND_OFFSETS,
    Place.BEFORE_COMMIT,
    Place.AFTER_COMMIT,
)
"""One life each, in an order of chance."""

WRITTEN = {Place.AFTER_SEND_OFFSETS, Place.BEFORE_COMMIT}
"""Where outcomes must lie in the topics already, behind a transaction that is open."""

MARGIN_S = 25.0
"""For a worker to start, twice, and to catch up, on a machine that does much else."""


def restart_s(run: Run) -> float:
    """The longest that a kill may hold the group up: its session, then its transaction."""
    kafka = run.job.settings.kafka
    return kafka.session_timeout_s + kafka.transaction_timeout_s + MARGIN_S


def killed_at(place: Place, hit: int) -> str:
    """The failpoint; where outcomes are to be written, a nap lets the broker have them."""
    nap = f"{Place.AFTER_DELIVER}:{hit}:sleep=0.3," if place in WRITTEN else ""
    return f"{nap}{place}:{hit}:kill"


@pytest.mark.fault("F1", quick=True)
def test_one_worker_killed_at_every_failpoint(bench: Bench, kafka: RealKafka) -> None:
    with bench.run(kafka, batch__max_records="128", batch__transaction_records="1000") as run:
        for place in bench.chance.sample(PLACES, len(PLACES)):
            worker = run.start(failpoint=killed_at(place, bench.chance.randint(1, 8)))
            held = place is not Place.AFTER_COMMIT
            run.died(worker, f"killed at {place}", within_s=restart_s(run), held=held)
        run.start()
        run.recovered(within_s=restart_s(run))
    assert run.record.aborted_outcomes > 0, "no kill left outcomes in an open transaction"


@pytest.mark.fault("F1", quick=True, ways="each")
def test_one_of_three_workers_killed_at_every_failpoint(bench: Bench, kafka: RealKafka) -> None:
    with bench.run(
        kafka,
        per_second=3_000,  # so much that something waits in the moment after a commit too
        batch__max_records="128",
        batch__transaction_records="1000",
    ) as run:
        run.start()
        run.start()
        run.scoring()
        for place in bench.chance.sample(PLACES, len(PLACES)):
            victim = run.start(failpoint=killed_at(place, bench.chance.randint(1, 8)))
            held = place is not Place.AFTER_COMMIT
            run.died(victim, f"one of three killed at {place}", held=held)
            run.recovered(within_s=restart_s(run))
