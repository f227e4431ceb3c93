"""What every Source and every Sink owes the loop, held against the fake and against a real Kafka.

The loop's laws are proved on the fake; this suite is why they hold on the real one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from stream_app.adapters.kafka.clients import native_fault
from stream_app.adapters.kafka.source import KafkaSource
from stream_app.adapters.kafka.transactional_sink import TransactionalSink
from stream_app.adapters.process.clock import SystemClock
from stream_app.adapters.process.prometheus_telemetry import NullTelemetry
from stream_app.adapters.process.watchdog import NullWatchdog
from stream_app.core.columns import BytesColumn, RecordBatch
from stream_app.core.positions import GroupMembership, NextOffset
from stream_app.errors import AbortedError, RetriableError
from stream_app.ports import RebalanceListener, Sink, Source
from stream_app.settings import Settings, load_settings
from tests.fakes import FakeClock, FakeCluster, FakeSink, FakeSource, Step, echo_outputs
from tests.kafka_fixtures import RealKafka, unique
from tests.worker import until

RECORDS = 30
"""In each of the partitions 0 and 1."""

Position = tuple[int, int]
WAYS = [
    f"{client}-{protocol}"
    for client in ("public", "native")
    for protocol in ("classic", "consumer")
]
"""Clients and protocols; each must keep every promise."""
WANTED = [(p, o) for p in (0, 1) for o in range(RECORDS)]


class Recorder:
    """A listener that only writes down."""

    def __init__(self) -> None:
        self.events: list[tuple[str, list[int]]] = []

    def assigned(self, partitions: Sequence[int]) -> None:
        self.events.append(("assigned", sorted(partitions)))

    def revoked(self, partitions: Sequence[int]) -> None:
        self.events.append(("revoked", sorted(partitions)))

    def lost(self, partitions: Sequence[int]) -> None:
        self.events.append(("lost", sorted(partitions)))


class World(Protocol):
    """A topic with records, one member, and what became of it."""

    @property
    def source(self) -> Source:
        """The member's."""

    @property
    def sink(self) -> Sink:
        """Of the same member."""

    @property
    def output(self) -> str:
        """The topic of outcomes."""

    def outcomes(self) -> list[Position]:
        """What a reader of committed records sees."""

    def committed(self) -> Mapping[int, int]:
        """The group's offsets, of partitions that have one."""


class FakeWorld:
    """The scripted cluster, without faults."""

    output = "outcomes"

    def __init__(self) -> None:
        self._cluster = FakeCluster({0: RECORDS, 1: RECORDS}, committed={0: 0, 1: 0})
        script = iter([Step("assign", (0, 1))])
        self.source = FakeSource(self._cluster, script, FakeClock())
        self.sink = FakeSink(self._cluster, iter(()), iter(()))

    def outcomes(self) -> list[Position]:
        return self._cluster.outcomes

    def committed(self) -> Mapping[int, int]:
        return self._cluster.committed


class RealWorld:
    """Topics of a real Kafka, with the adapters that go to production."""

    def __init__(self, kafka: RealKafka, way: str) -> None:
        topic = kafka.topic("contract", 2)
        self.output = kafka.topic("contract-predictions", 2)
        self.settings = settings_for(kafka, way, topic, self.output)
        fill(kafka, topic)
        clock, telemetry = SystemClock(), NullTelemetry()
        self.source = KafkaSource(self.settings, clock, telemetry, NullWatchdog())
        self.sink = TransactionalSink(
            self.settings, unique("contract"), clock, telemetry, NullWatchdog()
        )

    def outcomes(self) -> list[Position]:
        reader = self._consumer(unique("reader"))
        ends = {p: reader.get_watermark_offsets(TopicPartition(self.output, p))[1] for p in (0, 1)}
        reader.assign([TopicPartition(self.output, p, 0) for p in ends])
        found: list[Position] = []

        def at_the_end() -> bool:
            for message in reader.consume(100, 0.2):
                partition, _, offset = message.value().decode().partition(":")
                found.append((int(partition), int(offset)))
            places = reader.position([TopicPartition(self.output, p) for p in ends])
            return all(ends[tp.partition] == 0 or tp.offset >= ends[tp.partition] for tp in places)

        # A reader of committed records passes an aborted one without being given it.
        until("the reader is at the end", at_the_end, 20)
        reader.close()
        return found

    def committed(self) -> Mapping[int, int]:
        consumer = self._consumer(self.settings.kafka.group)
        wanted = [TopicPartition(self.settings.input.topic, p) for p in (0, 1)]
        found = {tp.partition: tp.offset for tp in consumer.committed(wanted, timeout=10)}
        consumer.close()
        return found

    def _consumer(self, group: str) -> Consumer:
        return Consumer(
            {
                "bootstrap.servers": self.settings.kafka.bootstrap_servers,
                "group.id": group,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
            }
        )


def settings_for(kafka: RealKafka, way: str, topic: str, output: str) -> Settings:
    client, protocol = way.split("-")
    # Otherwise the other client would be used, and prove nothing of this one.
    assert client == "public" or native_fault() is None
    return load_settings(
        overrides={
            "kafka.bootstrap_servers": kafka.bootstrap_servers,
            "kafka.group": unique("contract"),
            "kafka.group_protocol": protocol,
            "kafka.client": client,
            "input.topic": topic,
            "output.predictions_topic": output,
            "output.max_record_bytes": "20000",
            "start.new_group": "earliest",
        }
    )


def fill(kafka: RealKafka, topic: str) -> None:
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    for partition, _ in WANTED:
        producer.produce(topic, b"value", partition=partition)
    assert producer.flush(10) == 0


@pytest.fixture(
    params=[
        "fake",
        *(pytest.param(way, marks=pytest.mark.kafka) for way in WAYS),
    ]
)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    made: FakeWorld | RealWorld
    if request.param == "fake":
        made = FakeWorld()
    else:
        made = RealWorld(request.getfixturevalue("kafka"), request.param)
    yield made
    made.source.close()
    made.sink.close()


def positions(records: RecordBatch) -> list[Position]:
    return list(zip(records.partition.tolist(), records.offset.tolist(), strict=True))


def take(source: Source, count: int, *, most: int = 7) -> list[Position]:
    """Fetch until ``count`` records came."""
    found: list[Position] = []

    def enough() -> bool:
        batch = source.fetch(min(most, count - len(found)), 0.1)
        assert len(batch) <= most
        found.extend(positions(batch))
        return len(found) >= count

    until(f"{count} records", enough, 30)
    return found


def opened(world: World) -> Recorder:
    recorder = Recorder()
    world.sink.open()
    until("it can join", lambda: joins(world.source, recorder), 20)
    return recorder


def joins(source: Source, listener: RebalanceListener) -> bool:
    """A broker that has just started does not know its groups yet."""
    try:
        source.open(listener)
    except RetriableError:
        return False
    return True


def nothing_comes(source: Source) -> bool:
    return all(not len(source.fetch(10, 0.05)) for _ in range(10))


def deliver(world: World, count: int) -> dict[int, NextOffset]:
    """Begin a unit and deliver that many records' outcomes; returns the offsets to commit."""
    world.sink.begin()
    offsets: dict[int, NextOffset] = {}
    left = count
    while left:
        batch = world.source.fetch(left, 0.1)
        if not len(batch):
            continue
        refused = world.sink.deliver(echo_outputs(batch, np.arange(len(batch)), world.output))
        assert not len(refused)
        offsets.update({p: NextOffset(o, "kept") for p, o in batch.next_offsets().items()})
        left -= len(batch)
    return offsets


def test_every_record_comes_once_and_in_order(world: World) -> None:
    recorder = opened(world)
    found = take(world.source, len(WANTED))
    assert sorted(found) == WANTED
    assert [p for p in found if p[0] == 0] == WANTED[:RECORDS]
    assert nothing_comes(world.source)
    assert ("assigned", [0, 1]) in recorder.events
    assert world.source.assignment() == {0, 1}


def test_a_seek_brings_records_again(world: World) -> None:
    opened(world)
    take(world.source, len(WANTED))
    world.source.seek({1: RECORDS - 3, 9: 0})
    assert take(world.source, 3) == WANTED[-3:]
    assert nothing_comes(world.source)


def test_paused_means_nothing_comes_and_resumed_goes_on_without_a_gap(world: World) -> None:
    opened(world)
    first = take(world.source, 10)
    world.source.pause()
    assert nothing_comes(world.source)
    world.source.resume()
    rest = take(world.source, len(WANTED) - 10)
    assert sorted(first + rest) == WANTED


@pytest.mark.parametrize("way", WAYS)
def test_a_partition_that_went_during_a_pause_comes_back_unpaused(
    kafka: RealKafka, way: str
) -> None:
    world = RealWorld(kafka, way)
    other = KafkaSource(world.settings, SystemClock(), NullTelemetry(), NullWatchdog())
    opened(world)
    take(world.source, 1)
    world.source.pause()
    until("another member joins", lambda: joins(other, Recorder()), 20)

    def shared() -> bool:
        world.source.fetch(10, 0.1)
        other.fetch(10, 0.1)
        return len(world.source.assignment()) == 1 == len(other.assignment())

    until("each has a partition", shared, 30)
    world.source.resume()
    other.close()
    seen: set[Position] = set()

    def all_of_both() -> bool:
        seen.update(positions(world.source.fetch(10, 0.1)))
        return seen >= {place for place in WANTED if place[1] > 0}

    until("records of both come", all_of_both, 30)
    world.source.close()
    world.sink.close()


def test_a_committed_unit_is_there_with_its_offsets(world: World) -> None:
    opened(world)
    offsets = deliver(world, len(WANTED))
    world.sink.commit(offsets, world.source.membership(), 1e12)
    assert sorted(world.outcomes()) == WANTED
    assert world.committed() == {0: RECORDS, 1: RECORDS}


def test_an_aborted_unit_leaves_nothing_and_comes_again_after_a_rewind(world: World) -> None:
    opened(world)
    before = dict(world.committed())
    offsets = deliver(world, len(WANTED))
    world.sink.abort()
    assert world.outcomes() == []
    assert world.committed() == before
    world.source.rewind(dict.fromkeys(offsets, 0))
    offsets = deliver(world, len(WANTED))
    world.sink.commit(offsets, world.source.membership(), 1e12)
    assert sorted(world.outcomes()) == WANTED


def test_a_rewind_goes_to_what_is_committed_not_to_what_was_read(world: World) -> None:
    opened(world)
    offsets = deliver(world, 20)
    world.sink.commit(offsets, world.source.membership(), 1e12)
    take(world.source, len(WANTED) - 20)
    world.source.rewind({0: 0, 1: 0})
    committed = world.committed()
    expected = [(p, o) for p, o in WANTED if o >= committed.get(p, 0)]
    assert sorted(take(world.source, len(expected))) == expected
    assert nothing_comes(world.source)


def test_nobody_commits_nothing(world: World) -> None:
    opened(world)
    before = dict(world.committed())
    offsets = deliver(world, 5)
    with pytest.raises(AbortedError):
        world.sink.commit(offsets, GroupMembership(-1, "", b""), 1e12)
    world.sink.abort()
    assert world.outcomes() == []
    assert world.committed() == before


def test_the_member_is_one_the_broker_would_fence(world: World) -> None:
    opened(world)
    take(world.source, 1)
    assert world.source.membership().is_member


def test_closing_gives_the_partitions_back(world: World) -> None:
    recorder = opened(world)
    take(world.source, 1)
    world.source.close()
    world.source.close()
    assert recorder.events[-1] == ("revoked", [0, 1])


def test_a_listener_that_raises_is_heard(world: World) -> None:
    class Unwilling(Recorder):
        def assigned(self, partitions: Sequence[int]) -> None:
            super().assigned(partitions)
            raise ZeroDivisionError

    world.sink.open()
    until("it can join", lambda: joins(world.source, Unwilling()), 20)
    with pytest.raises(ZeroDivisionError):
        take(world.source, 1)


@pytest.mark.parametrize("way", WAYS[::2])
def test_only_a_record_too_large_is_refused(kafka: RealKafka, way: str) -> None:
    world = RealWorld(kafka, way)
    opened(world)
    batch = world.source.fetch(1, 0.0)
    while len(batch) < 3:
        batch = world.source.fetch(3, 0.5)
    outputs = echo_outputs(batch, np.arange(3), world.output)
    values = [outputs.values[0], b"x" * 50_000, outputs.values[2]]
    world.sink.begin()
    assert world.sink.deliver(replace(outputs, values=BytesColumn.of(values))).tolist() == [1]
    offsets = {p: NextOffset(o) for p, o in batch.next_offsets().items()}
    world.sink.commit(offsets, world.source.membership(), 1e12)
    found = world.outcomes()
    assert len(found) == 2
    world.source.close()
    world.sink.close()
