"""Laws of delivery without transactions, on a producer that fails as the real one was seen to."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from stream_app.adapters.kafka import clients as kafka_clients
from stream_app.adapters.kafka.at_least_once_sink import AtLeastOnceSink
from stream_app.adapters.process.prometheus_telemetry import NullTelemetry
from stream_app.adapters.process.watchdog import NullWatchdog
from stream_app.core.positions import GroupMembership, NextOffset
from stream_app.errors import AbortedError, FencedError
from stream_app.settings import load_settings
from tests.fakes import FakeClock

MEMBER = GroupMembership(3, "member", b"token")
FATAL = KafkaException(KafkaError(KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, "gap", fatal=True))


class Producer:
    """Stands for the library's: what is left after each flush, or an error."""

    def __init__(self, flushes: list[int | Exception]) -> None:
        self._flushes = flushes

    def flush(self, timeout: float) -> int:
        del timeout
        left = self._flushes.pop(0) if self._flushes else 0
        if isinstance(left, Exception):
            raise left
        return left

    def poll(self, timeout: float = 0) -> int:
        del timeout
        return 0

    def purge(self, **_: bool) -> None:
        """Nothing is queued here."""

    def end(self) -> None:
        """Likewise."""


class Bench:
    """A sink, opened and begun, and the offsets that it committed."""

    def __init__(self) -> None:
        self.committed: list[Mapping[int, NextOffset]] = []
        self.producers = 0
        self.flushes: list[int | Exception] = []
        self.sink: AtLeastOnceSink

    def commit(self, deadline_s: float = 1e9) -> None:
        self.sink.commit({0: NextOffset(7)}, MEMBER, deadline_s)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench()

    def producer(_: Any) -> Producer:
        made.producers += 1
        return Producer(made.flushes)

    monkeypatch.setattr(kafka_clients, "Producer", producer)
    settings = load_settings(
        overrides={
            "delivery": "at_least_once",
            "kafka.bootstrap_servers": "127.0.0.1:9",
            "input.topic": "in",
        }
    )
    keep: Callable[[Mapping[int, NextOffset]], None] = made.committed.append
    made.sink = AtLeastOnceSink(settings, "id", FakeClock(), NullTelemetry(), NullWatchdog(), keep)
    made.sink.open()
    made.sink.begin()
    return made


def test_offsets_are_committed_when_nothing_is_left_to_deliver(bench: Bench) -> None:
    bench.flushes += [3, 1]
    bench.commit()
    assert bench.flushes == []
    assert bench.committed == [{0: NextOffset(7)}]


def test_offsets_stay_when_delivery_takes_too_long(bench: Bench) -> None:
    bench.flushes += [3] * 10
    with pytest.raises(AbortedError, match="in time"):
        bench.commit(deadline_s=0.0)
    assert bench.committed == []


def test_a_producer_that_is_over_is_made_anew(bench: Bench) -> None:
    bench.flushes.append(FATAL)
    with pytest.raises(FencedError):
        bench.commit()
    bench.sink.rebuild()
    bench.sink.begin()
    bench.commit()
    assert bench.producers == 2
    assert bench.committed == [{0: NextOffset(7)}]


def test_producers_that_are_over_again_and_again_end_the_worker(bench: Bench) -> None:
    for _ in range(3):
        bench.sink.rebuild()
    with pytest.raises(FencedError, match="4 times"):
        bench.sink.rebuild()
