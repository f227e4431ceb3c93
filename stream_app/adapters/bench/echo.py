"""The yardstick "echo": records go from topic to topic as they are, through one of our clients.

What Kafka and the client cost when nothing is decoded and no model runs; the path can only be
slower. Transactions, offsets and moments of committing are the worker's; recovery is left out, so
an error ends it. Without transactions (``delivery = at_least_once``) it commits nothing at all,
which only serves to measure what waiting for a commit adds to a record's way.
"""

import time
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from stream_app.adapters.bench.meter import Meter
from stream_app.adapters.bench.topics import as_output
from stream_app.adapters.kafka.clients import native_fault, new_consumer, new_producer
from stream_app.adapters.kafka.config import consumer_properties, producer_properties
from stream_app.adapters.kafka.lag import Lag
from stream_app.adapters.kafka.public_client import FLUSH_SLICE_S, Fetched
from stream_app.core.batching import CommitPace, OpenUnit, TransactionPolicy
from stream_app.core.columns import OutputBatch
from stream_app.errors import FatalError
from stream_app.settings import Delivery, Settings

_IDLE_WAIT_S = 0.2
_FULL_WAIT_S = 0.05


class Echo:
    """One consumer, one producer; ``run`` returns when enough is committed."""

    def __init__(self, settings: Settings, meter: Meter, transactional_id: str) -> None:
        """Make the clients.

        Raises:
            FatalError: the one that is to be measured cannot be used here.
        """
        if settings.kafka.client == "native" and (fault := native_fault()) is not None:
            raise FatalError(f"kafka.client = native cannot be used here: {fault}")
        self._settings = settings
        self._meter = meter
        self._transactional = settings.delivery is Delivery.EXACTLY_ONCE
        batch = settings.batch
        self._policy = TransactionPolicy(batch.transaction_time_s, batch.transaction_records)
        reading = consumer_properties(settings) | {"auto.offset.reset": "earliest"}
        self._consumer = new_consumer(reading, settings.kafka)
        sending = producer_properties(settings, transactional_id) | {
            "delivery.report.only.error": True,
            "on_delivery": self._delivered,
        }
        self._producer = new_producer(sending, settings.kafka)
        self._lag = Lag(self._consumer, settings.input.topic)
        self._failure: Any = None
        self._next: dict[int, int] = {}
        self._open_records = 0
        self._begun_s = 0.0
        self._pace = CommitPace()

    def run(self, records: int) -> None:
        """Carry so many over.

        Raises:
            FatalError: anything went wrong: a yardstick does not mend.
        """
        try:
            if self._transactional:
                self._producer.init_transactions(self._settings.kafka.request_timeout_s)
            self._consumer.subscribe(
                [self._settings.input.topic],
                on_assign=_heard,
                on_revoke=_heard,
                on_lost=_heard,
            )
            while self._meter.outcomes < records:
                self._turn()
        except KafkaException as exc:
            raise FatalError(f"echo: {exc.args[0].str()}") from exc
        finally:
            self._consumer.close()

    def _turn(self) -> None:
        begun_s = time.monotonic()
        fetched = self._fetch(begun_s)
        fetched_s = time.monotonic()
        if self._meter.running:
            self._meter.add("fetch", fetched_s - begun_s)
        count = len(fetched.records)
        if count:
            self._meter.fetched()
            self._meter.batches += 1
            self._deliver(fetched)
            self._meter.add("deliver", time.monotonic() - fetched_s)
        if self._is_due(count):
            begun_s = time.monotonic()
            self._commit(begun_s)
            self._meter.add("commit", time.monotonic() - begun_s)

    def _fetch(self, now_s: float) -> Fetched:
        wait_s = _IDLE_WAIT_S
        if self._open_records:
            is_open = OpenUnit(self._begun_s, self._open_records)
            wait_s = min(wait_s, self._policy.wait_s(is_open, self._pace, now_s))
        topic, most = self._settings.input.topic, self._settings.batch.max_records
        fetched: Fetched = self._consumer.fetch(topic, most, wait_s, _nothing)
        for each in fetched.errors:
            if not each.error.retriable():
                raise KafkaException(each.error)
        return fetched

    def _deliver(self, fetched: Fetched) -> None:
        records = fetched.records
        if not self._open_records:
            self._begun_s = time.monotonic()
            if self._transactional:
                self._producer.begin_transaction()
        self._send(as_output(records, self._settings.predictions_topic))
        self._next |= records.next_offsets()
        self._open_records += len(records)

    def _send(self, outputs: OutputBatch) -> None:
        sent = self._producer.send(outputs, 0)
        while sent.error is not None:
            if sent.error.code() != KafkaError._QUEUE_FULL:
                raise KafkaException(sent.error)
            self._producer.poll(_FULL_WAIT_S)
            sent = self._producer.send(outputs, sent.position)
        self._producer.poll(0)
        if self._failure is not None:
            raise KafkaException(self._failure)

    def _is_due(self, count: int) -> bool:
        if not self._open_records:
            return False
        due = self._policy.due(
            OpenUnit(self._begun_s, self._open_records),
            drained=count < self._settings.batch.max_records and not self._behind(count),
            last_commit=self._pace,
            now_s=time.monotonic(),
        )
        return due is not None

    def _behind(self, count: int) -> bool:
        return bool(count) and any(self._lag.of(self._next).values())

    def _commit(self, begun_s: float) -> None:
        timeout_s = self._settings.kafka.request_timeout_s
        if self._transactional:
            topic = self._settings.input.topic
            positions = [TopicPartition(topic, p, o) for p, o in self._next.items()]
            token = self._consumer.consumer_group_metadata()
            while self._producer.flush(FLUSH_SLICE_S):
                pass
            self._producer.send_offsets_to_transaction(positions, token, timeout_s)
            self._producer.commit_transaction(timeout_s)
        self._meter.predictions += self._open_records
        self._meter.committed()
        self._open_records = 0
        self._next = {}
        self._pace = self._pace.after(begun_s, time.monotonic())

    def _delivered(self, error: Any, record: Any) -> None:
        del record
        if error is not None and self._failure is None:
            self._failure = error


def _heard(consumer: Any, partitions: Any) -> None:
    """The client does what is to be done."""


def _nothing() -> None:
    """Between the first record and the rest."""
