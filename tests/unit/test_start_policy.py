"""Laws of a start without a valid offset, on a consumer and a cluster that are stood in for."""

from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from stream_app.adapters.kafka.start_policy import StartPolicy
from stream_app.adapters.kafka.topic_identity import TopicIdentity
from stream_app.core.metrics import RECORDS_DELETED_UNREAD
from stream_app.core.position_notes import PositionNote
from stream_app.errors import DataError
from stream_app.settings import load_settings
from tests.avro_kit import CountedTelemetry
from tests.fakes import FakeClock


class Consumer:
    """Stands for the library's: one topic of two partitions, each from 40 to 100."""

    def __init__(self) -> None:
        self.offsets = {0: 10, 1: 90}
        self.notes: dict[int, str] = {}
        self.away = False

    def list_topics(self, topic: str, timeout: float) -> Any:
        del timeout
        return _Topics({topic: _Topic(dict.fromkeys(self.offsets))})

    def committed(self, wanted: list[Any], timeout: float) -> list[Any]:
        del timeout
        if self.away:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "no coordinator"))
        return [TopicPartition(tp.topic, tp.partition, self.offsets[tp.partition]) for tp in wanted]

    def get_watermark_offsets(self, tp: Any, timeout: float) -> tuple[int, int]:
        del tp, timeout
        return 40, 100

    def commit(self, offsets: list[Any], *, asynchronous: bool) -> None:
        assert not asynchronous
        for tp in offsets:
            self.offsets[tp.partition] = tp.offset
            self.notes[tp.partition] = tp.metadata


class _Topic:
    def __init__(self, partitions: dict[int, None]) -> None:
        self.error = None
        self.partitions = partitions


class _Topics:
    def __init__(self, topics: dict[str, _Topic]) -> None:
        self.topics = topics


class Made:
    """A policy for this choice, and what it talks to."""

    def __init__(self, expired: str) -> None:
        settings = load_settings(
            overrides={
                "kafka.bootstrap_servers": "127.0.0.1:9",
                "input.topic": "in",
                "start.expired": expired,
            }
        )
        self.consumer, self.telemetry = Consumer(), CountedTelemetry()
        self.identity = TopicIdentity(settings, FakeClock())
        self.policy = StartPolicy(settings, self.consumer, self.identity, self.telemetry)

    def target(self) -> int | None:
        found = self.policy.target(0)
        return None if found is None else found.offset

    @property
    def lost(self) -> float:
        return self.telemetry.counts[(RECORDS_DELETED_UNREAD.name,)]


def test_what_was_deleted_unread_is_counted_to_the_record() -> None:
    made = Made("earliest")
    assert made.target() == 40
    assert made.lost == 30
    assert made.consumer.offsets[0] == 40


def test_a_committed_offset_that_is_there_is_where_to_read() -> None:
    made = Made("fail")
    made.consumer.offsets[0] = 55
    assert made.target() == 55
    assert made.lost == 0


def test_while_the_offsets_cannot_be_read_nothing_is_chosen() -> None:
    made = Made("earliest")
    made.consumer.away = True
    assert made.target() is None
    made.consumer.away = False
    assert made.target() == 40
    assert made.lost == 30


def test_a_loss_that_stops_the_worker_is_counted_too() -> None:
    made = Made("fail")
    with pytest.raises(DataError, match="30 records were deleted unread"):
        made.target()
    assert made.lost == 30
    assert made.consumer.offsets[0] == 10


def test_a_start_is_committed_with_the_id_of_the_topic() -> None:
    made = Made("earliest")
    made.identity.topic_id = "one"
    made.identity.check_now = lambda: None  # type: ignore[method-assign]  # no cluster here
    made.target()
    assert PositionNote.of(made.consumer.notes[0]) == PositionNote("one")
