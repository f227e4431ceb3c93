"""Brokers that stop, die, freeze or are away: F14, F15, F16, F18, F19."""

import time
from contextlib import suppress
from datetime import datetime

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from stream_app.adapters.local_kafka.broker import Broker
from tests.car_loan import PARTITIONS
from tests.fault.bench import Bench, Run
from tests.fault.brokers import (
    all_back_afterwards,
    bring_back,
    brokers_of,
    in_sync,
    leader,
    shaken,
)
from tests.kafka_fixtures import RealKafka
from tests.worker import START_S, Worker, until

BROKERS_BACK_S = 180.0
"""For the group to be through, on a machine where brokers start while all else runs."""

LONG_FREEZES_S = {1: 60, 2: 120}
"""By seed; the others freeze 10 s only."""

AWAY_S = 70
"""Past every time-out there is in these jobs."""


def ends(run: Run, broker: Broker, how: str) -> None:
    """SIGTERM, after which a broker hands over what it leads, or SIGKILL."""
    with run.fault(f"broker {how}"):
        if how == "stopped":
            broker.stop()
        else:
            broker.kill()


def says(worker: Worker, path: str, status: int) -> None:
    until(f"{path} answers {status}", lambda: worker.get(path)[0] == status, START_S)


@pytest.mark.fault("F14", quick=True)
def test_the_only_broker_ends_and_comes_back(bench: Bench, lone_kafka: RealKafka) -> None:
    # Expected: a stall, then on; the workers live through it.
    (broker,) = brokers_of(lone_kafka)
    with shaken(bench, lone_kafka) as run:
        run.start()
        run.start()
        run.scoring()
        for how in bench.chance.sample(["stopped", "killed"], 2):
            ends(run, broker, how)
            broker.start()
            run.recovered(BROKERS_BACK_S)
        assert [worker.exit_status for worker in run.workers.started] == [None, None]


@pytest.mark.timeout(900)
@pytest.mark.fault("F14")
def test_leaders_of_the_input_are_chased(bench: Bench, kafka3: RealKafka) -> None:
    # Expected: as before; with three brokers the group is through before the one is back.
    with shaken(bench, kafka3) as run:
        run.start()
        run.start()
        run.scoring()
        for _ in range(5):
            partition = bench.chance.randrange(4)
            victim = leader(kafka3, run.job.settings.input.topic, partition)
            ends(run, victim, bench.chance.choice(["stopped", "killed"]))
            run.recovered(BROKERS_BACK_S)
            victim.start()
            in_sync(kafka3)


@pytest.mark.timeout(900)
@pytest.mark.fault("F15")
def test_the_only_broker_freezes(bench: Bench, lone_kafka: RealKafka) -> None:
    # Expected: no call hangs for good, the loop goes on turning, the process stays; connections
    # live, nobody answers. 60 s with seed 1 and 120 s with seed 2 only; 10 s with all.
    (broker,) = brokers_of(lone_kafka)
    with shaken(bench, lone_kafka) as run:
        worker = run.start().wait_scoring()
        for seconds in (10, LONG_FREEZES_S.get(bench.seed, 0)):
            if seconds:
                frozen_s = time.monotonic()
                with run.fault(f"the only broker frozen for {seconds} s"):
                    broker.pause()
                says(worker, "/readyz", 503)
                while time.monotonic() < frozen_s + seconds:
                    assert worker.get("/livez")[0] == 200
                    assert worker.exit_status is None
                    time.sleep(1)
                broker.resume()
                run.recovered(BROKERS_BACK_S)
                says(worker, "/readyz", 200)


@pytest.mark.fault("F15")
def test_one_of_three_brokers_freezes(bench: Bench, kafka3: RealKafka) -> None:
    # Expected: the two others take over what it led; it wakes and believes for a moment to lead.
    with shaken(bench, kafka3) as run:
        worker = run.start().wait_scoring()
        run.start().wait_scoring()
        victim = leader(kafka3, run.job.settings.predictions_topic, bench.chance.randrange(4))
        frozen_s = time.monotonic()
        with run.fault("one of three brokers frozen for 10 s"):
            victim.pause()
        until("it is frozen for 10 s", lambda: time.monotonic() > frozen_s + 10, 30)
        victim.resume()
        run.recovered(BROKERS_BACK_S)
        assert worker.exit_status is None


@pytest.mark.timeout(900)
@pytest.mark.fault("F16")
def test_all_brokers_are_killed_and_come_back(bench: Bench, kafka3: RealKafka) -> None:
    # Expected: alive and not ready for as long as it takes, then on without a restart.
    with shaken(bench, kafka3) as run:
        run.start()
        run.start()
        run.scoring()
        gone_s = time.monotonic()
        with run.fault(f"all three brokers killed for {AWAY_S} s"):
            for broker in brokers_of(kafka3):
                broker.kill()
        for worker in run.workers.started:
            says(worker, "/readyz", 503)
        while time.monotonic() < gone_s + AWAY_S:
            for worker in run.workers.started:
                assert worker.get("/livez")[0] == 200
                assert worker.exit_status is None
            time.sleep(1)
        assert [worker.get("/readyz")[0] for worker in run.workers.started] == [503, 503]
        bring_back(kafka3)
        run.recovered(BROKERS_BACK_S)
        for worker in run.workers.started:
            says(worker, "/readyz", 200)
        assert [worker.exit_status for worker in run.workers.started] == [None, None]


def asked_less_and_less_often(worker: Worker) -> None:
    """It says why it waits and for how long, longer and longer, and asks no more often than that.

    Of what is said again soon the log has only the number.
    """

    def pauses() -> list[float]:
        return [wait["retry_in_s"] for wait in worker.events("waiting") if "reason" in wait]

    until("its pauses are long", lambda: pauses()[-1] >= 10 * pauses()[0], 120)
    assert pauses() == sorted(pauses())
    waits = worker.events("waiting")
    for wait in waits:
        reason = wait.get("reason", "no broker answers")
        assert "does not answer" in reason or "no broker answers" in reason
    asked = sum(wait.get("repeated", 1) for wait in waits)
    begin, end = (datetime.fromisoformat(waits[i]["timestamp"]) for i in (0, -1))
    longest_s, doublings = pauses()[-1], 6
    assert asked <= doublings + 1 + (end - begin).total_seconds() / longest_s


@pytest.mark.fault("F18")
def test_a_worker_waits_for_brokers_that_come_later(bench: Bench, lone_kafka: RealKafka) -> None:
    # Expected: it tries again, less and less often, says so, and goes on by itself.
    (broker,) = brokers_of(lone_kafka)
    with (
        all_back_afterwards(lone_kafka),
        bench.run(lone_kafka, backlog=2_000, per_second=0) as run,
    ):
        with run.fault("the broker is away when the worker starts"):
            broker.kill()
        worker = run.start()
        worker.wait_for("waiting")
        says(worker, "/livez", 200)
        says(worker, "/readyz", 503)
        asked_less_and_less_often(worker)
        assert worker.exit_status is None
        broker.start()
        run.recovered(BROKERS_BACK_S)
        says(worker, "/readyz", 200)


def need_all_copies(kafka: RealKafka, topic: str, copies: int) -> None:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    entry = ConfigEntry(
        "min.insync.replicas", str(copies), incremental_operation=AlterConfigOpType.SET
    )
    wanted = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    for future in admin.incremental_alter_configs([wanted]).values():
        future.result(30)


def stands_still(run: Run) -> None:
    """Nothing is committed between two looks, with an undone transaction between them."""
    aborted = {worker: worker.transactions("aborted") for worker in run.alive()}
    before = run.progress.seen(START_S).committed

    def undone() -> bool:
        return all(worker.transactions("aborted") > count for worker, count in aborted.items())

    until("a transaction is undone since outcomes are not accepted", undone, START_S)
    assert run.progress.seen(START_S).committed == before


@pytest.mark.fault("F19")
def test_outcomes_that_too_few_copies_would_hold_are_not_accepted(
    bench: Bench, kafka3: RealKafka
) -> None:
    # Expected: no acknowledgement, so the transactions are undone; on as soon as the copy is back.
    with shaken(bench, kafka3) as run:
        predictions = run.job.settings.predictions_topic
        need_all_copies(kafka3, predictions, 3)
        run.start().wait_scoring()
        partition = bench.chance.randrange(4)
        lead = leader(kafka3, predictions, partition)
        victim = bench.chance.choice([each for each in brokers_of(kafka3) if each is not lead])
        ends(run, victim, bench.chance.choice(["stopped", "killed"]))
        stands_still(run)
        victim.start()
        run.recovered(BROKERS_BACK_S)


def nothing_is_accepted(run: Run, worker: Worker, kafka: RealKafka) -> None:
    """For longer than a transaction may take, no outcome counts: the worker and the log say so."""
    settings = run.job.settings
    topic, lasts_s = settings.predictions_topic, 2 * settings.kafka.transaction_timeout_s
    before = worker.transactions("committed"), shown(kafka, topic)
    assert before[0] > 0
    assert before[1], "the broker that is left leads none of the outcomes"
    begun_s = time.monotonic()
    while time.monotonic() < begun_s + lasts_s:
        assert worker.get("/livez")[0] == 200
        time.sleep(1)
    assert (worker.transactions("committed"), shown(kafka, topic)) == before
    assert worker.get("/readyz")[0] == 503


def shown(kafka: RealKafka, topic: str) -> dict[int, int]:
    """How far readers get in the partitions whose leaders answer."""
    reader = Consumer(
        {"bootstrap.servers": kafka.bootstrap_servers, "group.id": "nobody", "log_level": 0}
    )
    found = {}
    try:
        for partition in range(PARTITIONS):
            with suppress(KafkaException):
                asked = TopicPartition(topic, partition)
                found[partition] = reader.get_watermark_offsets(asked, timeout=5)[1]
    finally:
        reader.close()
    return found


@pytest.mark.fault("F19")
def test_two_of_three_brokers_are_away(bench: Bench, kafka3: RealKafka) -> None:
    # Expected: nothing is accepted without a majority; on when one of the two is back.
    with shaken(bench, kafka3) as run:
        worker = run.start().wait_scoring()
        first, second = bench.chance.sample(brokers_of(kafka3), 2)
        with run.fault("two of three brokers killed"):
            first.kill()
            second.kill()
        says(worker, "/readyz", 503)
        nothing_is_accepted(run, worker, kafka3)
        first.start()
        run.recovered(BROKERS_BACK_S)
