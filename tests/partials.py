"""The partials topic, read and summed apart from the product: fastavro, and the schema's own words.

Decides how a test learns what scorers told of drift. Only committed records count.
"""

import io
import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import fastavro
import numpy as np
from confluent_kafka import Consumer, TopicPartition

from stream_app.adapters.drift.reference_file import StoredReference, read_reference
from tests.car_loan import EXAMPLE, ROOT, Event, features
from tests.worker import Job

SCHEMA = fastavro.parse_schema(json.loads((ROOT / "schemas" / "drift_partial.avsc").read_text()))
_FRAMING_BYTES = 10


@dataclass
class Sums:
    """What all partials say together.

    Attributes:
        rows: By window start, predictions.
        letters: By fault code, in windows or in none.
        states: By window start, then place in the state, the sum.
        coverage: By input partition, the ranges in the order of their records.
        without_time: Predictions in no window.
    """

    rows: Counter[int] = field(default_factory=Counter)
    letters: Counter[int] = field(default_factory=Counter)
    states: dict[int, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    coverage: dict[int, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    without_time: int = 0


def read_partials(job: Job) -> list[dict[str, Any]]:
    """All committed partials, decoded."""
    topic = job.settings.partials_topic
    consumer = Consumer(
        {
            "bootstrap.servers": job.overrides["kafka.bootstrap_servers"],
            "group.id": "nobody",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    try:
        numbers = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, 0) for number in numbers])
        found: list[dict[str, Any]] = []
        at_end: set[int] = set()
        while len(at_end) < len(numbers):
            message = consumer.poll(10)
            assert message is not None, "no end of the partials"
            if message.error() is not None:
                at_end.add(message.partition())
                continue
            body = io.BytesIO(message.value()[_FRAMING_BYTES:])
            found.append(dict(fastavro.schemaless_reader(body, SCHEMA, None)))
        return found
    finally:
        consumer.close()


def summed(partials: Iterable[dict[str, Any]]) -> Sums:
    """Their sums; rows that are written as rows are left out of ``states``."""
    sums = Sums()
    for partial in partials:
        sums.without_time += partial["rows_without_time"]
        if partial["part"] == 0:
            for each in partial["coverage"]:
                if not each["is_idle"]:
                    sums.coverage[each["partition"]].append((each["first"], each["last"]))
        for letters in (
            partial["letters_without_time"],
            *(w["letters"] for w in partial["windows"]),
        ):
            sums.letters.update({each["code"]: each["count"] for each in letters})
        for window in partial["windows"]:
            sums.rows[window["start_ms"]] += window["rows"]
            if window["form"] == 0:
                sums.states[window["start_ms"]].update(_sparse(window["counts"]))
            else:
                sums.states[window["start_ms"]].update(_cells(window["counts"], window["rows"]))
    return sums


def expected_rows(events: Iterable[Event], window_ms: int) -> Counter[int]:
    """By window start, how many events."""
    return Counter(_start(event["timestamp"], window_ms) for event in events)


def expected_bins(events: Iterable[Event], window_ms: int) -> dict[int, list[Counter[int]]]:
    """By window start, for each feature of the contract, its rows by bin; null is -1."""
    columns = reference().reference.columns[:7]
    found: dict[int, list[Counter[int]]] = defaultdict(lambda: [Counter() for _ in columns])
    for event in events:
        counters = found[_start(event["timestamp"], window_ms)]
        for column, counter, value in zip(columns, counters, features(event), strict=True):
            number = float(np.float32(value))
            if np.isnan(number):
                counter[-1] += 1
            elif column.kind == "numeric":
                counter[int(np.searchsorted(column.edges, number, side="left"))] += 1
            elif column.kind == "discrete":
                (place,) = np.flatnonzero(column.values == number)
                counter[int(place)] += 1
            else:
                counter[int(column.bin_of_code[int(number)])] += 1
    return dict(found)


def bins_of(state: Counter[int]) -> list[Counter[int]]:
    """A state's first seven columns in the same way, by what the layout's page says of places."""
    at, found = 1, []
    for column in reference().reference.columns[:7]:
        bins = len(column.counts)
        counter = Counter({place: state[at + place] for place in range(bins)})
        counter[-1] = state[at + bins]
        found.append(+counter)
        at += bins + 5 + (5 if column.kind == "numeric" else 0)
    return found


def reference() -> StoredReference:
    """The example's."""
    return read_reference(EXAMPLE / "models" / "car_loan" / "1" / "reference.avro")


def _start(time: datetime, window_ms: int) -> int:
    return int(time.timestamp() * 1000) // window_ms * window_ms


def _longs(data: bytes) -> list[int]:
    """All of Avro's longs in ``data``."""
    body, found = io.BytesIO(data), []
    while body.tell() < len(data):
        found.append(fastavro.schemaless_reader(body, "long", None))
    return found


def _sparse(data: bytes) -> Counter[int]:
    longs, at = _longs(data), -1
    counter: Counter[int] = Counter()
    for gap, amount in zip(longs[::2], longs[1::2], strict=True):
        at += gap
        counter[at] += amount
    return counter


def _cells(data: bytes, rows: int) -> Counter[int]:
    """Rows as counts of bins only: their sums are not made up."""
    numbers, counter = iter(_longs(data)), Counter({0: rows})
    for _ in range(rows):
        at = 1
        for column in reference().reference.columns:
            bins, place = len(column.counts), next(numbers) >> 1
            counter[at + place] += 1
            if column.kind == "numeric" and place < bins:
                next(numbers)
            at += bins + 5 + (5 if column.kind == "numeric" else 0)
        next(numbers)
    assert next(numbers, None) is None
    return counter
