"""The live reader, seen to fail: each difference that it looks for is planted once."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from stream_app.adapters.kafka.pulse import Pulse
from stream_app.adapters.verifier.kafka import Ends
from stream_app.settings import Settings
from stream_app.verify import Isolation, Kind
from tests.fault.live_reader import LiveReader
from tests.fault.seen import Seen, differences
from tests.kafka_fixtures import MockKafka, RealKafka, unique
from tests.worker import car_loan_job, until

RECORDS = 6


def seen(*offsets: int) -> Seen:
    """Records at these places, with a content that belongs to the place."""
    made = Seen(Kind.PREDICTION)
    for offset in offsets:
        made.offsets.append(offset)
        made.prints.append(offset * 7)
        made.source_partition.append(0)
        made.source_offset.append(offset * 2)
    return made


def changed(made: Seen, row: int) -> Seen:
    made.prints[row] += 1
    return made


LOG = seen(0, 1, 2, 5, 6)
ENDS = Ends(begin=0, stable=8, end=8)


@pytest.mark.parametrize(
    ("live", "finding"),
    [
        (seen(0, 1, 2, 3, 5, 6), "1 read live and not there now"),
        (seen(0, 1, 2, 5), "1 there now and never read live"),
        (seen(0, 1, 2, 1, 5, 6), "1 read twice"),
        (seen(0, 2, 1, 5, 6), "1 read out of order"),
        (changed(seen(0, 1, 2, 5, 6), 3), "1 another content live than now: @5 (prediction"),
        (seen(), "5 there now and never read live: @0 (prediction of input[0]@0)"),
    ],
)
def test_a_planted_difference_is_found(live: Seen, finding: str) -> None:
    assert finding in "\n".join(differences(live, LOG, ENDS))


def test_what_came_since_and_what_retention_deleted_are_left_aside() -> None:
    assert differences(seen(0, 1, 2, 5, 6), LOG, ENDS) == []
    assert differences(seen(0, 1, 2, 5, 6, 9), LOG, ENDS) == []
    assert differences(seen(0, 1, 2, 5, 6), seen(2, 5, 6), Ends(2, 8, 8)) == []


class Held(LiveReader):
    """Reads only once it is let."""

    free = threading.Event()

    def _assign(self) -> None:
        self.free.wait(60)
        super()._assign()


class Outputs:
    """Writes a job's outputs in transactions."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.producer = Producer(
            {
                "bootstrap.servers": settings.kafka.bootstrap_servers,
                "transactional.id": unique("live"),
                "log_level": 0,
            }
        )
        self.producer.init_transactions(20)

    def transaction(self, *, commit: bool) -> None:
        self.producer.begin_transaction()
        for number in range(RECORDS):
            for topic in (self.settings.predictions_topic, self.settings.dlq_topic):
                self.producer.produce(topic, b"%d" % number, partition=number % 4)
        assert self.producer.flush(10) == 0
        if commit:
            self.producer.commit_transaction(20)
        else:
            self.producer.abort_transaction(20)


@pytest.fixture
def outputs(kafka: RealKafka, tmp_path: Path) -> Iterator[Outputs]:
    made = Outputs(car_loan_job(kafka, tmp_path).settings)
    yield made
    made.producer.purge()


def reaches(live: LiveReader, count: int) -> Callable[[], bool]:
    return lambda: live.count >= count


def test_commits_and_aborts_are_read_as_the_log_has_them(outputs: Outputs) -> None:
    with LiveReader(outputs.settings) as live:
        for commit in (True, False, True):
            outputs.transaction(commit=commit)
        until("two transactions are seen", reaches(live, 4 * RECORDS), 30)
        assert live.check(within_s=30) == []
        assert live.count == 4 * RECORDS


def test_a_reader_that_does_not_wait_for_commits_is_found(outputs: Outputs) -> None:
    with LiveReader(outputs.settings, isolation=Isolation.READ_UNCOMMITTED) as live:
        for commit in (True, False, True):
            outputs.transaction(commit=commit)
        until("all are seen", reaches(live, 6 * RECORDS), 30)
        problems = live.check(within_s=30)
    assert sum("read live and not there now" in line for line in problems) == 8, problems


def test_a_reader_that_saw_nothing_before_the_end_says_so(outputs: Outputs) -> None:
    with Held(outputs.settings) as live:
        outputs.transaction(commit=True)
        behind = live.check(within_s=1)
        assert len(behind) == 8
        assert all("not caught up within 1 s" in line for line in behind)
        live.free.set()
        assert live.check(within_s=30) == [
            "live reader: it had seen nothing when the faults were over"
        ]


class Deaf(LiveReader):
    """Its first client forgets all brokers after some records."""

    renewed = 0

    def _take(self, message: Any) -> None:
        super()._take(message)
        if not self.renewed and self.count == RECORDS:
            self._pulse._missed = 2

    def _renew(self) -> None:
        self.renewed += 1
        super()._renew()


def test_a_reader_whose_client_is_given_up_reads_on_where_it_was(
    outputs: Outputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Records are answers: those of the fetch that brought the last one must not undo it.
    monkeypatch.setattr(Pulse, "heard", lambda _: None)
    with Deaf(outputs.settings) as live:
        for _ in range(3):
            outputs.transaction(commit=True)
        until("it has a new client", lambda: live.renewed > 0, 30)
        live._pulse._missed = 0
        assert live.check(within_s=30) == []
        assert live.count == 6 * RECORDS


class Broken(LiveReader):
    """Ends with its first look."""

    def _assign(self) -> None:
        raise RuntimeError("no partitions for you")


def test_a_reader_that_broke_says_why(mock_kafka: MockKafka, tmp_path: Path) -> None:
    with Broken(car_loan_job(mock_kafka, tmp_path).settings) as live:
        until("its thread ends", lambda: not live._thread.is_alive(), 30)
        assert live.check(within_s=1)[0] == (
            "live reader: ended by RuntimeError: no partitions for you"
        )


def test_a_reader_that_has_ended_says_so(outputs: Outputs) -> None:
    with LiveReader(outputs.settings) as live:
        outputs.transaction(commit=True)
    assert "does not run" in live.check(within_s=1)[0]
