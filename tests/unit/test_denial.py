"""Laws of a right that is missing: each is told until what needs it has been seen to work."""

import pytest
from confluent_kafka import KafkaException

from stream_app.errors import DeniedError, FatalError
from tests.scripted_consumer import DENIED, GROUP_DENIED, Bench, Message


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def test_partitions_do_not_prove_that_their_records_may_be_read(bench: Bench) -> None:
    bench.fetch(lambda: [Message(0, error=DENIED)])
    bench.fetch(bench.rebalancing(("assign", 2)))
    assert "Read on Topic" in bench.denied[-1], "the client says it once; nobody would say it again"
    bench.fetch(lambda: [Message(0, 1)])
    assert bench.denied[-1] == ""


def test_partitions_prove_that_the_group_has_us_and_records_alone_do_not(bench: Bench) -> None:
    bench.fetch(lambda: [Message(0, error=GROUP_DENIED)])
    bench.fetch(lambda: [Message(0, 1)])
    assert "Read on Group" in bench.denied[-1]
    bench.fetch(bench.rebalancing(("assign", 2)))
    assert bench.denied[-1] == ""


def test_records_and_a_silence_about_the_group_prove_that_it_is_there(bench: Bench) -> None:
    bench.fetch(lambda: [Message(0, error=GROUP_DENIED)])
    bench.clock.time_s += 11
    bench.fetch(lambda: [Message(0, 1)])
    assert bench.denied[-1] == ""


def test_an_answer_proves_what_its_question_needed_and_no_more(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, timeout: float) -> None:
        raise KafkaException(GROUP_DENIED)

    with monkeypatch.context() as refused:
        refused.setattr(bench.consumer, "committed", refuse)
        with pytest.raises(DeniedError):
            bench.source.rewind({0: 3})
    assert "Read on Group" in bench.denied[-1]
    bench.fetch(lambda: [Message(0, error=DENIED)])
    bench.source.rewind({0: 3})
    assert "Read on Group" not in bench.denied[-1]
    assert "Read on Topic" in bench.denied[-1]


def test_a_right_that_is_missed_again_and_again_ends_the_worker_all_the_same(
    bench: Bench,
) -> None:
    denied = Message(0, error=GROUP_DENIED)
    for _ in range(30):
        bench.fetch(lambda: [denied])
        bench.clock.time_s += 2
    with pytest.raises(FatalError, match=r"waited for worker\.denied_patience_s"):
        bench.fetch(lambda: [denied])
