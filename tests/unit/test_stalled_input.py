"""Laws of an input that stands still behind a transaction of others."""

from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from structlog.testing import capture_logs

from stream_app.adapters.kafka import clients as kafka_clients
from stream_app.adapters.kafka.columns import to_columns
from stream_app.adapters.kafka.public_client import Fetched
from stream_app.adapters.kafka.source import KafkaSource
from stream_app.adapters.kafka.stalled_input import StalledInput
from stream_app.adapters.process.prometheus_telemetry import NullTelemetry
from stream_app.adapters.process.watchdog import NullWatchdog
from stream_app.core.metrics import INPUT_STALLED_SECONDS
from stream_app.ports import Telemetry
from stream_app.settings import load_settings
from tests.fakes import FakeClock

AFTER_S = 10.0
LOOK_S = 3.0


class Partition:
    """Stands for the library's consumer, of partition 0."""

    def __init__(self) -> None:
        self.read, self.stable, self.end = 5, 5, 9
        self.asked = 0
        self.asked_of: list[int] = []
        self.away = False

    def position(self, partitions: list[Any]) -> list[Any]:
        for tp in partitions:
            tp.offset = self.read
        return partitions

    def get_watermark_offsets(
        self, tp: Any, timeout: float = 0, *, cached: bool = False
    ) -> tuple[int, int]:
        del timeout
        if cached:
            return 0, self.end
        self.asked += 1
        self.asked_of.append(tp.partition)
        if self.away:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        return 0, self.stable


class Gauge:
    """Keeps the one gauge; ``None`` when it was forgotten."""

    value: float | None = None

    def gauge(self, metric: object, value: float, *labels: str) -> None:
        assert metric is INPUT_STALLED_SECONDS
        del labels
        self.value = value

    def forget(self, *_: object) -> None:
        self.value = None


class Made:
    def __init__(self) -> None:
        self.partition, self.gauge, self.clock = Partition(), Gauge(), FakeClock()
        telemetry: Telemetry = self.gauge  # type: ignore[assignment]  # it needs no more of it
        self.stalled = StalledInput(self.partition, "in", AFTER_S, self.clock, telemetry)

    def after(self, seconds: float, partitions: int = 1) -> list[str]:
        """Look every 3 s for so long; the events that were logged."""
        with capture_logs() as logged:
            for _ in range(round(seconds / LOOK_S)):
                self.clock.time_s += LOOK_S
                self.stalled.look(range(partitions))
        return [str(line["event"]) for line in logged]


@pytest.fixture
def made() -> Made:
    return Made()


def test_a_stall_is_measured_at_once_and_told_when_it_lasts(made: Made) -> None:
    assert made.after(9) == []
    assert made.gauge.value is not None
    assert made.after(9) == ["input_stalled"]
    assert made.after(45) == []
    assert made.after(30) == ["input_stalled"]
    assert made.gauge.value > 80


def test_it_is_over_when_records_come(made: Made) -> None:
    assert made.after(18) == ["input_stalled"]
    made.partition.read = 7
    assert made.after(3) == ["input_goes_on"]
    assert made.gauge.value is None


def test_a_stable_end_that_moves_is_no_stall(made: Made) -> None:
    for _ in range(20):
        made.partition.stable += 1
        made.partition.end += 1
        assert made.after(3) == []


def test_what_is_hidden_for_another_reason_is_no_stall(made: Made) -> None:
    made.partition.stable = made.partition.end
    assert made.after(60) == []
    assert made.gauge.value is None


def test_a_partition_that_brings_records_or_has_none_is_not_asked_about(made: Made) -> None:
    for _ in range(20):
        made.partition.read += 1
        made.partition.end += 1
        made.after(3)
    made.partition.end = made.partition.read
    made.after(30)
    assert made.partition.asked == 0


def test_a_broker_that_does_not_answer_neither_begins_nor_ends_a_stall(made: Made) -> None:
    made.after(9)
    made.partition.away = True
    before = made.gauge.value
    assert made.after(30) == []
    assert made.gauge.value == before
    made.partition.away = False
    assert made.after(3) == ["input_stalled"]


def test_of_many_that_lag_two_are_asked_about_in_each_look_and_each_has_its_turn(
    made: Made,
) -> None:
    made.after(3, partitions=50)
    for look in range(1, 26):
        made.after(3, partitions=50)
        assert made.partition.asked == 2 * look, "it blocks the loop no longer than this"
    assert sorted(made.partition.asked_of) == list(range(50))


def test_a_stall_among_many_that_lag_is_told(made: Made) -> None:
    assert made.after(3 + 75, partitions=50) == []
    assert made.after(75, partitions=50) == ["input_stalled"] * 50


def test_a_partition_that_goes_takes_its_stall_with_it(made: Made) -> None:
    made.after(15)
    made.stalled.forget([0])
    assert made.gauge.value is None


class Idle:
    """Stands for the library's consumer, of a source that owns nothing yet."""

    looks = 0

    def position(self, partitions: list[Any]) -> list[Any]:
        self.looks += 1
        return partitions

    def fetch(self, topic: str, *_: Any) -> Fetched:
        return Fetched(to_columns(topic, []), 0)

    def pause(self, _: list[Any]) -> None:
        """Do nothing."""

    resume = pause


def test_a_pause_of_our_own_is_no_stall_to_look_for(monkeypatch: pytest.MonkeyPatch) -> None:
    consumer, clock = Idle(), FakeClock()
    monkeypatch.setattr(kafka_clients, "Consumer", lambda _: consumer)
    told = {"kafka.bootstrap_servers": "127.0.0.1:9", "input.topic": "in"}
    source = KafkaSource(load_settings(overrides=told), clock, NullTelemetry(), NullWatchdog())
    source.pause()
    clock.time_s += LOOK_S
    source.fetch(10, 0.0)
    assert consumer.looks == 0
    source.resume()
    source.fetch(10, 0.0)
    assert consumer.looks == 1
