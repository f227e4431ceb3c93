"""Laws of the Kafka source, on a scripted consumer: what a fetch makes of a rebalance in it."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from confluent_kafka import KafkaError, TopicPartition

from stream_app.adapters.kafka import clients as kafka_clients
from stream_app.adapters.kafka.source import KafkaSource
from stream_app.adapters.kafka.start_policy import StartPolicy
from stream_app.adapters.kafka.topic_identity import TopicIdentity
from stream_app.adapters.process.prometheus_telemetry import NullTelemetry
from stream_app.core.columns import Header, RecordBatch
from stream_app.errors import FatalError, RetriableError
from stream_app.settings import load_settings
from tests.fakes import FakeClock

NO_OFFSET = KafkaError(KafkaError._AUTO_OFFSET_RESET, "no offset")
DAMAGED = KafkaError(KafkaError._BAD_MSG, "MessageSet at offset 7 failed CRC32C check")
DENIED = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED, "no right")


class Message:
    """A record, or an error in the place of one."""

    def __init__(self, partition: int, offset: int = 0, error: KafkaError | None = None) -> None:
        self._partition = partition
        self._offset = offset
        self._error = error

    def error(self) -> KafkaError | None:
        return self._error

    def topic(self) -> str:
        return "in"

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset

    def key(self) -> bytes | None:
        return None

    def value(self) -> bytes | None:
        return b"value"

    def headers(self) -> Sequence[Header] | None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return 1, 5


class ScriptedConsumer:
    """Stands for the library's: each ``consume`` brings the next item of the script."""

    def __init__(self) -> None:
        self.script: list[Callable[[], list[Message]]] = []
        self.assigned: set[int] = set()
        self.paused: set[int] = set()
        self.sought: list[tuple[int, int]] = []
        self._callbacks: dict[str, Callable[..., None]] = {}

    def subscribe(self, _: list[str], **callbacks: Callable[..., None]) -> None:
        self._callbacks = callbacks

    def position(self, _: list[Any]) -> list[Any]:
        return []

    def consume(self, *_: float) -> list[Message]:
        return self.script.pop(0)() if self.script else []

    def pause(self, partitions: list[Any]) -> None:
        self.paused |= {tp.partition for tp in partitions}

    def resume(self, partitions: list[Any]) -> None:
        assert {tp.partition for tp in partitions} <= self.assigned
        self.paused -= {tp.partition for tp in partitions}

    def rebalance(self, event: str, *partitions: int) -> None:
        self._callbacks[f"on_{event}"](self, [TopicPartition("in", p) for p in partitions])

    def incremental_assign(self, partitions: list[Any]) -> None:
        self.assigned |= {tp.partition for tp in partitions}
        self.sought += [(tp.partition, tp.offset) for tp in partitions if tp.offset >= 0]

    def incremental_unassign(self, partitions: list[Any]) -> None:
        # As the library does, of one that is not assigned.
        assert {tp.partition for tp in partitions} <= self.assigned
        self.assigned -= {tp.partition for tp in partitions}


class Listener:
    """Agrees to everything."""

    def assigned(self, partitions: Sequence[int]) -> None:
        """Agree."""

    def revoked(self, partitions: Sequence[int]) -> None:
        """Agree."""

    def lost(self, partitions: Sequence[int]) -> None:
        """Agree."""


class Bench:
    """A source that owns partitions 0 and 1 of a scripted consumer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.consumer = ScriptedConsumer()
        monkeypatch.setattr(kafka_clients, "Consumer", lambda _: self.consumer)
        monkeypatch.setattr(StartPolicy, "prepare", lambda _: None)
        monkeypatch.setattr(TopicIdentity, "learn", lambda _: None)
        settings = load_settings(
            overrides={"kafka.bootstrap_servers": "127.0.0.1:9", "input.topic": "in"}
        )
        self.clock = FakeClock()
        self.source = KafkaSource(settings, self.clock, NullTelemetry())
        self.source.open(Listener())
        self.fetch(lambda: self._assign(0, 1))

    def fetch(self, *script: Callable[[], list[Message]]) -> list[tuple[int, int]]:
        self.consumer.script = list(script)
        return positions(self.source.fetch(10, 0.0))

    def _assign(self, *partitions: int) -> list[Message]:
        self.consumer.rebalance("assign", *partitions)
        return []

    def rebalancing(
        self, *events: tuple[str, int], then: Sequence[Message] = ()
    ) -> Callable[[], list[Message]]:
        """A ``consume`` that calls back before it brings records."""

        def consume() -> list[Message]:
            for event, partition in events:
                self.consumer.rebalance(event, partition)
            return list(then)

        return consume


def positions(records: RecordBatch) -> list[tuple[int, int]]:
    return list(zip(records.partition.tolist(), records.offset.tolist(), strict=True))


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def test_a_row_held_while_its_partition_goes_is_left_out(bench: Bench) -> None:
    rest = bench.rebalancing(("revoke", 0), then=[Message(1, 3)])
    assert bench.fetch(lambda: [Message(0, 7)], rest) == [(1, 3)]


def test_a_row_held_while_its_partition_goes_and_comes_back_is_left_out(bench: Bench) -> None:
    rest = bench.rebalancing(("lost", 0), ("assign", 0), then=[Message(0, 9)])
    assert bench.fetch(lambda: [Message(0, 7)], rest) == [(0, 9)]


def test_a_row_of_a_new_partition_stays_behind_an_error_that_was_held(bench: Bench) -> None:
    error = Message(0, error=KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART, "gone"))
    rest = bench.rebalancing(("assign", 2), then=[Message(2, 0), Message(2, 1)])
    assert bench.fetch(lambda: [error], rest) == [(2, 0), (2, 1)]


@pytest.mark.parametrize("events", [[("revoke", 0)], [("lost", 0), ("assign", 0)]])
def test_a_missing_offset_of_a_partition_that_went_is_left_to_its_next_owner(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, events: list[tuple[str, int]]
) -> None:
    asked: list[int] = []

    def target(_: object, topic: str, partition: int, error: object) -> TopicPartition:
        del error
        asked.append(partition)
        return TopicPartition(topic, partition, 40)

    monkeypatch.setattr(StartPolicy, "target", target)
    missing = Message(0, error=NO_OFFSET)
    assert bench.fetch(lambda: [missing], bench.rebalancing(*events)) == []
    assert asked == []
    again = bench.rebalancing(then=[Message(1, error=NO_OFFSET)])
    assert bench.fetch(lambda: [Message(1, 3)], again) == [(1, 3)]
    assert asked == [1]
    assert bench.consumer.sought == [(1, 40)]


def test_a_partition_that_went_while_paused_is_fetched_when_it_comes_back(bench: Bench) -> None:
    # As the library does: it keeps the pause of a partition over its assignments.
    bench.source.pause()
    bench.fetch(bench.rebalancing(("revoke", 0)))
    bench.source.resume()
    assert bench.consumer.paused == {0}
    bench.fetch(bench.rebalancing(("assign", 0)))
    assert bench.consumer.paused == set()


def test_a_damaged_batch_ends_the_worker_instead_of_being_passed_over(bench: Bench) -> None:
    # The client goes on behind it, and the next commit would cover what nobody scored.
    def damaged(partition: int) -> list[Message]:
        return [Message(partition, 7, error=DAMAGED), Message(partition, 20)]

    with pytest.raises(FatalError, match=r"in\[1\] offset 7 are damaged.*failed CRC32C"):
        bench.fetch(lambda: [Message(0, 1)], lambda: damaged(1))


def test_damage_in_a_partition_that_went_is_left_to_its_next_owner(bench: Bench) -> None:
    held = [Message(0, 7, error=DAMAGED)]
    assert bench.fetch(lambda: held, bench.rebalancing(("revoke", 0))) == []


def test_a_right_that_stays_away_ends_the_worker_though_it_is_told_once(bench: Bench) -> None:
    denied = Message(0, error=DENIED)
    assert bench.fetch(lambda: [denied]) == []
    assert bench.fetch() == []
    bench.clock.time_s += 61
    with pytest.raises(FatalError, match="missing ACL"):
        bench.fetch()


def test_a_right_that_came_back_is_forgotten(bench: Bench) -> None:
    denied = Message(0, error=DENIED)
    bench.fetch(lambda: [denied])
    assert bench.fetch(lambda: [Message(0, 1)]) == [(0, 1)]
    bench.clock.time_s += 3_600
    assert bench.fetch(lambda: [denied]) == []


def test_a_start_that_is_refused_at_once_is_not_asked_for_in_a_tight_loop(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise RetriableError("unknown topic")

    slept: list[float] = []
    monkeypatch.setattr(StartPolicy, "prepare", refuse)
    monkeypatch.setattr(time, "sleep", slept.append)
    with pytest.raises(RetriableError):
        bench.source.open(Listener())
    assert sum(slept) >= 0.1
