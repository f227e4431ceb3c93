"""A Kafka source on a scripted consumer: the library's behaviour as far as a source can tell."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from stream_app.adapters.kafka import clients as kafka_clients
from stream_app.adapters.kafka.public_client import Fetched, fetch_messages
from stream_app.adapters.kafka.source import KafkaSource
from stream_app.adapters.kafka.start_policy import StartPolicy
from stream_app.adapters.kafka.topic_identity import TopicIdentity
from stream_app.adapters.process.prometheus_telemetry import NullTelemetry
from stream_app.adapters.process.watchdog import NullWatchdog
from stream_app.core.columns import Header, RecordBatch
from stream_app.settings import load_settings
from tests.fakes import FakeClock

NO_OFFSET = KafkaError(KafkaError._AUTO_OFFSET_RESET, "no offset")
DAMAGED = KafkaError(KafkaError._BAD_MSG, "MessageSet at offset 7 failed CRC32C check")
UNKNOWN_FORMAT = KafkaError(KafkaError._NOT_IMPLEMENTED, "Unsupported Message(Set) MagicByte 87")
DENIED = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED, "no right")
GROUP_DENIED = KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED, "no right")
OVER = KafkaError(
    KafkaError._FATAL, "Fatal error: ConsumerGroupHeartbeat: Group authorization failed", True
)
NOT_ASSIGNED = KafkaError(KafkaError._INVALID_ARG, "not in the current assignment")


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
        self.at: dict[int, int] = {}
        self.dead = False
        self.deaf = False
        self.closed = False
        self._callbacks: dict[str, Callable[..., None]] = {}

    def subscribe(self, _: list[str], **callbacks: Callable[..., None]) -> None:
        self._callbacks = callbacks

    def list_topics(self, _: str, timeout: float) -> None:
        del timeout
        if self.deaf:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT, "no usable brokers"))

    def position(self, _: list[Any]) -> list[Any]:
        return []

    def consume(self, *_: float) -> list[Message]:
        return self.script.pop(0)() if self.script else []

    def fetch(
        self, topic: str, max_records: int, wait_s: float, between: Callable[[], None]
    ) -> Fetched:
        return fetch_messages(self, topic, max_records, wait_s, between)

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
        if not {tp.partition for tp in partitions} <= self.assigned:
            raise KafkaException(NOT_ASSIGNED)
        self.assigned -= {tp.partition for tp in partitions}

    def seek(self, target: Any) -> None:
        if target.partition not in self.assigned:
            raise KafkaException(KafkaError(KafkaError._STATE, "not assigned"))
        self.sought.append((target.partition, target.offset))

    def committed(self, wanted: list[Any], timeout: float) -> list[Any]:
        del timeout
        return [TopicPartition(tp.topic, tp.partition, 5) for tp in wanted]

    def die(self) -> list[Message]:
        """As the library does: it gives up what it has, and calls nobody."""
        self.dead = True
        self.assigned.clear()
        raise KafkaException(OVER)

    def close(self) -> None:
        self.closed = True
        if self.assigned:
            self.rebalance("revoke", *sorted(self.assigned))


class Listener:
    """Agrees to everything and remembers it; ``told`` is called at each event."""

    def __init__(self) -> None:
        self.events: list[tuple[str, list[int]]] = []
        self.told: Callable[[str], None] = lambda _: None

    def assigned(self, partitions: Sequence[int]) -> None:
        self._hear("assigned", partitions)

    def revoked(self, partitions: Sequence[int]) -> None:
        self._hear("revoked", partitions)

    def lost(self, partitions: Sequence[int]) -> None:
        self._hear("lost", partitions)

    def _hear(self, event: str, partitions: Sequence[int]) -> None:
        self.events.append((event, sorted(partitions)))
        self.told(event)


class Watching(NullWatchdog):
    """Remembers what had a limit."""

    def __init__(self) -> None:
        self.limited: list[str] = []

    @contextmanager
    def limit(self, what: str, seconds: float) -> Iterator[None]:
        assert seconds > 0
        self.limited.append(what)
        yield


class Bench:
    """A source that owns partitions 0 and 1 of a scripted consumer."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, more: Mapping[str, str] | None = None
    ) -> None:
        monkeypatch.setattr(kafka_clients, "Consumer", self._make)
        monkeypatch.setattr(StartPolicy, "prepare", lambda _: None)
        monkeypatch.setattr(TopicIdentity, "learn", lambda _: None)
        told = {"kafka.bootstrap_servers": "127.0.0.1:9", "input.topic": "in", **(more or {})}
        settings = load_settings(overrides=told)
        self.clock = FakeClock()
        self.denied: list[str] = []
        self.watchdog = Watching()
        self.source = KafkaSource(
            settings, self.clock, NullTelemetry(), self.watchdog, self.denied.append
        )
        self.listener = Listener()
        self.source.open(self.listener)
        self.fetch(lambda: self._assign(0, 1))
        self.listener.events.clear()

    def _make(self, _: object) -> ScriptedConsumer:
        self.consumer = ScriptedConsumer()
        return self.consumer

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
