"""F26: a worker whose machine loses its network: the kernel's own TCP meets the silence."""

import time

import pytest

from tests.fault import netns
from tests.fault.bench import Bench
from tests.fault.netns import Namespace, namespace
from tests.kafka_fixtures import RealKafka
from tests.worker import START_S, Worker, until

__all__ = ["namespace"]

SESSION_S = 3.0
"""The longer of the two: a classic member's own is 2 s, the broker's for the others 3 s."""


@pytest.mark.fault("F26", ways="each")
def test_a_worker_whose_link_is_down_past_its_session_commits_nothing_when_it_is_up_again(
    bench: Bench, kafka: RealKafka, namespace: Namespace
) -> None:
    with bench.run(kafka) as run:
        away = run.start(module=netns.MODULE, **namespace.environment)
        other = run.start()
        for _ in range(2):
            # The other one gives partitions up before this one is given them.
            until("it has partitions to lose", lambda: owned(away), START_S)
            other.wait_owns(2)
            with run.fault("a worker's link is down past its session"):
                namespace.pull()
                other.wait_owns(4)
                time.sleep(bench.chance.uniform(0, 2 * SESSION_S))  # the fault itself
                namespace.plug()
            run.recovered()
        assert (away.exit_status, other.exit_status) == (None, None)
        assert "lost" in [event["event_kind"] for event in away.events("rebalance")]


def owned(worker: Worker) -> set[int]:
    """As its log tells; its port is behind the link."""
    held: set[int] = set()
    for event in worker.events("rebalance"):
        numbers = set(event["partitions"])
        held = held | numbers if event["event_kind"] == "assigned" else held - numbers
    return held
