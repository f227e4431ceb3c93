"""Partials on a real Kafka, as a group of scorers would have written them; and what came of them.

Decides what a test of the aggregator sends, in transactions of which some are aborted, and when
all windows are as they were counted here.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from confluent_kafka import Producer

from stream_app.adapters.drift.partial_codec import encode_partial
from stream_app.adapters.drift.reference_file import read_reference
from stream_app.adapters.kafka.admin import KafkaAdmin
from stream_app.adapters.kafka.reader import read_records
from stream_app.adapters.kafka.topic_plan import PlanOptions, plan_topics
from stream_app.adapters.kafka.topics import create_topics
from stream_app.adapters.verifier.kafka import VerifyKafka
from stream_app.core.drift.layout import Layout
from stream_app.core.drift.partial import Partial, Stream
from stream_app.core.drift.window_hash import window_hashes
from tests.aggregate_kit import Events, at_random, counted_at_once, idle, make_events
from tests.job import ROOT, Job, car_loan_job
from tests.kafka_fixtures import KafkaForTests, unique
from tests.window_records import read_window
from tests.worker import until

INPUTS = 2
WINDOW_MS = 60_000
ROLES = ("primary", "canary", "shadow", "other", "fifth", "sixth")
"""Streams apart, in several partitions of partials."""

Place = tuple[str, int, int]
"""Role, length and start of a window."""


def aggregator_job(
    kafka: KafkaForTests, folder: Path, inputs: int = INPUTS, **overrides: str
) -> Job:
    """A job with all its topics, made as ``stream-app topics create`` does."""
    # Of few partials many transactions.
    small = {"batch__max_records": "8", "batch__transaction_records": "16"}
    job = car_loan_job(
        kafka,
        folder,
        create_topics=False,
        drift__partials_topic="",
        drift__allowed_lateness_s="10",
        **small | overrides,
    )
    plans = plan_topics(job.settings, PlanOptions(inputs, retention_ms=-1, with_input=True))
    create_topics(KafkaAdmin(job.settings.kafka), plans)
    return job


@dataclass
class PartialsFeed:
    """Of several streams, each of some input partitions.

    Attributes:
        job: Where they go.
        events: By role, what was counted.
        log: What is not sent yet, in order.
    """

    job: Job
    events: dict[str, Events] = field(default_factory=dict)
    log: list[Partial] = field(default_factory=list)

    @classmethod
    def of(cls, job: Job, seed: int, count: int, span_ms: int = 20 * WINDOW_MS) -> "PartialsFeed":
        """So many events in each stream, which fall idle in the end."""
        path = ROOT / "examples" / "car_loan" / "models" / "car_loan" / "1" / "reference.avro"
        stored = read_reference(path)
        layout, feed = Layout(stored.reference), cls(job)
        logs = []
        for at, role in enumerate(ROLES):
            stream = Stream("car_loan", "1", role, stored.id, WINDOW_MS)
            of_stream = make_events(seed + at, count, INPUTS, span_ms, layout=layout, stream=stream)
            ends = {p: len(of_stream.of(p)) for p in range(INPUTS)}
            logs.append([*at_random(of_stream, seed, INPUTS), idle(ends, stream)])
            feed.events[role] = of_stream
        feed.log = list(_shuffled_together(logs, seed))
        return feed

    def send(self, count: int | None = None, *, abort_every: int = 0) -> None:
        """Send the next partials, each in a transaction; some twice, the first time aborted."""
        settings = self.job.settings
        producer = Producer(
            {
                "bootstrap.servers": settings.kafka.bootstrap_servers,
                "transactional.id": unique("scorer"),
                "partitioner": "murmur2_random",
                "linger.ms": 0,
                "retry.backoff.ms": 5,
            }
        )
        producer.init_transactions(30)
        part = len(self.log) if count is None else count
        sent, self.log = self.log[:part], self.log[part:]
        for number, partial in enumerate(sent):
            fates = ["commit"]
            if abort_every and number % abort_every == 0:
                fates.insert(0, "abort")
            for fate in fates:
                producer.begin_transaction()
                producer.produce(
                    settings.partials_topic,
                    key=partial.stream.to_key().encode(),
                    value=encode_partial(partial),
                )
                if fate == "commit":
                    producer.commit_transaction(30)
                else:
                    producer.flush(10)
                    producer.abort_transaction(30)

    def expected(self) -> dict[Place, str]:
        """The input hash of each window of all that is in the log, sent or not."""
        found = {}
        for role, events in self.events.items():
            for start, whole in counted_at_once(events).items():
                hashes = window_hashes(
                    events.layout, whole.state, start, WINDOW_MS, whole.rows, whole.letters
                )
                found[role, WINDOW_MS, start] = hashes.inputs
        return found

    def told(self) -> dict[Place, dict[str, Any]]:
        """The newest revision of every window; each revision must be there, and once."""
        found: dict[Place, dict[str, Any]] = {}
        for window in self._windows():
            place = window["role"], window["length_ms"], window["start_ms"]
            before = found[place]["revision"] if place in found else 0
            assert window["revision"] == before + 1, f"{place}: {window['revision']} after {before}"
            found[place] = window
        return found

    def wait_all_told(self, within_s: float = 90.0) -> dict[Place, dict[str, Any]]:
        """Return when every window has the hash of what was counted here."""
        expected = self.expected()

        def look() -> dict[Place, dict[str, Any]] | None:
            told = self.told()
            hashes = {p: w["input_hash"] for p, w in told.items() if p[1] == WINDOW_MS}
            return told if hashes == expected else None

        return until("all windows are told of as they were counted", look, within_s)

    def _windows(self) -> Iterator[dict[str, Any]]:
        settings = self.job.settings
        kafka = VerifyKafka(settings.kafka, read_committed=True)
        try:
            ends = kafka.ends(settings.windows_topic, kafka.partitions(settings.windows_topic))
        finally:
            kafka.close()
        stable = {partition: end.stable for partition, end in ends.items()}
        starts = dict.fromkeys(stable, 0)
        for record in read_records(settings.kafka, settings.windows_topic, starts, stable):
            yield read_window(record.value)


def _shuffled_together(logs: list[list[Partial]], seed: int) -> Iterator[Partial]:
    """All of them, each stream in its order."""
    rng = np.random.default_rng(seed)
    left = [list(reversed(log)) for log in logs]
    while any(left):
        at = int(rng.integers(0, len(left)))
        if left[at]:
            yield left[at].pop()


def moved(partial: Partial, reference_id: str) -> Partial:
    """The same of another reference."""
    return replace(partial, stream=replace(partial.stream, reference_id=reference_id))
