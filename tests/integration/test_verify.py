"""The verifier on a real broker: faults planted in real logs, with real transactions."""

import io
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import fastavro
import httpx
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from stream_app.adapters.verifier.reader import verify
from stream_app.adapters.verifier.records import PredictionReader, UnreadableError
from stream_app.errors import UnavailableError
from stream_app.settings import Settings, load_settings
from stream_app.verify import Isolation, Report
from tests.kafka_fixtures import KafkaForTests, MockKafka, RealKafka, unique

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "schemas" / "prediction.avsc").read_text(encoding="utf-8")
)
PARTITIONS = 4
EVENTS = 40
BAD = {7, 23}
"""Events that became dead letters."""


def framed(topic: str, partition: int, offset: int) -> bytes:
    """A prediction in single-object encoding."""
    canonical = fastavro.schema.to_parsing_canonical_form(SCHEMA)
    prefix = b"\xc3\x01" + bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))
    record = {
        "event_id": f"{partition}-{offset}",
        "model_name": "m",
        "model_version": "1",
        "model_hash": "0" * 12,
        "source_topic": topic,
        "source_partition": partition,
        "source_offset": offset,
        "scores": [0.25, 0.75],
    }
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(SCHEMA), record)
    return prefix + body.getvalue()


@dataclass(frozen=True)
class Run:
    """Topics that a scorer could have left behind, written by hand."""

    settings: Settings
    producer: Producer
    transactional: bool

    @property
    def topic(self) -> str:
        return self.settings.input.topic

    def answer(self, partition: int, offset: int) -> None:
        """Write the outcome of one event into the open transaction."""
        if offset in BAD:
            headers = {"topic": self.topic, "partition": partition, "offset": offset}
            self.producer.produce(
                self.settings.dlq_topic,
                b"?",
                partition=partition,
                headers=[(f"err.{k}", str(v).encode()) for k, v in headers.items()]
                + [("err.code", b"TOO_SHORT")],
            )
        else:
            self.producer.produce(
                self.settings.predictions_topic,
                framed(self.topic, partition, offset),
                partition=partition,
            )

    def answer_all(self, leave_out: tuple[int, int] | None = None) -> None:
        for partition in range(PARTITIONS):
            for offset in range(EVENTS):
                if (partition, offset) != leave_out:
                    self.answer(partition, offset)

    def commit(self, next_offset: int = EVENTS) -> None:
        """Commit the offsets of all partitions."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.settings.kafka.bootstrap_servers,
                "group.id": self.settings.kafka.group,
                "enable.auto.commit": False,
            }
        )
        positions = [TopicPartition(self.topic, p, next_offset) for p in range(PARTITIONS)]
        try:
            consumer.commit(offsets=positions, asynchronous=False)
        finally:
            consumer.close()

    def transaction(self, write: Callable[[], None], *, commit: bool = True) -> None:
        if not self.transactional:
            write()
            assert self.producer.flush(10) == 0
            return
        self.producer.begin_transaction()
        write()
        assert self.producer.flush(10) == 0
        if commit:
            self.producer.commit_transaction(10)
        else:
            self.producer.abort_transaction(10)

    def verdict(self, **options: object) -> Report:
        return verify(self.settings, **options)  # type: ignore[arg-type]  # options by name


def started(kafka: KafkaForTests, *, transactional: bool = True) -> Run:
    """An input of EVENTS records a partition, and nothing written yet."""
    topic = kafka.topic("verify")
    settings = load_settings(
        overrides={
            "kafka.bootstrap_servers": kafka.bootstrap_servers,
            "kafka.group": unique("verify"),
            "input.topic": topic,
            "input.framing": "single-object",
            "output.predictions_topic": kafka.topic("verify-predictions"),
            "output.dlq_topic": kafka.topic("verify-dlq"),
            "delivery": "exactly_once" if transactional else "at_least_once",
        }
    )
    properties: dict[str, str | int] = {
        "bootstrap.servers": kafka.bootstrap_servers,
        "log_level": 0,
    }
    feeder = Producer(properties)
    for partition in range(PARTITIONS):
        for offset in range(EVENTS):
            feeder.produce(topic, b"event %d" % offset, partition=partition)
    assert feeder.flush(10) == 0
    if transactional:
        properties |= {"transactional.id": unique("verify"), "transaction.timeout.ms": 60_000}
    producer = Producer(properties)
    if transactional:
        producer.init_transactions(20)
    return Run(settings, producer, transactional)


@pytest.fixture
def run(kafka: RealKafka) -> Iterator[Run]:
    run = started(kafka)
    yield run
    run.producer.purge()


def found(report: Report) -> dict[str, int]:
    return {name: finding.count for name, finding in report.findings.items() if finding.count}


def test_a_good_run_is_ok_however_its_transactions_were_cut(run: Run) -> None:
    for offset in range(EVENTS):
        if offset % 16 == 0:
            run.producer.begin_transaction()
        for partition in range(PARTITIONS):
            run.answer(partition, offset)
        if offset % 16 == 15 or offset == EVENTS - 1:
            run.producer.commit_transaction(10)
    run.commit()
    told: list[tuple[str, int, int]] = []
    report = run.verdict(progress=lambda *told_now: told.append(told_now))
    assert found(report) == {}
    assert report.ok
    assert report.events == PARTITIONS * EVENTS
    assert report.predictions == PARTITIONS * (EVENTS - len(BAD))
    assert report.dead_letters == {"TOO_SHORT": PARTITIONS * len(BAD)}
    assert {topic for topic, _, _ in told} == {
        run.topic,
        run.settings.predictions_topic,
        run.settings.dlq_topic,
    }
    assert all(done == total for _, done, total in {t: (t, d, n) for t, d, n in told}.values())


def test_a_planted_loss_is_found(run: Run) -> None:
    run.transaction(lambda: run.answer_all(leave_out=(2, 11)))
    run.commit()
    report = run.verdict()
    assert found(report) == {"lost": 1}
    assert report.lost.first == ("input[2]@11",)


def test_a_planted_repeat_is_found(run: Run) -> None:
    run.transaction(run.answer_all)
    run.transaction(lambda: run.answer(1, 23))
    run.commit()
    report = run.verdict()
    assert found(report) == {"duplicated": 1}
    assert report.duplicated.first == ("input[1]@23",)


def test_an_aborted_outcome_does_not_count_unless_read_uncommitted(run: Run) -> None:
    run.transaction(lambda: run.answer(1, 0), commit=False)
    run.transaction(run.answer_all)
    run.commit()
    assert found(run.verdict()) == {}
    wrongly = run.verdict(isolation=Isolation.READ_UNCOMMITTED)
    assert found(wrongly) == {"duplicated": 1}
    assert any("uncommitted" in note for note in wrongly.notes)


def test_an_outcome_that_was_only_aborted_is_lost(run: Run) -> None:
    run.transaction(lambda: run.answer_all(leave_out=(3, 3)))
    run.transaction(lambda: run.answer(3, 3), commit=False)
    run.commit()
    assert found(run.verdict()) == {"lost": 1}


def test_a_transaction_that_nobody_ends_is_found(run: Run) -> None:
    run.transaction(run.answer_all)
    run.commit()
    run.producer.begin_transaction()
    run.answer(0, 0)
    assert run.producer.flush(10) == 0
    report = run.verdict()
    assert found(report) == {"hanging": 1}
    assert report.hanging.first[0].startswith(f"{run.settings.predictions_topic}[0]: open from")
    run.producer.abort_transaction(10)
    assert run.verdict().ok


def test_a_transaction_that_ends_in_time_is_waited_for(run: Run) -> None:
    run.producer.begin_transaction()
    run.answer_all()
    assert run.producer.flush(10) == 0
    run.commit()
    finish = threading.Timer(1.0, run.producer.commit_transaction, args=(10,))
    finish.start()
    report = run.verdict(wait_s=20.0)
    finish.join()
    assert report.ok


def test_outcomes_ahead_of_the_committed_offsets_are_torn(run: Run) -> None:
    run.transaction(run.answer_all)
    run.commit(EVENTS - 1)
    report = run.verdict()
    assert found(report) == {"torn": PARTITIONS}
    assert report.uncommitted == PARTITIONS
    assert run.verdict(committed=False).ok


def test_an_unreadable_outcome_is_foreign_and_the_report_says_why(run: Run) -> None:
    run.transaction(run.answer_all)
    run.transaction(
        lambda: run.producer.produce(run.settings.predictions_topic, b"noise", partition=0)
    )
    run.commit()
    report = run.verdict()
    assert found(report) == {"foreign": 1}
    assert any("framing" in note for note in report.notes)


def test_content_is_compared_where_something_is_expected(run: Run) -> None:
    run.transaction(run.answer_all)
    run.commit()

    def expected(prediction: Mapping[str, object]) -> str | None:
        return "another id" if prediction["event_id"] == "3-17" else None

    report = run.verdict(expected=expected)
    assert found(report) == {"wrong_content": 1}
    assert report.wrong_content.first[0].endswith("another id")


def test_verifying_commits_nothing_and_joins_no_group(run: Run) -> None:
    run.transaction(run.answer_all)
    assert run.verdict().uncommitted == PARTITIONS * EVENTS
    again = run.verdict()
    assert again.uncommitted == PARTITIONS * EVENTS


def test_a_missing_topic_is_named_with_the_remedy(run: Run) -> None:
    output = run.settings.output.model_copy(update={"dlq_topic": "not-there"})
    settings = run.settings.model_copy(update={"output": output})
    with pytest.raises(UnavailableError, match=r"'not-there' does not exist.*topics create"):
        replace(run, settings=settings).verdict()


def test_the_mock_is_judged_for_at_least_once_and_the_limits_are_told(
    mock_kafka: MockKafka,
) -> None:
    run = started(mock_kafka, transactional=False)
    run.transaction(run.answer_all)
    run.transaction(lambda: run.answer(0, 0))
    run.commit()
    report = run.verdict(isolation=Isolation.READ_UNCOMMITTED)
    assert report.ok
    assert found(report) == {"duplicated": 1}
    assert len(report.notes) == 2
    run.transaction(lambda: run.producer.produce(run.topic, b"unanswered", partition=0))
    assert run.verdict(isolation=Isolation.READ_UNCOMMITTED).uncommitted == 1


def test_predictions_in_confluent_framing_are_read_with_the_registrys_schema(
    registry_url: str,
) -> None:
    answer = httpx.post(
        f"{registry_url}/subjects/{unique('verify')}-value/versions",
        json={"schema": json.dumps(SCHEMA)},
        headers={"Content-Type": "application/vnd.schemaregistry.v1+json"},
    )
    number = answer.raise_for_status().json()["id"]
    reader = PredictionReader(load_settings(overrides={"registry.url": registry_url}))
    bare = framed("loans", 3, 2**40)[10:]
    source, record = reader.read(b"\0" + number.to_bytes(4, "big") + bare)
    assert source == ("loans", 3, 2**40)
    assert record["scores"] == [0.25, 0.75]
    with pytest.raises(UnreadableError, match="no schema with id 4095"):
        reader.read(b"\0" + (4095).to_bytes(4, "big") + bare)
    with pytest.raises(UnreadableError, match="left over"):
        reader.read(b"\0" + number.to_bytes(4, "big") + bare + b"!")
