"""Members that come and go in good order, and more of them than there is work: F9, F10."""

import os
import random
import time
from pathlib import Path

import pytest

from stream_app.failpoints import Place
from tests.car_loan import PARTITIONS, Feed
from tests.fault.bench import Bench, Run
from tests.kafka_fixtures import RealKafka
from tests.worker import START_S, Worker, group_members, until

SLOW_MODEL = ",".join(f"{Place.BEFORE_PROCESS}:{hit}:sleep=0.05" for hit in range(1, 2_500))
"""With small batches: a worker that never catches up, so that its transaction stays open."""

BETWEEN_FETCHES = ",".join(f"{Place.MID_FETCH}:{hit}:sleep=2" for hit in range(20, 400))
"""A worker that, at nearly any moment, holds a row of a fetch that is not over."""

SLOW_DELIVERY = ",".join(f"{Place.MID_DELIVER}:{hit}:sleep=1" for hit in range(30, 500))
"""So slow that under KIP-848 the next owner of a partition begins before the commit."""

BUSY_SHARE = 0.05
"""Of a core. A worker without partitions looks at its clients five times a second, which was seen
to take less than a hundredth; one that never waits took a quarter."""


class FromOne(random.Random):
    """Never chooses the first of several."""

    def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
        return super().randrange(1, start) if stop is None else super().randrange(start, stop, step)


class PartitionsThatMove(Feed):
    """No events in partition 0, which a sticky member keeps, and which is fetched first."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._chance = FromOne(self.seed)


def leaves(run: Run, worker: Worker, what: str) -> None:
    with run.fault(what):
        assert worker.stop() == 0


@pytest.mark.fault("F9", ways="each")
def test_workers_come_and_go_under_load(bench: Bench, kafka: RealKafka) -> None:
    # Expected: a pause no longer than a rebalance; what is open is committed before it moves.
    with bench.run(
        kafka, backlog=4_000, batch__max_records="64", batch__transaction_time_s="1"
    ) as run:
        run.start()
        run.scoring()
        for number in (2, 3):
            with run.fault(f"worker {number} comes"):
                run.start()
            run.scoring()
            run.recovered()
        assert group_members(run.job) == 3
        for _ in range(2):
            leaves(run, bench.chance.choice(run.alive()), "a worker goes")
            run.recovered()
        (last,) = run.alive()
        last.wait_owns(PARTITIONS)


@pytest.mark.parametrize("named", [False, True], ids=["unnamed", "named"])
@pytest.mark.fault("F9")
def test_a_rolling_restart_under_load(bench: Bench, kafka: RealKafka, *, named: bool) -> None:
    # Expected: nothing lost; members with names of their own get their partitions back without a
    # rebalance, so that the others never stop.
    with bench.run(
        kafka,
        kafka__group_instance_id="auto" if named else "",
        # Under KIP-848 names are refused.
        kafka__group_protocol="classic" if named else bench.protocol,
        kafka__session_timeout_s="30",
    ) as run:
        if named:
            run.record.protocol = "classic"
        for _ in range(3):
            run.start()
        run.scoring()
        for worker in list(run.workers.started):
            leaves(run, worker, "one of three restarted" + (", named" if named else ""))
            others = {each: len(each.events("rebalance")) for each in run.alive()}
            run.start().wait_scoring()
            run.recovered()
            if named:
                assert {each: len(each.events("rebalance")) for each in others} == others


@pytest.mark.fault("F9", ways="each")
def test_what_is_open_is_committed_before_its_partitions_go(bench: Bench, kafka: RealKafka) -> None:
    # Expected: a rebalance in good order undoes nothing, and waits for the commit, which takes 5 s.
    # Without it the next owner would begin while the commit is under way: nobody would refuse it,
    # and what it covers would be scored twice. By time the transaction would end after 100 s.
    slow = f"{SLOW_MODEL},{Place.AFTER_DELIVER}:1:sleep=5"
    with bench.run(
        kafka,
        per_second=500,
        backlog=10_000,
        kafka__transaction_timeout_s="300",
        kafka__max_poll_interval_s="600",
        batch__max_records="16",
        batch__transaction_time_s="100",
    ) as run:
        first = run.start(failpoint=slow)
        least = bench.chance.randint(200, 900)
        until("much is open", lambda: first.metric("stream_app_records_fetched_total") > least, 90)
        assert first.transactions("committed") == 0
        with run.fault("partitions are revoked while a long transaction is open"):
            second = run.start(failpoint=SLOW_MODEL)
        second.wait_owns(2)
        assert first.transactions("committed") >= 1
        assert sum(run.progress.seen().committed.values()) >= least
        assert [worker.stop() for worker in (first, second)] == [0, 0]


@pytest.mark.fault("F9")
def test_a_row_fetched_before_its_partition_went_is_not_scored(
    bench: Bench, kafka: RealKafka
) -> None:
    # Expected: dropped, and scored by the owner after. Brokers would not refuse its offset: they
    # check that a committer is a member, not that the partition is its own. Under KIP-848 only:
    # with the classic protocol the next owner begins no sooner than our next fetch.
    # The time-out is long, so that micro-batches do not shrink to what fits into a fifth of it.
    with bench.run(
        kafka,
        per_second=80,
        feed=PartitionsThatMove,
        kafka__group_protocol="consumer",
        kafka__transaction_timeout_s="30",
        batch__max_records="2000",
    ) as run:
        run.record.protocol = "consumer"
        holder = run.start(failpoint=f"{BETWEEN_FETCHES},{SLOW_DELIVERY}").wait_scoring()
        stale = "stream_app_records_stale_total"
        for _ in range(6):
            with run.fault("partitions go while rows of them are held"):
                others = [run.start() for _ in range(3)]
            for worker in others:
                worker.wait_owns(1)
            run.recovered()
            if holder.metric(stale):
                break
            assert [worker.stop() for worker in others] == [0, 0, 0]
            holder.wait_owns(PARTITIONS)
        assert holder.metric(stale) > 0, "no rebalance met a held row: nothing was proved"


def cpu_s(worker: Worker) -> float:
    """Processor time that it has used so far."""
    fields = Path(f"/proc/{worker.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def busy_share(worker: Worker, over_s: float = 3.0) -> float:
    began_s, before_s = time.monotonic(), cpu_s(worker)
    until("time passes", lambda: time.monotonic() >= began_s + over_s, 60)
    return (cpu_s(worker) - before_s) / (time.monotonic() - began_s)


@pytest.mark.fault("F10")
def test_spare_workers_are_ready_and_idle_until_they_are_needed(
    bench: Bench, kafka: RealKafka
) -> None:
    # Expected: six workers on four partitions, two of them idle and ready; they take over.
    with bench.run(kafka, per_second=500) as run:
        for _ in range(6):
            run.start()
        for worker in run.workers.started:
            worker.wait_ready()

        def spare() -> list[Worker]:
            owned = {w: w.metric("stream_app_assigned_partitions") for w in run.alive()}
            return [w for w, count in owned.items() if not count]

        until("two are spare", lambda: len(spare()) == 2, START_S)
        idle = spare()
        assert [worker.get("/readyz")[0] for worker in idle] == [200, 200]
        assert max(busy_share(worker) for worker in idle) < BUSY_SHARE
        working = [worker for worker in run.alive() if worker not in idle]
        with run.fault("two of the four at work are killed"):
            for worker in bench.chance.sample(working, 2):
                worker.kill()
        run.recovered()
        until("nobody is spare", lambda: not spare(), START_S)
        for worker in idle:
            worker.wait_scoring()
