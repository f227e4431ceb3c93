"""The yardstick "plain loop": what a competent engineer writes by hand for this job.

confluent-kafka, fastavro a record, ONNX Runtime a micro-batch, a transaction every so often with
the offsets in it. It knows the tricks (one record is waited for and the rest taken, no callback a
record, no flush before a commit), and commits as seldom as the worker. It has no recovery: a
rebalance or an abort ends it. That makes it faster, not slower.
"""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from stream_app.adapters.bench.meter import Meter
from stream_app.adapters.bench.plain_codec import PlainDecoder, PlainEncoder
from stream_app.adapters.bench.plain_model import PlainModel
from stream_app.adapters.kafka.config import consumer_properties, producer_properties
from stream_app.errors import FatalError
from stream_app.settings import Settings

_IDLE_WAIT_S = 0.05
_FULL_WAIT_S = 0.05


class PlainLoop:
    """One consumer, one producer; ``run`` returns when enough is committed."""

    def __init__(
        self,
        settings: Settings,
        meter: Meter,
        transactional_id: str,
        decoder: PlainDecoder,
        model: PlainModel,
        encoder: PlainEncoder,
    ) -> None:
        self._settings = settings
        self._meter = meter
        self._decoder = decoder
        self._model = model
        self._encoder = encoder
        reading = consumer_properties(settings) | {"auto.offset.reset": "earliest"}
        self._consumer: Any = Consumer(reading)
        sending = producer_properties(settings, transactional_id)
        self._producer: Any = Producer(sending | {"delivery.report.only.error": True})
        self._next: dict[int, int] = {}
        self._open = [0, 0]
        self._begun_s = 0.0

    def run(self, records: int) -> None:
        """Score so many.

        Raises:
            FatalError: anything went wrong: a yardstick does not mend.
        """
        settings, meter = self._settings, self._meter
        timeout_s = settings.kafka.request_timeout_s
        try:
            self._producer.init_transactions(timeout_s)
            self._consumer.subscribe([settings.input.topic])
            while meter.outcomes < records:
                with meter.timed("fetch"):
                    messages = self._consumer.consume(1, _IDLE_WAIT_S)
                    if messages:
                        messages += self._consumer.consume(settings.batch.max_records - 1, 0)
                if messages:
                    meter.fetched()
                    meter.batches += 1
                    self._process(messages)
                if self._is_due(idle=not messages):
                    with meter.timed("commit"):
                        self._commit(timeout_s)
        except KafkaException as exc:
            raise FatalError(f"plain loop: {exc.args[0].str()}") from exc
        finally:
            self._consumer.close()

    def _process(self, messages: Sequence[Any]) -> None:
        meter = self._meter
        if not sum(self._open):
            self._begun_s = time.monotonic()
            self._producer.begin_transaction()
        with meter.timed("decode"):
            kept, events = [], []
            for message in messages:
                if message.error():
                    raise KafkaException(message.error())
                headers = (message.headers() or ()) if self._decoder.wants_headers else ()
                event = self._decoder.decode(message.value(), headers)
                if event is None:
                    self._bury(message)
                else:
                    kept.append(message)
                    events.append(event)
            tensors, good = self._decoder.tensors(events)
            if not good.all():
                for row in np.flatnonzero(~good).tolist():
                    self._bury(kept[row])
                rows = np.flatnonzero(good).tolist()
                kept, events = [kept[row] for row in rows], [events[row] for row in rows]
                tensors = {name: tensor[good] for name, tensor in tensors.items()}
        if events:
            with meter.timed("score"):
                outputs = self._model.run(tensors)
            with meter.timed("encode"):
                values = self._encode(kept, events, outputs)
            with meter.timed("deliver"):
                self._deliver(kept, values)
        for message in messages:
            self._next[message.partition()] = message.offset() + 1
        self._open[0] += len(kept)
        self._open[1] += len(messages) - len(kept)

    def _encode(self, kept: Sequence[Any], events: Sequence[Any], outputs: Any) -> list[bytes]:
        topic, encode = self._settings.input.topic, self._encoder.encode
        return [
            encode(
                event,
                filled,
                {
                    "source_topic": topic,
                    "source_partition": message.partition(),
                    "source_offset": message.offset(),
                },
            )
            for message, event, filled in zip(
                kept, events, self._encoder.outputs(outputs), strict=True
            )
        ]

    def _deliver(self, kept: Sequence[Any], values: Sequence[bytes]) -> None:
        topic, produce = self._settings.predictions_topic, self._producer.produce
        for message, value in zip(kept, values, strict=True):
            key, partition, time_ms = message.key(), message.partition(), message.timestamp()[1]
            while True:
                try:
                    produce(topic, value, key, partition, None, None, time_ms)
                    break
                except BufferError:
                    self._producer.poll(_FULL_WAIT_S)
        self._producer.poll(0)

    def _bury(self, message: Any) -> None:
        self._producer.produce(
            self._settings.dlq_topic, message.value(), message.key(), message.partition()
        )

    def _is_due(self, *, idle: bool) -> bool:
        batch, records = self._settings.batch, sum(self._open)
        if not records:
            return False
        late = time.monotonic() >= self._begun_s + batch.transaction_time_s
        return late or idle or records >= batch.transaction_records

    def _commit(self, timeout_s: float) -> None:
        topic = self._settings.input.topic
        self._producer.send_offsets_to_transaction(
            [TopicPartition(topic, p, o) for p, o in self._next.items()],
            self._consumer.consumer_group_metadata(),
            timeout_s,
        )
        self._producer.commit_transaction(timeout_s)
        self._meter.predictions += self._open[0]
        self._meter.dead_letters += self._open[1]
        self._meter.committed()
        self._open = [0, 0]
        self._next = {}
