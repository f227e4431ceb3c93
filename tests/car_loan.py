"""Car-loan events for tests: good ones, broken ones, and what must become of each.

Decides what is sent to which position and computes the answers apart from the product: fastavro
for the bytes, ONNX Runtime called directly for the scores, the model's input written out by hand.
"""

import io
import json
import math
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import fastavro
import numpy as np
import onnxruntime
from confluent_kafka import Producer

from stream_app.adapters.verifier.reader import verify
from stream_app.verify import Report
from tests.worker import Job, until

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "car_loan"
PARTITIONS = 4
TOLERANCE = 1e-6
CAUGHT_UP_S = 60.0

SALARIES = ["0 - 20K €", "20K - 40K €", "40K - 60K €", "60K+ €"]
DOWNPAYMENTS = ["0%", "10%", "20%", "30%", "40%"]

Event = dict[str, Any]


@cache
def _schema(name: str) -> tuple[Any, bytes]:
    """A parsed schema and the ten bytes that go before its values."""
    schema = json.loads((ROOT / "schemas" / f"{name}.avsc").read_text(encoding="utf-8"))
    canonical = fastavro.schema.to_parsing_canonical_form(schema)
    fingerprint = bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))
    return fastavro.parse_schema(schema), b"\xc3\x01" + fingerprint


@cache
def stream() -> tuple[Event, ...]:
    """The example's events."""
    with (EXAMPLE / "stream.avro").open("rb") as file:
        return tuple(fastavro.reader(file))


def event(number: int) -> Event:
    """The event with this number: the example's, over and over, each with an id of its own."""
    rows = stream()
    return {**rows[number % len(rows)], "application_id": f"test-{number:07d}"}


def encoded(event: Event) -> bytes:
    schema, prefix = _schema("event")
    body = io.BytesIO()
    body.write(prefix)
    fastavro.schemaless_writer(body, schema, event)
    return body.getvalue()


def _id_replaced(value: bytes, by: bytes) -> bytes:
    """The id is the first field: behind ten bytes of framing, its length in one byte."""
    return value[:10] + by + value[11 + value[10] // 2 :]


BROKEN: dict[str, tuple[str, Callable[[Event], bytes | None]]] = {
    "tombstone": ("TOMBSTONE", lambda _: None),
    "framing only": ("TOO_SHORT", lambda e: encoded(e)[:10]),
    "another framing": ("BAD_MAGIC", lambda e: b"\x00\x7f\xff\xff\xff" + encoded(e)[10:]),
    "a schema nobody knows": ("UNKNOWN_SCHEMA", lambda e: b"\xc3\x01" + 8 * b"?" + encoded(e)[10:]),
    "another record type": (
        "SCHEMA_NOT_ALLOWED",
        lambda e: _schema("prediction")[1] + encoded(e)[10:],
    ),
    "cut off": ("DECODE_ERROR", lambda e: encoded(e)[:-3]),
    "no UTF-8": ("DECODE_ERROR", lambda e: _id_replaced(encoded(e), b"\x04\xff\xfe")),
    "bytes left over": ("TRAILING_BYTES", lambda e: encoded(e) + b"\x00"),
    "a number of twenty bytes": (
        "OUT_OF_RANGE",
        lambda e: _id_replaced(encoded(e), 19 * b"\x80" + b"\x00"),
    ),
    "an infinite feature": ("NON_FINITE", lambda e: encoded({**e, "car_value": math.inf})),
    "no id": ("MISSING_ID", lambda e: encoded({**e, "application_id": ""})),
}
"""Ways to break an event, and the fault code that each must be given."""


def features(event: Event) -> list[float]:
    """The model's input, as its contract describes it."""

    def code(value: str, known: list[str]) -> int:
        return known.index(value) if value in known else len(known)

    def or_nan(value: float | None) -> float:
        return math.nan if value is None else value

    return [
        event["car_value"],
        code(event["salary_range"], SALARIES),
        or_nan(event["debt_to_income_ratio"]),
        event["loan_length"],
        float(event["repaid_loan_on_prev_car"]),
        code(event["size_of_downpayment"], DOWNPAYMENTS),
        or_nan(event["driver_tenure"]),
    ]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a good event's prediction must say."""

    event_id: str
    event_time: datetime
    label: int
    scores: tuple[float, ...]


def answers(events: Iterable[Event]) -> list[Answer]:
    """What ONNX Runtime says of each, asked directly and all at once."""
    asked = list(events)
    session = onnxruntime.InferenceSession(
        EXAMPLE / "models" / "car_loan" / "1" / "model.onnx", providers=["CPUExecutionProvider"]
    )
    matrix = np.array([features(event) for event in asked], dtype=np.float32)
    labels, scores = session.run(["label", "probabilities"], {"features": matrix})
    return [
        Answer(event["application_id"], event["timestamp"], label, tuple(row))
        for event, label, row in zip(asked, labels.tolist(), scores.tolist(), strict=True)
    ]


def difference(prediction: Mapping[str, Any], answer: Answer) -> str | None:
    """What a decoded prediction says otherwise, or ``None``."""
    if prediction["event_id"] != answer.event_id:
        return f"event_id {prediction['event_id']}, not {answer.event_id}"
    if prediction["event_time"] != answer.event_time:
        return "another event_time"
    if prediction["label"] != answer.label:
        return f"label {prediction['label']}, not {answer.label}"
    far = [abs(a - b) for a, b in zip(prediction["scores"], answer.scores, strict=True)]
    return None if max(far) <= TOLERANCE else f"scores differ by {max(far):.2g}"


@dataclass
class Feed:
    """Events sent to a job's input, and what must come out.

    Attributes:
        job: Whose input.
        share_broken: This share of them is broken, each way as often as the others.
        seed: Of the choice.
        broken: The ways, as :data:`BROKEN`; each is given its event and makes the value.
        write: Makes the value of a good event.
        partitions: Events go to these, by chance.
        make: Gives the event with a number.
    """

    job: Job
    share_broken: float = 0.01
    seed: int = 1
    broken: Mapping[str, tuple[str, Callable[[Event], bytes | None]]] = field(
        default_factory=lambda: BROKEN
    )
    write: Callable[[Event], bytes] = encoded
    partitions: int = PARTITIONS
    make: Callable[[int], Event] = field(default_factory=lambda: event)
    codes: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    _good: dict[tuple[int, int], Event] = field(default_factory=dict)
    _answers: dict[tuple[int, int], Answer] = field(default_factory=dict)
    _ends: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)
        self._turn = 0
        self._producer = Producer(
            {
                "bootstrap.servers": self.job.overrides["kafka.bootstrap_servers"],
                "enable.idempotence": True,
                "linger.ms": 20,
                "log_level": 0,
            }
        )

    def send(self, count: int) -> None:
        """Send ``count`` more and return when the broker has them all."""
        for _ in range(count):
            self._send_one()
        self._flush()

    def send_slowly(self, count: int, per_second: float, stop: threading.Event) -> None:
        """Send ``count`` more at this rate; ends early when told to."""
        begin_s, first = time.monotonic(), self.sent
        while self.sent - first < count and not stop.is_set():
            due = min(count, int((time.monotonic() - begin_s) * per_second) + 1)
            for _ in range(due - (self.sent - first)):
                self._send_one()
            self._producer.poll(0)
            stop.wait(0.02)
        self._flush()

    def widen(self, partitions: int) -> None:
        """Send to so many partitions from now on; the topic has them."""
        topic = self.job.overrides["input.topic"]

        def known() -> bool:
            return len(self._producer.list_topics(topic, timeout=10).topics[topic].partitions) >= (
                partitions
            )

        until("the producer knows the new partitions", known, 60)
        self.partitions = partitions

    @property
    def good(self) -> Mapping[tuple[int, int], Event]:
        """The events that are not broken, by partition and offset."""
        return self._good

    @property
    def ends(self) -> dict[int, int]:
        """By partition, the offset behind the last event handed over."""
        return dict(self._ends)

    def expected(self, prediction: Mapping[str, Any]) -> str | None:
        """What is wrong with a decoded prediction, or ``None``."""
        if not self._answers:
            found = zip(self._good, answers(self._good.values()), strict=True)
            self._answers.update(found)
        answer = self._answers.get((prediction["source_partition"], prediction["source_offset"]))
        if answer is None:
            return "a prediction for an event that was broken"
        return difference(prediction, answer)

    def _send_one(self) -> None:
        number, self.sent = self.sent, self.sent + 1
        made = self.make(number)
        partition = self._chance.randrange(self.partitions)
        good: Event | None = None
        value: bytes | None
        if self._chance.random() < self.share_broken:
            code, broken = list(self.broken.values())[self._turn % len(self.broken)]
            self._turn += 1
            self.codes[code] += 1
            value = broken(made)
        else:
            good, value = made, self.write(made)
        timestamp_ms = int(made["timestamp"].timestamp() * 1000)
        self._hand_over(value, b"key-%d" % number, partition, timestamp_ms, good)

    def _hand_over(
        self, value: bytes | None, key: bytes, partition: int, timestamp_ms: int, good: Event | None
    ) -> None:
        """Send it; its offset is the next one, for nobody else writes here."""
        if good is not None:
            self._good[partition, self._ends[partition]] = good
        self._ends[partition] += 1
        self._produce(value, key, partition=partition, timestamp=timestamp_ms)

    def _produce(self, value: bytes | None, key: bytes, **options: Any) -> None:
        topic = self.job.overrides["input.topic"]
        while True:
            try:
                self._producer.produce(topic, value, key, **options)
                return
            except BufferError:
                self._producer.poll(0.1)

    def _flush(self) -> None:
        left = self._producer.flush(60)
        assert left == 0, f"{left} events were not sent"


def verdict(feed: Feed) -> Report:
    """Judged once the group has committed everything, the content of predictions included."""
    report = verify(feed.job.settings, wait_s=CAUGHT_UP_S, expected=feed.expected)
    assert report.events == feed.sent, report.to_json()
    return report


def assert_exactly_once(feed: Feed) -> None:
    """Everything sent came out once: as the prediction, or the dead letter, that it had to be."""
    report = verdict(feed)
    assert report.ok, report.to_json()
    assert report.notes == ()
    assert report.dead_letters == dict(feed.codes)
    assert report.predictions == feed.sent - feed.codes.total()
