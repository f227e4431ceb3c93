"""What happens to the worker's process in good order, or does not: F3, F4, F7."""

import os
import signal
import time

import pytest

from stream_app.errors import ExitStatus
from stream_app.failpoints import Place
from tests.fault.bench import Bench
from tests.kafka_fixtures import RealKafka
from tests.worker import START_S, group_members, open_transactions, until

GRACE_S = 8
"""From SIGTERM to the end, where a test lets it run out; a third of the default."""

LATE_S = 4
"""For the watchdog to look, to say why and to end, on a machine that does much else."""


@pytest.mark.fault("F3", quick=True, ways="each")
def test_a_worker_told_to_stop_in_the_middle_of_a_batch_drains_and_leaves_at_once(
    bench: Bench, kafka: RealKafka
) -> None:
    # Expected: exit 0 within the grace period, the group rid of it at once, nothing left open.
    # Session and transaction are so long that only a member that leaves in order is gone soon.
    with bench.run(
        kafka,
        backlog=4_000,
        kafka__session_timeout_s="25",
        kafka__transaction_timeout_s="60",
        batch__max_records="128",
        batch__transaction_time_s="3",
    ) as run:
        other = run.start().wait_scoring()
        nap = f"{Place.MID_DELIVER}:{bench.chance.randint(2, 12)}:sleep=2"
        told = run.start(failpoint=nap)
        told.wait_for("failpoint_fires")
        with run.fault("SIGTERM in the middle of a batch"):
            os.kill(told.pid, signal.SIGTERM)
        assert told.wait_exit(within_s=30) == 0
        assert group_members(run.job) == 1
        (draining,) = told.events("draining")
        assert draining["open_records"] > 0
        assert not told.events("transaction_aborted")
        run.recovered()
        run.stop_load()
        assert other.stop() == 0
        assert (group_members(run.job), open_transactions(run.job)) == (0, 0)


@pytest.mark.fault("F4")
def test_a_worker_told_to_stop_while_brokers_are_frozen_ends_within_its_grace_period(
    bench: Bench, lone_kafka: RealKafka
) -> None:
    # Expected: the watchdog ends it with 75, "try again"; whoever comes next finds all in order.
    assert lone_kafka.cluster is not None
    (broker,) = lone_kafka.cluster.brokers
    with bench.run(lone_kafka, worker__grace_period_s=str(GRACE_S)) as run:
        run.allowed_exits.add(ExitStatus.TRY_AGAIN)
        worker = run.start().wait_scoring()
        committed = "stream_app_transactions_total"
        until("several", lambda: worker.metric(committed) > bench.chance.randint(5, 50), START_S)
        try:
            with run.fault("SIGTERM while the broker is frozen"):
                broker.pause()
                os.kill(worker.pid, signal.SIGTERM)
                told_s = time.monotonic()
            status = worker.wait_exit(within_s=GRACE_S + 30)
            took_s = time.monotonic() - told_s
        finally:
            broker.resume()
        assert status == ExitStatus.TRY_AGAIN
        assert took_s <= GRACE_S + LATE_S
        (ends,) = worker.events("watchdog_ends_process")
        assert ends["reason"] == "the grace period after SIGTERM is over"
        run.start()
        run.recovered()


@pytest.mark.fault("F7")
def test_inference_slower_than_the_poll_interval_costs_the_partitions_and_no_record(
    bench: Bench, kafka: RealKafka
) -> None:
    # Expected: _MAX_POLL_EXCEEDED, partitions lost, the open transaction undone, told by metrics;
    # then the micro-batches shrink to what the model can do in time.
    begin = bench.chance.randint(3, 10)
    slow = [f"{Place.MID_DELIVER}:{begin}:sleep=9"]
    slow += [f"{Place.MID_DELIVER}:{begin + n}:sleep=0.8" for n in range(1, 30)]
    with bench.run(
        kafka, backlog=4_000, kafka__max_poll_interval_s="5", batch__max_records="128"
    ) as run:
        run.start().wait_scoring()
        victim = run.start(failpoint=",".join(slow))
        victim.wait_for("failpoint_fires")
        with run.fault("inference takes 9 s, the poll interval is 5 s"):
            pass
        run.recovered()
        # The next failpoint may be of the same batch, whose dead letters come after the rest.
        (lost,) = until(
            "it is told of the loss",
            lambda: [e for e in victim.events("rebalance") if e["event_kind"] == "lost"],
            START_S,
        )
        assert lost["partitions"]
        assert victim.has_undone
        assert victim.counts("stream_app_rebalances_total", "event")["lost"] == 1
        assert victim.counts("stream_app_client_errors_total", "code")["_MAX_POLL_EXCEEDED"] >= 1
        bound = "stream_app_batch_bound_records"
        until("micro-batches shrink", lambda: 0 < victim.metric(bound) <= 16, START_S)
        until("the model is quick again", lambda: victim.metric(bound) == 128, START_S)
