"""F26: a worker whose machine loses its network: the kernel's own TCP meets the silence."""

import time

import pytest

from tests.fault import netns
from tests.fault.bench import Bench
from tests.fault.netns import Namespace, namespace
from tests.kafka_fixtures import RealKafka

__all__ = ["namespace"]

SESSION_S = 3.0
"""The longer of the two: a classic member's own is 2 s, the broker's for the others 3 s."""


@pytest.mark.fault("F26", protocols="each")
def test_a_worker_whose_link_is_down_past_its_session_commits_nothing_when_it_is_up_again(
    bench: Bench, kafka: RealKafka, namespace: Namespace
) -> None:
    with bench.run(kafka) as run:
        away = run.start(module=netns.MODULE, **namespace.environment)
        other = run.start()
        other.wait_owns(2)
        for _ in range(2):
            with run.fault("a worker's link is down past its session"):
                namespace.pull()
                other.wait_owns(4)
                time.sleep(bench.chance.uniform(0, 2 * SESSION_S))  # the fault itself
                namespace.plug()
            run.recovered()
            other.wait_owns(2)
        assert (away.exit_status, other.exit_status) == (None, None)
        assert "lost" in [event["event_kind"] for event in away.events("rebalance")]
