"""F21: bytes of the input changed on the broker's disk: an explicit end, never a guess."""

from collections.abc import Callable

import pytest
from confluent_kafka import ElectionType, TopicPartition
from confluent_kafka.admin import AdminClient

from stream_app.adapters.local_kafka.broker import Broker
from stream_app.errors import ExitStatus, UnavailableError
from tests.fault.bench import Bench, Run
from tests.fault.brokers import BACK_S, all_back_afterwards, brokers_of, in_sync, leader
from tests.fault.segments import Batch, batches, flip, flip_format
from tests.kafka_fixtures import RealKafka
from tests.worker import START_S, open_transactions, until


def all_committed(run: Run) -> dict[int, int]:
    """The group's offsets, once everything sent so far is behind them."""
    return run.progress.wait_past(run.feed.ends, START_S).committed


def answers(run: Run) -> bool:
    """For a moment after its start a broker knows of leaderships that its logs do not."""
    try:
        return open_transactions(run.job) == 0 and run.progress.now() is not None
    except UnavailableError:
        return False


@pytest.mark.parametrize("damage", [flip, flip_format])
@pytest.mark.fault("F21")
def test_damaged_records_stop_the_worker_and_come_out_once_they_are_mended(
    bench: Bench, lone_kafka: RealKafka, damage: Callable[[Batch], None]
) -> None:
    # Expected: the broker, stopped in order, serves them as they lie; the client's check of the
    # checksum, or of the format, finds it. Nothing of the batch is scored, and nothing behind it.
    (broker,) = brokers_of(lone_kafka)
    with (
        all_back_afterwards(lone_kafka),
        bench.run(lone_kafka, per_second=0, backlog=2_000) as run,
    ):
        run.allowed_exits.add(ExitStatus.SOFTWARE)
        worker = run.start()
        committed = all_committed(run)
        assert worker.stop() == 0
        run.feed.send(2_000)
        partition = bench.chance.randrange(4)
        topic = run.job.settings.input.topic
        with run.fault("a byte of an unread record changed on disk"):
            broker.stop()
            victim = bench.chance.choice(
                unread(batches(broker, topic, partition), committed[partition])
            )
            damage(victim)
            broker.start()
        worker = run.start()
        assert worker.wait_exit(START_S) == ExitStatus.SOFTWARE
        assert f"{topic}[{partition}]" in worker.log()
        assert f"offset {victim.first_offset}" in worker.log()
        assert run.progress.seen().committed[partition] <= victim.first_offset
        broker.stop()
        damage(victim)
        broker.start()
        run.start()
        run.recovered()


def unread(found: list[Batch], committed: int) -> list[Batch]:
    return [batch for batch in found if batch.first_offset >= committed]


@pytest.mark.fault("F21")
def test_damage_behind_the_committed_offset_concerns_nobody(
    bench: Bench, lone_kafka: RealKafka
) -> None:
    # Expected: what was scored is not read again.
    (broker,) = brokers_of(lone_kafka)
    with (
        all_back_afterwards(lone_kafka),
        bench.run(lone_kafka, per_second=0, backlog=2_000) as run,
    ):
        worker = run.start()
        all_committed(run)
        assert worker.stop() == 0
        partition = bench.chance.randrange(4)
        topic = run.job.settings.input.topic
        run.feed.send(500)
        with run.fault("a byte of a committed record changed on disk"):
            broker.stop()
            victim = batches(broker, topic, partition)[0]
            flip(victim)
            broker.start()
        worker = run.start()
        run.recovered()
        assert worker.stop() == 0
        broker.stop()
        flip(victim)  # the verifier reads everything
        broker.start()
        until("the broker answers for its logs", lambda: answers(run), START_S)


def lead_again(kafka: RealKafka, broker: Broker, topic: str, partition: int) -> None:
    """The first copy leads by choice, and is asked to."""
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})

    def look() -> bool:
        if leader(kafka, topic, partition) is broker:
            return True
        asked = TopicPartition(topic, partition)
        admin.elect_leaders(ElectionType.PREFERRED, [asked]).result(30)
        return False

    until("it leads again", look, BACK_S)


@pytest.mark.timeout(600)
@pytest.mark.fault("F21")
def test_a_damaged_copy_of_three_is_mended_from_the_others(bench: Bench, kafka3: RealKafka) -> None:
    # Expected: a broker that was killed looks at its log, cuts it off at the damage and fetches
    # the rest again. (One that was stopped in order does not look: see the first test.)
    with (
        all_back_afterwards(kafka3),
        bench.run(kafka3, per_second=0, backlog=2_000) as run,
    ):
        topic, partition = run.job.settings.input.topic, bench.chance.randrange(4)
        broker = leader(kafka3, topic, partition)
        with run.fault("a byte of an unread record changed in one of three copies"):
            broker.kill()
            flip(batches(broker, topic, partition)[-1])
            broker.start()
        in_sync(kafka3)
        lead_again(kafka3, broker, topic, partition)
        worker = run.start()
        run.recovered()
        assert leader(kafka3, topic, partition) is broker
        assert worker.exit_status is None
