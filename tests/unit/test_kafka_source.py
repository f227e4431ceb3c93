"""Laws of the Kafka source, on a scripted consumer: what a fetch makes of a rebalance in it."""

import time
from collections.abc import Sequence

import pytest
from confluent_kafka import KafkaError, TopicPartition

from stream_app.adapters.kafka.start_policy import StartPolicy
from stream_app.errors import FatalError, RetriableError
from tests.scripted_consumer import (
    DAMAGED,
    DENIED,
    NO_OFFSET,
    UNKNOWN_FORMAT,
    Bench,
    Listener,
    Message,
)


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

    def target(_: object, partition: int) -> TopicPartition:
        asked.append(partition)
        return TopicPartition("in", partition, 40)

    monkeypatch.setattr(StartPolicy, "target", target)
    missing = Message(0, error=NO_OFFSET)
    assert bench.fetch(lambda: [missing], bench.rebalancing(*events)) == []
    assert asked == []
    again = bench.rebalancing(then=[Message(1, error=NO_OFFSET)])
    assert bench.fetch(lambda: [Message(1, 3)], again) == [(1, 3)]
    assert asked == []
    assert bench.fetch() == []
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


@pytest.mark.parametrize("error", [DAMAGED, UNKNOWN_FORMAT])
def test_a_damaged_batch_ends_the_worker_instead_of_being_passed_over(
    bench: Bench, error: KafkaError
) -> None:
    # The client goes on behind it, and the next commit would cover what nobody scored.
    def damaged(partition: int) -> list[Message]:
        return [Message(partition, 7, error=error), Message(partition, 20)]

    with pytest.raises(FatalError, match=r"in\[1\] offset 7 are damaged.*(CRC32C|MagicByte)"):
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


def choosing(
    monkeypatch: pytest.MonkeyPatch, bench: Bench, answers: Sequence[int | None]
) -> list[str]:
    """A start policy with these answers; returns what happened, in order."""
    happened: list[str] = []
    left = list(answers)

    def target(_: object, partition: int) -> TopicPartition | None:
        happened.append("chosen")
        offset = left.pop(0)
        return None if offset is None else TopicPartition("in", partition, offset)

    monkeypatch.setattr(StartPolicy, "target", target)
    bench.listener.told = happened.append
    return happened


def test_a_place_is_chosen_only_after_what_was_fetched_before_is_committed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The records before the gap come with the error; a choice now would be followed by their
    # commit, which is of an older offset.
    happened = choosing(monkeypatch, bench, [40])
    gap = [Message(0, 8), Message(0, -1001, error=NO_OFFSET), Message(1, 3)]
    assert bench.fetch(lambda: [Message(0, 7)], lambda: gap) == [(0, 7), (0, 8), (1, 3)]
    assert happened == []
    bench.fetch()
    assert happened == ["revoked", "chosen", "assigned"]
    assert bench.listener.events == [("revoked", [0]), ("assigned", [0])]
    assert bench.consumer.sought == [(0, 40)]
    assert bench.source.assignment() == {0, 1}


def test_a_partition_without_a_place_is_not_ours_until_there_is_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened = choosing(monkeypatch, bench, [None, 40])
    bench.fetch(lambda: [Message(0, error=NO_OFFSET)])
    bench.fetch()
    bench.fetch()
    assert happened == ["revoked", "chosen"], "asked again, but not at once"
    assert bench.source.assignment() == {1}
    bench.source.seek({0: 3})
    bench.source.rewind({0: 3})
    assert bench.consumer.sought == []
    bench.clock.time_s += 1
    bench.fetch()
    assert happened == ["revoked", "chosen", "chosen", "assigned"]
    assert bench.consumer.sought == [(0, 40)]


@pytest.mark.parametrize("event", ["revoke", "lost"])
def test_a_partition_that_goes_without_a_place_is_placed_by_its_next_owner(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, event: str
) -> None:
    happened = choosing(monkeypatch, bench, [None])
    bench.fetch(lambda: [Message(0, error=NO_OFFSET)])
    bench.fetch(bench.rebalancing((event, 0)))
    bench.clock.time_s += 1
    bench.fetch()
    assert happened.count("chosen") == 1
    assert bench.consumer.assigned == {1}
    assert [number for _, numbers in bench.listener.events for number in numbers] == [0]
