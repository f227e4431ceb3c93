"""F17: the brokers that coordinate the transaction and the group are killed, three brokers."""

import pytest

from tests.fault.bench import Bench, Run
from tests.fault.brokers import (
    OFFSETS,
    TRANSACTIONS,
    group_partition,
    in_sync,
    leader,
    shaken,
    transaction_partition,
)
from tests.kafka_fixtures import RealKafka
from tests.worker import until

WITHIN_S = 180.0


def coordinator_dies(run: Run, kafka: RealKafka, topic: str, partition: int) -> None:
    victim = leader(kafka, topic, partition)
    with run.fault(f"the leader of {topic}[{partition}] killed"):
        victim.kill()
    until("another coordinates", lambda: leader(kafka, topic, partition) is not victim, WITHIN_S)
    run.recovered(WITHIN_S)
    victim.start()
    in_sync(kafka)


@pytest.mark.timeout(900)
@pytest.mark.fault("F17", ways="each")
def test_the_coordinators_of_transaction_and_group_are_killed(
    bench: Bench, kafka3: RealKafka
) -> None:
    # Expected: others take over and the workers find them; no call hangs for good (librdkafka#5456,
    # #5511), and no worker ends.
    with shaken(bench, kafka3) as run:
        run.start()
        run.start()
        run.scoring()
        slot = bench.chance.randrange(2)
        coordinators = [
            (TRANSACTIONS, transaction_partition(kafka3, run.job, slot)),
            (OFFSETS, group_partition(kafka3, run.job)),
        ]
        for topic, partition in bench.chance.sample(coordinators, 2):
            coordinator_dies(run, kafka3, topic, partition)
        run.scoring()
        assert [worker.exit_status for worker in run.workers.started] == [None, None]
