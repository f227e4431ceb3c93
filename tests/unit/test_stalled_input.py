"""Laws of an input that stands still behind a transaction of others."""

from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from structlog.testing import capture_logs

from stream_app.adapters.kafka.stalled_input import StalledInput
from stream_app.core.metrics import INPUT_STALLED_SECONDS
from stream_app.ports import Telemetry
from tests.fakes import FakeClock

AFTER_S = 10.0
LOOK_S = 3.0


class Partition:
    """Stands for the library's consumer, of partition 0."""

    def __init__(self) -> None:
        self.read, self.stable, self.end = 5, 5, 9
        self.asked = 0
        self.away = False

    def position(self, partitions: list[Any]) -> list[Any]:
        for tp in partitions:
            tp.offset = self.read
        return partitions

    def get_watermark_offsets(
        self, tp: Any, timeout: float = 0, *, cached: bool = False
    ) -> tuple[int, int]:
        del tp, timeout
        if cached:
            return 0, self.end
        self.asked += 1
        if self.away:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        return 0, self.stable


class Gauge:
    """Keeps the one gauge; ``None`` when it was forgotten."""

    value: float | None = None

    def gauge(self, metric: object, value: float, *labels: str) -> None:
        assert metric is INPUT_STALLED_SECONDS
        assert labels == ("0",)
        self.value = value

    def forget(self, *_: object) -> None:
        self.value = None


class Made:
    def __init__(self) -> None:
        self.partition, self.gauge, self.clock = Partition(), Gauge(), FakeClock()
        telemetry: Telemetry = self.gauge  # type: ignore[assignment]  # it needs no more of it
        self.stalled = StalledInput(self.partition, "in", AFTER_S, self.clock, telemetry)

    def after(self, seconds: float) -> list[str]:
        """Look every 3 s for so long; the events that were logged."""
        with capture_logs() as logged:
            for _ in range(round(seconds / LOOK_S)):
                self.clock.time_s += LOOK_S
                self.stalled.look([0])
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


def test_a_partition_that_goes_takes_its_stall_with_it(made: Made) -> None:
    made.after(15)
    made.stalled.forget([0])
    assert made.gauge.value is None
