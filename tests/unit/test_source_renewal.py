"""Laws of a Kafka client that is over: what it had is lost, and a new one takes its place."""

from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException

from stream_app.adapters.kafka import clients as kafka_clients
from stream_app.errors import FatalError, RetriableError
from tests.scripted_consumer import Bench, Message, ScriptedConsumer

NEW_CLIENT_S = 3.0
"""A new one is due after that long."""


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def test_a_client_that_is_over_loses_all_it_had_at_once(bench: Bench) -> None:
    # Under KIP-848 it gives its partitions up without a callback when it may not read its group.
    assert bench.fetch(lambda: [Message(0, 7)], bench.consumer.die) == []
    assert bench.listener.events == [("lost", [0, 1])]
    assert bench.source.assignment() == frozenset()
    assert "missing ACL: Read on Group" in bench.denied[-1]


def test_a_client_that_is_over_is_made_anew_by_renew_alone_and_not_at_once(
    bench: Bench,
) -> None:
    first = bench.consumer
    bench.fetch(first.die)
    due = [bench.source.needs_renewal]
    bench.clock.time_s += NEW_CLIENT_S
    assert bench.fetch() == []
    assert bench.consumer is first, "a fetch may not fail as a renewal may"
    due.append(bench.source.needs_renewal)
    bench.source.renew()
    assert first.closed
    assert [*due, bench.source.needs_renewal] == [False, True, False]
    # A rewind owed from before concerns nothing that is ours; the new client would refuse it.
    bench.source.rewind({0: 3, 1: 3})
    bench.source.seek({0: 3})
    assert bench.consumer.sought == []
    assert bench.fetch(bench.rebalancing(("assign", 0), then=[Message(0, 5)])) == [(0, 5)]
    assert bench.denied[-1] == ""


def test_partitions_of_a_client_that_died_unnoticed_are_told_as_lost_by_its_renewal(
    bench: Bench,
) -> None:
    bench.consumer.assigned.clear()
    bench.source.renew()
    assert bench.listener.events == [("lost", [0, 1])]
    assert bench.source.assignment() == frozenset()


def test_a_renewal_of_a_healthy_client_revokes_and_loses_nothing(bench: Bench) -> None:
    bench.source.renew()
    assert bench.listener.events == [("revoked", [0, 1])]


def test_leaving_the_group_for_a_new_client_has_a_limit(bench: Bench) -> None:
    bench.source.renew()
    assert bench.watchdog.limited == ["leaving the group"]


def test_without_a_new_client_the_old_one_stays_and_it_is_tried_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise KafkaException(KafkaError(KafkaError._INVALID_ARG, "ssl.ca.location: no file"))

    first = bench.consumer
    bench.fetch(first.die)
    bench.clock.time_s += NEW_CLIENT_S
    with monkeypatch.context() as broken:
        broken.setattr(kafka_clients, "Consumer", fail)
        with pytest.raises(RetriableError):
            bench.source.renew()
        assert not first.closed
        assert bench.source.needs_renewal
        assert bench.fetch() == []
    bench.source.renew()
    assert first.closed


def test_a_secret_file_that_is_gone_for_a_moment_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("word", encoding="utf-8")
    bench = Bench(
        monkeypatch,
        {
            "kafka.security_protocol": "SASL_SSL",
            "kafka.sasl_mechanism": "SCRAM-SHA-512",
            "kafka.sasl_username": "worker",
            "kafka.sasl_password_file": str(secret),
        },
    )
    secret.unlink()
    with pytest.raises(RetriableError, match="secret"):
        bench.source.renew()
    assert not bench.consumer.closed
    secret.write_text("word", encoding="utf-8")
    bench.source.renew()


def test_a_client_that_stays_over_ends_the_worker_when_the_patience_ends(bench: Bench) -> None:
    bench.fetch(bench.consumer.die)
    bench.clock.time_s += 61
    with pytest.raises(FatalError, match="missing ACL: Read on Group"):
        bench.fetch()


def test_a_client_that_is_over_for_another_reason_ends_the_worker(bench: Bench) -> None:
    def die() -> list[Message]:
        raise KafkaException(KafkaError(KafkaError._FATAL, "fenced", True))

    with pytest.raises(FatalError, match="fenced"):
        bench.fetch(die)


QUIET_S = 10.0
AGAIN_S = 1.0


@pytest.fixture
def other(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> ScriptedConsumer:
    """The client that is asked beside the source's own."""
    made = ScriptedConsumer()
    monkeypatch.setattr("stream_app.adapters.kafka.pulse.new_client", lambda *_: made)
    return made


def test_a_client_that_gets_no_answers_where_another_does_is_given_up(
    bench: Bench, other: ScriptedConsumer
) -> None:
    bench.consumer.deaf = True
    due = []
    for wait_s in (QUIET_S - 1, 1, AGAIN_S):
        bench.clock.time_s += wait_s
        bench.fetch()
        due.append(bench.source.needs_renewal)
    assert due == [False, False, True]
    assert other.closed
    bench.source.renew()
    bench.clock.time_s += QUIET_S
    bench.fetch()
    assert not bench.source.needs_renewal


def test_a_client_is_kept_while_nobody_is_answered(bench: Bench, other: ScriptedConsumer) -> None:
    bench.consumer.deaf = other.deaf = True
    for _ in range(5):
        bench.clock.time_s += QUIET_S
        bench.fetch()
    assert not bench.source.needs_renewal


def test_one_answer_that_is_missing_is_forgotten_once_something_comes(
    bench: Bench, other: ScriptedConsumer
) -> None:
    del other
    bench.consumer.deaf = True
    for _ in range(3):
        bench.clock.time_s += QUIET_S
        bench.fetch()
        bench.fetch(lambda: [Message(0, 7)])
    assert not bench.source.needs_renewal
