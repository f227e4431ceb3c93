"""F22: the connection cut during each kind of request but the one that ends a transaction.

That one is test_end_of_transaction.py's. Each is cut before the broker gets it, and after the
broker has done it and before the client hears so: the two look alike to the client.
"""

from itertools import product

import pytest

from tests.fault.bench import Bench, Run
from tests.fault.kafka_frames import Api
from tests.fault.proxied import Proxied
from tests.fault.proxy_rules import Cut
from tests.worker import group_members, until

FIRED_S = 60.0
WHEN = {False: "before the broker gets it", True: "before the client hears the answer"}

OF_TRANSACTIONS = {
    Api.ADD_PARTITIONS_TO_TXN: 20,
    Api.ADD_OFFSETS_TO_TXN: 10,
    Api.TXN_OFFSET_COMMIT: 10,
    Api.PRODUCE: 30,
    Api.FETCH: 30,
}
"""What comes all the time, and which of the next it may be."""


def cut_while_running(bench: Bench, run: Run, proxied: Proxied, api: Api, greatest: int) -> None:
    """Cut one of the requests that come, first in one way, then in the other."""
    for answered in bench.chance.sample([False, True], 2):
        with run.fault(f"{api.name} cut {WHEN[answered]}"):
            cut = Cut(api=api, nth=bench.chance.randint(1, greatest), answered=answered)
            proxied.network.add(cut).wait_fired(FIRED_S)
        run.recovered()


@pytest.mark.fault("F22")
def test_a_cut_during_a_request_of_the_path(bench: Bench, proxied: Proxied) -> None:
    with bench.run(proxied, bootstrap=proxied.bootstrap) as run:
        worker = run.start().wait_scoring()
        for api in bench.chance.sample(list(OF_TRANSACTIONS), len(OF_TRANSACTIONS)):
            cut_while_running(bench, run, proxied, api, OF_TRANSACTIONS[api])
        assert worker.exit_status is None


@pytest.mark.fault("F22")
def test_a_cut_during_a_heartbeat_costs_no_membership(bench: Bench, proxied: Proxied) -> None:
    api = Api.HEARTBEAT if bench.protocol == "classic" else Api.CONSUMER_GROUP_HEARTBEAT
    with bench.run(proxied, bootstrap=proxied.bootstrap, kafka__session_timeout_s="6") as run:
        workers = [run.start(), run.start()]
        run.scoring()
        until("both are members", lambda: group_members(run.plain) == 2, FIRED_S)
        cut_while_running(bench, run, proxied, api, 5)
        assert group_members(run.plain) == 2
        for worker in workers:
            kinds = [event["event_kind"] for event in worker.events("rebalance")]
            assert "lost" not in kinds


@pytest.mark.fault("F22")
def test_a_cut_during_a_request_of_the_start(bench: Bench, proxied: Proxied) -> None:
    cuts = list(product((Api.INIT_PRODUCER_ID, Api.OFFSET_FETCH), WHEN))
    with bench.run(proxied, bootstrap=proxied.bootstrap) as run:
        for api, answered in bench.chance.sample(cuts, len(cuts)):
            for worker in run.alive():
                worker.kill()
            with run.fault(f"{api.name} cut {WHEN[answered]}"):
                rule = proxied.network.add(Cut(api=api, answered=answered))
                run.start()
                rule.wait_fired(FIRED_S)
            run.recovered()
            run.scoring()
