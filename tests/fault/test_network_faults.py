"""Networks that swallow, crawl, or part one worker from one broker (F23, F24, F25, F27)."""

import time

import pytest

from stream_app.errors import ExitStatus
from tests.fault.bench import Bench
from tests.fault.kafka_frames import Api
from tests.fault.proxied import Proxied
from tests.fault.proxy import HOST, nobody_listens
from tests.fault.proxy_rules import BlackHole, Delay, Fault, Throttle
from tests.worker import START_S, Worker, group_members, until

FIRED_S = 60.0
HEALED_S = 60.0
"""The bound until a worker scores again once the network is whole: the time-outs of session (2 s),
transaction (5 s), request (4 s) and pause (5 s) one after another, where much else is done.
"""

CAUGHT_UP_S = 120.0
"""For what came meanwhile."""

PREDICTIONS = "stream_app_predictions_total"
SECRET = "canary-of-a-password"


def rebalances(worker: Worker) -> list[str]:
    """What kinds it has seen."""
    return [event["event_kind"] for event in worker.events("rebalance")]


def goes_on(worker: Worker, more: int = 100) -> None:
    """Return when it has scored some more."""
    goal = worker.metric(PREDICTIONS) + more
    until("the worker goes on", lambda: worker.metric(PREDICTIONS) > goal, HEALED_S)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("longest", [False, True], ids=["short", "long"])
@pytest.mark.fault("F23")
def test_a_network_that_swallows_everything_costs_its_time_and_little_more(
    bench: Bench, proxied: Proxied, *, longest: bool
) -> None:
    # Two minutes with the first seed, half a minute with the others.
    lasts_s = (120 if bench.seed == 1 else 30) if longest else 5
    # It begins with a request of chance: the one whose loss hurts most is among them.
    begins = [Api.PRODUCE, Api.FETCH, Api.ADD_PARTITIONS_TO_TXN, Api.TXN_OFFSET_COMMIT, Api.END_TXN]
    api = bench.chance.choice(begins)
    with bench.run(proxied, per_second=500, bootstrap=proxied.bootstrap) as run:
        worker = run.start().wait_scoring()
        with run.fault(f"nothing passes for {lasts_s} s, from {api.name} on"):
            hole = BlackHole(api=api, nth=bench.chance.randint(1, 10))
            with proxied.network.during(hole) as rule:
                rule.wait_fired(FIRED_S)
                time.sleep(lasts_s)  # the fault itself
                assert worker.get("/livez")[0] == 200
        goes_on(worker)
        run.recovered(within_s=CAUGHT_UP_S)
        assert worker.exit_status is None, "the network's fault must not end the worker"


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Delay(by_s=0.2, jitter_s=0.1), id="200ms_each_way"),
        pytest.param(Throttle(bytes_per_s=16_000), id="16kB_per_second"),
    ],
)
@pytest.mark.fault("F24")
def test_a_slow_or_narrow_network_is_slower_and_evicts_nobody(
    bench: Bench, proxied: Proxied, fault: Fault
) -> None:
    with bench.run(
        proxied,
        per_second=40,
        bootstrap=proxied.bootstrap,
        kafka__session_timeout_s="6",
        kafka__transaction_timeout_s="20",
        kafka__request_timeout_s="10",
    ) as run:
        workers = [run.start(), run.start()]
        run.scoring()
        until("both are members", lambda: group_members(run.plain) == 2, START_S)
        before = [rebalances(worker) for worker in workers]
        with run.fault(str(fault)):
            proxied.network.add(fault).wait_fired(FIRED_S, times=100)
        run.recovered(within_s=120)
        with run.fault(f"{fault}, still"):
            time.sleep(15)  # longer than the session
        run.recovered(within_s=120)
        assert [rebalances(worker) for worker in workers] == before, "nobody came or went"
        assert [worker.exit_status for worker in workers] == [None, None]
        proxied.heal()


@pytest.mark.timeout(600)
@pytest.mark.fault("F25")
def test_a_worker_cut_off_from_one_broker_leaves_the_others_to_go_on(
    bench: Bench, proxied3: Proxied
) -> None:
    # Expected: what it cannot finish it undoes, and it goes on when it can. Each worker comes in
    # through a network of its own.
    with bench.run(proxied3, bootstrap=proxied3.bootstrap) as run:
        cut_off = run.start()
        other = run.start(
            STREAM_APP_KAFKA__BOOTSTRAP_SERVERS=proxied3.other.bootstrap_servers,
        )
        run.scoring()
        until("both are members", lambda: group_members(run.plain) == 2, START_S)
        for broker in bench.chance.sample(range(3), 3):
            gone = BlackHole(door=broker)
            what = f"one worker cut off from broker {broker + 1} only"
            with run.fault(what), proxied3.network.during(gone):
                time.sleep(bench.chance.uniform(8, 20))  # the fault itself
                goes_on(other)
                assert cut_off.get("/livez")[0] == 200
            goes_on(cut_off)
            run.recovered(within_s=CAUGHT_UP_S)
        assert (cut_off.exit_status, other.exit_status) == (None, None)
        assert cut_off.transactions("aborted") > 0
        assert "lost" not in rebalances(other)


@pytest.mark.parametrize("wrong", ["port", "host"])
@pytest.mark.fault("F27")
def test_a_wrong_address_at_a_restart_ends_the_worker_in_time_and_says_where_it_looked(
    bench: Bench, proxied: Proxied, wrong: str
) -> None:
    address = f"{HOST}:{nobody_listens()}" if wrong == "port" else "broker.invalid:9092"
    with bench.run(proxied, bootstrap=proxied.bootstrap) as run:
        run.allowed_exits.add(ExitStatus.UNAVAILABLE)
        first = run.start().wait_scoring()
        with run.fault(f"a restart with a wrong {wrong}"):
            assert first.stop() == 0
            lost = run.start(
                STREAM_APP_KAFKA__BOOTSTRAP_SERVERS=address,
                STREAM_APP_KAFKA__SECURITY_PROTOCOL="SASL_PLAINTEXT",
                STREAM_APP_KAFKA__SASL_MECHANISM="SCRAM-SHA-512",
                STREAM_APP_KAFKA__SASL_USERNAME="worker",
                STREAM_APP_KAFKA__SASL_PASSWORD=SECRET,
                STREAM_APP_START__WAIT_S="5",
            )
            assert lost.wait_exit(within_s=HEALED_S) == ExitStatus.UNAVAILABLE
        assert address in lost.log()
        assert "start.wait_s" in lost.log()
        assert SECRET not in lost.log()
        run.start()
        run.recovered()
