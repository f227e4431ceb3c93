"""Windows for the monitor, and what it should say of them, computed apart from it.

Decides how a test plants drift, how records come (in transactions, some of them aborted and full of
poison), and what a monitor that was never disturbed writes.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from confluent_kafka import Producer

from stream_app.adapters.drift.alert_codec import AlertCodec
from stream_app.adapters.drift.window_codec import WindowCodec
from stream_app.adapters.kafka.admin import KafkaAdmin
from stream_app.adapters.kafka.reader import SeenRecord, read_records
from stream_app.adapters.kafka.topic_plan import PlanOptions, plan_topics
from stream_app.adapters.kafka.topics import create_topics
from stream_app.adapters.verifier.kafka import VerifyKafka
from stream_app.core.drift.alerts import Alert
from stream_app.core.drift.partial import Stream
from stream_app.core.drift.score_window import RULES, window_scores
from stream_app.core.drift.series import Series
from stream_app.core.drift.watch_series import KeptWindow, WatchedSeries
from stream_app.core.drift.window_report import WindowReport
from tests.job import Job, car_loan_job
from tests.kafka_fixtures import KafkaForTests, unique
from tests.unit.drift.reports import STREAM, column, defect, report, statistic
from tests.worker import until

COMMAND = ("monitor",)
STREAMS = tuple(replace(STREAM, role=role) for role in ("primary", "canary", "shadow"))


def monitor_job(kafka: KafkaForTests, folder: Path, **overrides: str) -> Job:
    """A job with all its topics, made as ``stream-app topics create`` does."""
    job = car_loan_job(kafka, folder, create_topics=False, drift__partials_topic="", **overrides)
    plans = plan_topics(job.settings, PlanOptions(1, retention_ms=-1, with_input=True))
    create_topics(KafkaAdmin(job.settings.kafka), plans)
    return job


def planted(seed: int, count: int, streams: Iterable[Stream] = STREAMS) -> list[WindowReport]:
    """Windows of several streams, in the order in which they are told of.

    One column drifts for a while, one is loud now and then, one creeps; one has missing values for
    a while. Some windows are told of before they are final, some are revised.
    """
    rng = np.random.default_rng(seed)
    log = []
    for at in range(count):
        for stream in streams:
            found = _planted_window(rng, stream, at, count)
            if rng.random() < 0.1:
                log.append(_as(_planted_window(rng, stream, at, count), 1, is_final=False))
                found = _as(found, 2)
            log.append(found)
            if at > 2 and rng.random() < 0.2:
                back = at - int(rng.integers(0, 3))
                before = max(
                    r.head.revision
                    for r in log
                    if (r.head.stream, r.head.start_ms) == (stream, back * stream.window_ms)
                )
                log.append(_as(_planted_window(rng, stream, back, count), before + 1))
    return log


def _planted_window(rng: np.random.Generator, stream: Stream, at: int, count: int) -> WindowReport:
    drifting = count // 3 <= at < count // 2
    scores = {
        "steady": 0.8,
        "drifts": 2.5 if drifting else 0.7,
        "blinks": float(rng.choice([0.5, 0.9, 1.6], p=[0.5, 0.4, 0.1])),
    }
    creep = 0.06 + (0.02 if at > count // 2 else 0.0)
    columns = [
        column(
            name,
            [statistic(score * float(rng.uniform(0.9, 1.1)))],
            [defect("null", 0, 1_000, 10, 50_000)],
        )
        for name, score in scores.items()
    ]
    value = creep + 0.01 * float(rng.standard_normal())
    creeping = replace(statistic(0.9, noise=0.06, spread=0.01), value=value)
    missing = 120 if drifting else 4
    columns.append(column("creeps", [creeping], [defect("null", missing, 1_000, 200, 50_000)]))
    return report(*columns, at=at, stream=stream)


def _as(found: WindowReport, revision: int, *, is_final: bool = True) -> WindowReport:
    return replace(found, head=replace(found.head, revision=revision, is_final=is_final))


def expected_records(log: Iterable[WindowReport]) -> dict[str, Alert]:
    """By key, what a monitor that nobody disturbs writes; judged by the pure functions alone."""
    series: dict[str, WatchedSeries] = {}
    found: dict[str, Alert] = {}
    for each in log:
        name = Series(each.head.stream, each.head.length_ms).name
        one = series.setdefault(name, WatchedSeries(name, 10_000))
        scores = {rule: window_scores(each, rule) for rule in RULES}
        head = each.head
        one.take(KeptWindow(head.start_ms, head.revision, head.is_final, 0, scores))
        for alert in one.due():
            one.wrote(alert)
            assert alert.key not in found
            found[alert.key] = alert
    return found


@dataclass
class WindowFeed:
    """A log of windows, sent piece by piece.

    Attributes:
        job: Whose topics.
        log: What is not sent yet.
        sent: What is.
        poison: In transactions that were aborted.
    """

    job: Job
    log: list[WindowReport]
    sent: list[WindowReport] = field(default_factory=list)
    poison: int = 0

    def send(self, count: int | None = None, *, abort_every: int = 5) -> None:
        """Send the next windows, some a transaction; between them such as were never committed."""
        settings = self.job.settings
        producer = Producer(
            {
                "bootstrap.servers": settings.kafka.bootstrap_servers,
                "transactional.id": unique("aggregator"),
                "partitioner": "murmur2_random",
                "linger.ms": 0,
                "retry.backoff.ms": 5,
            }
        )
        producer.init_transactions(30)
        part = len(self.log) if count is None else count
        sending, self.log = self.log[:part], self.log[part:]
        for number, each in enumerate(sending):
            if abort_every and number % abort_every == 0:
                producer.begin_transaction()
                self._produce(producer, _poisoned(each))
                producer.flush(10)
                producer.abort_transaction(30)
                self.poison += 1
            producer.begin_transaction()
            self._produce(producer, each)
            producer.commit_transaction(30)
        self.sent += sending

    def alerts(self) -> list[SeenRecord]:
        """All records of the alerts topic."""
        settings = self.job.settings
        kafka = VerifyKafka(settings.kafka, read_committed=True)
        try:
            ends = kafka.ends(settings.alerts_topic, kafka.partitions(settings.alerts_topic))
        finally:
            kafka.close()
        until_ = {partition: end.end for partition, end in ends.items()}
        starts = dict.fromkeys(until_, 0)
        return list(read_records(settings.kafka, settings.alerts_topic, starts, until_))

    def wait_all_told(self, within_s: float = 60.0) -> list[SeenRecord]:
        """Return when the topic holds what it should: all records, and no other, each with one
        value however often it was written.
        """
        expected = encoded(expected_records(self.sent))

        def look() -> list[SeenRecord] | None:
            seen = self.alerts()
            return seen if expected.keys() <= {str(r.key, "ascii") for r in seen if r.key} else None

        seen = until("all alerts are written", look, within_s)
        self.check(seen)
        return seen

    def check(self, seen: list[SeenRecord]) -> Counter[str]:
        """That nothing else was written; how often each record was."""
        expected = encoded(expected_records(self.sent))
        for record in seen:
            key = str(record.key, "ascii") if record.key else ""
            assert key in expected, AlertCodec().decode(record.value)
            assert record.value == expected[key], (
                AlertCodec().decode(record.value),
                AlertCodec().decode(expected[key]),
            )
        return Counter(str(record.key, "ascii") for record in seen if record.key)

    def _produce(self, producer: Any, each: WindowReport) -> None:
        producer.produce(
            self.job.settings.windows_topic,
            key=each.head.stream.to_key().encode(),
            value=WindowCodec().encode(each),
        )


def encoded(alerts: dict[str, Alert]) -> dict[str, bytes]:
    """As they are written."""
    return {key: AlertCodec().encode(alert) for key, alert in alerts.items()}


def _poisoned(each: WindowReport) -> WindowReport:
    """A later revision in which all is far too far."""
    columns = tuple(
        replace(one, statistics=tuple(replace(s, score=99.0, value=9.9) for s in one.statistics))
        for one in each.columns
    )
    head = replace(each.head, revision=each.head.revision + 100)
    return replace(each, head=head, columns=columns)
