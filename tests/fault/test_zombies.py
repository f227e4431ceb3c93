"""Workers that freeze and wake, and twins that fence each other: F5, F6, F8."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from stream_app.errors import ExitStatus
from stream_app.failpoints import Place
from tests.car_loan import PARTITIONS
from tests.fault.bench import Bench
from tests.kafka_fixtures import RealKafka
from tests.worker import START_S, Job, Worker, open_transactions, until

BEFORE_OFFSETS = (Place.AFTER_BEGIN, Place.MID_DELIVER, Place.AFTER_DELIVER)
WITH_OFFSETS = (Place.AFTER_SEND_OFFSETS, Place.BEFORE_COMMIT)
"""Where the next owner waits for the broker to end the transaction, since its offsets are in it."""

SESSION_S = 30


def stops(places: Sequence[Place], first: int) -> str:
    """Freeze at each, one after another: a transaction or so of peace between them."""
    # The middle of a delivery comes several times a transaction, the other places once.
    hits = {Place.MID_DELIVER: 6}
    return ",".join(
        f"{place}:{(first + 3 * turn) * hits.get(place, 1)}:stop"
        for turn, place in enumerate(places)
    )


def froze(worker: Worker, times: int) -> str:
    """Where it stopped, for the given time."""
    until(f"it freezes, for time {times}", lambda: worker.frozen, START_S)
    stops = [e for e in worker.events("failpoint_fires") if e["action"] == "stop"]
    assert len(stops) == times
    return str(stops[-1]["place"])


def zombies_wake(bench: Bench, kafka: RealKafka, places: Sequence[Place]) -> None:
    """One worker freezes at each place; the others are through before it wakes."""
    with bench.run(
        kafka, backlog=2_000, batch__max_records="128", batch__transaction_records="1000"
    ) as run:
        other = run.start().wait_scoring()
        zombie = run.start(failpoint=stops(places, bench.chance.randint(2, 6)))
        undone = 0
        for times in range(1, len(places) + 1):
            place = froze(zombie, times)
            with run.fault(f"frozen past its session at {place}"):
                pass
            other.wait_owns(PARTITIONS)
            # Nobody waited for the zombie: what it held can only be undone from here on.
            run.recovered()
            zombie.resume()
            undone += place != Place.AFTER_COMMIT
            undoes(zombie, undone)
        zombie.wait_owns(2)
        assert zombie.exit_status is None


def undoes(worker: Worker, least: int) -> None:
    what = f"it undoes what it held, {least} times by now"
    until(what, lambda: worker.transactions("aborted") >= least, START_S)


@pytest.mark.fault("F5", quick=True, ways="each")
def test_a_zombie_that_wakes_commits_nothing_of_what_it_held(
    bench: Bench, kafka: RealKafka
) -> None:
    # Expected: its offsets are refused or its producer is fenced; it rejoins the group.
    places = [bench.chance.choice(BEFORE_OFFSETS), bench.chance.choice(WITH_OFFSETS)]
    zombies_wake(bench, kafka, places)


@pytest.mark.fault("F5", ways="each")
def test_a_zombie_of_every_failpoint_commits_nothing_of_what_it_held(
    bench: Bench, kafka: RealKafka
) -> None:
    places = [*BEFORE_OFFSETS, *WITH_OFFSETS, Place.AFTER_COMMIT]
    # Each undoing by a fenced producer counts; three in ten minutes are allowed.
    zombies_wake(bench, kafka, bench.chance.sample(places[:3], 3))
    zombies_wake(bench, kafka, bench.chance.sample(places[3:], 3))


def keep_members_for_long(job: Job) -> None:
    """Under KIP-848 the session is the group's own setting, at the broker."""
    admin = AdminClient({"bootstrap.servers": job.overrides["kafka.bootstrap_servers"]})
    entry = ConfigEntry(
        "consumer.session.timeout.ms",
        str(SESSION_S * 1000),
        incremental_operation=AlterConfigOpType.SET,
    )
    group = ConfigResource(
        ResourceType.GROUP, job.overrides["kafka.group"], incremental_configs=[entry]
    )
    for future in admin.incremental_alter_configs([group]).values():
        future.result(30)


@pytest.mark.fault("F6", ways="each")
def test_a_worker_frozen_past_its_transaction_only_makes_its_producer_anew(
    bench: Bench, kafka: RealKafka
) -> None:
    # Expected: a fatal fence, a new producer, back to the committed offsets. It stays a member all
    # the time, so that nobody but itself brings it back.
    hit = bench.chance.randint(2, 8)
    place = bench.chance.choice(WITH_OFFSETS)
    # The nap lets the outcomes reach the broker.
    frozen = f"{Place.AFTER_DELIVER}:{hit}:sleep=0.5,{place}:{hit}:stop"
    with bench.run(
        kafka,
        kafka__session_timeout_s=str(SESSION_S),
        batch__max_records="128",
        batch__transaction_records="1000",
    ) as run:
        keep_members_for_long(run.job)
        zombie = run.start(failpoint=frozen)
        froze(zombie, 1)
        with run.fault(f"frozen past its transaction's time-out at {place}"):
            assert open_transactions(run.job) > 0
        until("the broker ends it", lambda: open_transactions(run.job) == 0, 60)
        zombie.resume()
        run.recovered()
        assert len(zombie.events("producer_rebuilt")) == 1
        assert {event["event_kind"] for event in zombie.events("rebalance")} == {"assigned"}
        assert zombie.stop() == 0


@pytest.mark.fault("F8", quick=True)
def test_of_two_twins_one_gives_up_and_says_why(
    bench: Bench, kafka: RealKafka, tmp_path: Path
) -> None:
    # Expected: both have one transactional id, since the lock on it reaches over one state folder
    # only. Each fences the other; whoever needs a fourth producer ends, mostly the older, and no
    # record is lost or doubled meanwhile.
    with bench.run(kafka, worker__instance="both", batch__max_records="128") as run:
        run.allowed_exits.add(ExitStatus.TRY_AGAIN)
        twins = [run.start().wait_scoring()]
        with run.fault("a twin starts"):
            twins.append(run.start(STREAM_APP_WORKER__STATE_DIR=str(tmp_path / "elsewhere")))
        (ended,) = until("one of them ends", lambda: ended_of(twins), 120)
        assert ended.wait_exit(within_s=5) == ExitStatus.TRY_AGAIN
        run.recovered()
        for twin in twins:
            assert len(twin.events("producer_rebuilt")) <= 3
        name = f"{run.job.overrides['kafka.group']}-both-0"
        assert f"another worker uses transactional id {name}" in ended.log()
        assert "give each host its own worker.instance, or stop the other one" in ended.log()
        (left,) = [twin for twin in twins if twin is not ended]
        left.wait_owns(PARTITIONS)


def ended_of(workers: list[Worker]) -> list[Worker]:
    return [worker for worker in workers if worker.exit_status is not None]
