"""Bad records that need a real broker: sizes, headers, keys, timestamps, and one transaction.

What brokers, clients and Avro make of bytes apart is in ``test_records.py``.
"""

from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition

from stream_app.adapters.verifier.reader import verify
from tests.car_loan import CAUGHT_UP_S, encoded, event
from tests.kafka_fixtures import RealKafka
from tests.worker import Job, Workers, car_loan_job, until

MAX_VALUE_BYTES = 50_000
GREATEST_RECORD_BYTES = 100_000
THOUSAND = tuple((f"h{number}", b"%d" % number) for number in range(1_000))
BINARY = bytes(range(256)) * 4

Headers = tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class Sent:
    """A record, and the code of its dead letter; ``""``: a prediction."""

    value: bytes | None
    code: str = ""
    key: bytes | None = b"key"
    headers: Headers = ()
    is_cut: bool = False


def _of_size(size_bytes: int) -> bytes:
    """An event whose value has exactly this size."""
    name = "application_id"
    short = len(encoded({**event(0), name: "x" * 10_000}))
    return encoded({**event(0), name: "x" * (10_000 + size_bytes - short)})


SENT = (
    Sent(encoded(event(1))),
    Sent(encoded(event(1))),  # the same id again: ids are the producer's affair
    Sent(None, "TOMBSTONE"),
    Sent(b"", "TOO_SHORT"),
    Sent(_of_size(MAX_VALUE_BYTES)),
    Sent(_of_size(MAX_VALUE_BYTES + 1), "TOO_LARGE"),
    Sent(_of_size(GREATEST_RECORD_BYTES), "TOO_LARGE", is_cut=True),
    Sent(encoded(event(2)), headers=THOUSAND),
    Sent(encoded(event(2))[:-1], "DECODE_ERROR", headers=THOUSAND),
    Sent(encoded(event(3)), key=BINARY),
    Sent(encoded(event(3)) + b"x", "TRAILING_BYTES", key=BINARY),
    Sent(encoded(event(4)), key=None),
    Sent(encoded(event(4))[:12], "DECODE_ERROR", key=None),
    Sent(encoded(event(5))[:12], "DECODE_ERROR", key=b"", headers=(("null", None), ("", b""))),
    Sent(b"\xff" * 20, "BAD_MAGIC", headers=(("err.code", b"OLD"), ("err.attempt", b"2"))),
    Sent(encoded(event(6))[:-1], "DECODE_ERROR", key=b"k" * 95_000, is_cut=True),
)
FIRST_TIMESTAMP_MS = 1_700_000_000_000


@dataclass(slots=True)
class Found:
    """A record of an output topic."""

    value: bytes | None
    key: bytes | None
    timestamp_ms: int
    offset: int
    headers: list[tuple[str, bytes | None]] = field(default_factory=list)

    @property
    def by_name(self) -> dict[str, str]:
        """The last header of each name, as text."""
        return {name: (content or b"").decode() for name, content in self.headers}


def send(job: Job) -> None:
    producer = Producer(
        {
            "bootstrap.servers": job.overrides["kafka.bootstrap_servers"],
            "enable.idempotence": True,
            "message.max.bytes": 2_000_000,
        }
    )
    for number, sent in enumerate(SENT):
        producer.produce(
            job.settings.input.topic,
            sent.value,
            sent.key,
            partition=0,
            timestamp=FIRST_TIMESTAMP_MS + number,
            headers=list(sent.headers),
        )
    assert producer.flush(30) == 0


def read(job: Job, topic: str, count: int) -> list[Found]:
    """The first committed records of partition 0."""
    consumer = Consumer(
        {
            "bootstrap.servers": job.overrides["kafka.bootstrap_servers"],
            "group.id": "reader",
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
        }
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    found: list[Found] = []

    def enough() -> bool:
        for m in consumer.consume(count, 0.2):
            headers = list(m.headers() or [])
            found.append(Found(m.value(), m.key(), m.timestamp()[1], m.offset(), headers))
        return len(found) >= count

    try:
        until(f"{count} records in {topic}", enough, 60)
    finally:
        consumer.close()
    return found


def test_every_record_has_its_outcome_with_its_own_bytes(kafka: RealKafka, tmp_path: Path) -> None:
    job = car_loan_job(
        kafka,
        tmp_path,
        input__max_value_bytes=str(MAX_VALUE_BYTES),
        output__max_record_bytes=str(GREATEST_RECORD_BYTES),
    )
    send(job)
    dead = [number for number, sent in enumerate(SENT) if sent.code]
    with Workers(job) as workers:
        worker = workers.start().wait_scoring()
        letters = read(job, job.settings.dlq_topic, len(dead))
        predictions = read(job, job.settings.predictions_topic, len(SENT) - len(dead))
        assert worker.stop() == 0
    assert [int(letter.by_name["err.offset"]) for letter in letters] == dead
    for number, letter in zip(dead, letters, strict=True):
        is_the_record(SENT[number], number, letter)
    alive = [number for number in range(len(SENT)) if number not in dead]
    for number, prediction in zip(alive, predictions, strict=True):
        assert prediction.key == SENT[number].key
        assert prediction.timestamp_ms == FIRST_TIMESTAMP_MS + number
    report = verify(job.settings, wait_s=CAUGHT_UP_S)
    assert report.ok, report.to_json()  # also: outcomes and offsets were committed together
    assert report.events == len(SENT)


def is_the_record(sent: Sent, number: int, letter: Found) -> None:
    """Key, value, headers and time as they came, and beside them why."""
    told = letter.by_name
    assert told["err.code"] == told["__connect.errors.exception.class.name"] == sent.code
    assert told["__connect.errors.offset"] == str(number)
    assert told["err.timestamp"] == str(FIRST_TIMESTAMP_MS + number)
    assert letter.timestamp_ms == FIRST_TIMESTAMP_MS + number
    assert ("err.truncated" in told) == sent.is_cut
    if sent.is_cut:
        value, key = sent.value or b"", sent.key or b""
        assert value.startswith(letter.value or b"")
        assert key.startswith(letter.key or b"")
        assert {"err.value_sha256", "err.key_sha256"} & told.keys()
        return
    assert letter.value == sent.value
    assert letter.key == sent.key
    others = [header for header in sent.headers if not header[0].startswith("err.")]
    assert letter.headers[: len(others)] == others
    attempt = dict(sent.headers).get("err.attempt") or b"0"
    assert told["err.attempt"] == str(int(attempt) + 1)
    assert sum(name == "err.code" for name, _ in letter.headers) == 1
