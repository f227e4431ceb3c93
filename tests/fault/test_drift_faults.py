"""F46: scorers and aggregators killed and frozen while windows are counted; the windows are right.

Among the events are those of transactions that are aborted, and some come late. Of two aggregators
one is lost and another joins.
"""

import threading
from functools import partial

import pytest

from tests.fault.aggregators import Aggregated, aggregated
from tests.fault.bench import Bench
from tests.fault.chaos import Blow, Strike
from tests.kafka_fixtures import RealKafka
from tests.worker import Worker, until

FREEZES_S = (4.0, 8.0)
"""Past the session of either group protocol, and at most past a transaction too."""

NEVER = threading.Event()


def struck(job: Aggregated, bench: Bench, victim: Worker, blow: Blow, *, aggregator: bool) -> None:
    """One blow; whoever is killed gets a successor."""
    strike = Strike(blow, victim, bench.chance.uniform(*FREEZES_S))
    kind = "an aggregator" if aggregator else "a scorer"
    with job.run.fault(f"{strike.blow} to {kind}"):
        ended = strike.deal(NEVER)
    if ended:
        successor = job.start_aggregator() if aggregator else job.run.start()
        successor.wait_for("kafka_client")


@pytest.mark.fault("F46", quick=True)
def test_windows_are_right_whoever_is_killed_and_frozen(bench: Bench, kafka: RealKafka) -> None:
    with aggregated(bench, kafka, per_second=400, step_ms=120) as job:
        job.run.start()
        job.run.start()
        job.start_aggregator()
        job.start_aggregator()
        job.merging()
        struck(job, bench, bench.chance.choice(job.run.alive()), Blow.KILL, aggregator=False)
        struck(job, bench, job.busy(), Blow.KILL, aggregator=True)
        struck(job, bench, job.busy(), Blow.FREEZE, aggregator=True)
        job.run.recovered()


EVENTS = 200_000
STRIKES = 10


@pytest.mark.fault("F46")
@pytest.mark.timeout(1_800)
def test_windows_of_many_events_are_right_after_ten_random_blows(
    bench: Bench, kafka: RealKafka
) -> None:
    with aggregated(bench, kafka, per_second=2_500, step_ms=12) as job:
        for _ in range(3):
            job.run.start()
        for _ in range(2):
            job.start_aggregator()
        job.run.scoring()
        job.merging()
        for number in range(1, STRIKES + 1):
            due = EVENTS * number // (STRIKES + 1)
            until("it is time", partial(job.has_sent, due), 300)
            victim, aggregator = job.victim(bench.chance)
            blow = bench.chance.choice((Blow.KILL, Blow.FREEZE))
            if number == 1:
                # Whatever chance says, one that has windows is lost.
                victim, aggregator, blow = job.busy(), True, Blow.KILL
            struck(job, bench, victim, blow, aggregator=aggregator)
        until("all are sent", partial(job.has_sent, EVENTS), 300)
        job.run.recovered(180)
