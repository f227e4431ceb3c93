"""How long the group stands still after SIGKILL of one of three workers under load.

Measured, not asserted: the figures go into the report. Two things are waited for: the group must
notice (the session time-out), and what the dead worker had open must end (at once, when a new
worker takes the same transactional id; else after the transaction's time-out).
"""

import pytest

from tests.fault.bench import Bench, Run
from tests.kafka_fixtures import RealKafka
from tests.worker import Worker

KILLS = 4
TIMES = [
    pytest.param(10, 10, id="session10-transaction10"),  # the defaults
    pytest.param(6, 10, id="session6-transaction10"),  # the least that brokers allow by default
    pytest.param(2, 5, id="session2-transaction5"),
]


def kill_one(run: Run, victim: Worker, what: str) -> None:
    with run.fault(what):
        victim.kill()


@pytest.mark.alone
@pytest.mark.timeout(600)
@pytest.mark.parametrize("replaced", [True, False], ids=["replaced", "not_replaced"])
@pytest.mark.parametrize(("session_s", "transaction_s"), TIMES)
@pytest.mark.fault("recovery", ways="each")
def test_recovery_of_one_of_three_killed_under_load(
    bench: Bench, kafka: RealKafka, session_s: int, transaction_s: int, *, replaced: bool
) -> None:
    # Under KIP-848 the broker's session time-out counts, which is 3 s in these clusters.
    session = "3 (broker's)" if bench.protocol == "consumer" else str(session_s)
    end = "a new worker at once" if replaced else "nobody takes its place"
    what = f"session {session} s, transaction {transaction_s} s, {end}"
    with bench.run(
        kafka,
        kafka__session_timeout_s=str(session_s),
        kafka__transaction_timeout_s=str(transaction_s),
        kafka__request_timeout_s=str(min(10, transaction_s)),
    ) as run:
        for _ in range(3):
            run.start()
        run.scoring()
        for _ in range(KILLS):
            kill_one(run, bench.chance.choice(run.alive()), what)
            if replaced:
                run.start()
            run.recovered(within_s=120)
            if not replaced:
                run.start()
            run.scoring()


@pytest.mark.alone
@pytest.mark.timeout(600)
@pytest.mark.fault("recovery")
def test_recovery_when_the_successor_is_the_same_member(bench: Bench, kafka: RealKafka) -> None:
    what = "session 10 s, transaction 10 s, a new worker at once as the same static member"
    with bench.run(
        kafka,
        kafka__session_timeout_s="10",
        kafka__transaction_timeout_s="10",
        kafka__request_timeout_s="10",
        kafka__group_instance_id="auto",
    ) as run:
        for _ in range(3):
            run.start()
        run.scoring()
        for _ in range(KILLS):
            kill_one(run, bench.chance.choice(run.alive()), what)
            run.start()
            run.recovered(within_s=120)
            run.scoring()
