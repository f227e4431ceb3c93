"""For each outgoing record its partition and its timestamp, as the cluster will take them.

Decides two things the path should not know: an input partition's outcomes go to the partition of
the same number when both topics have as many (order and co-partitioning survive whatever the
producer's partitioner was), else by key; and a timestamp that brokers refuse is sent as now, with
the original in the header ``stream_app.timestamp``.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from confluent_kafka import KafkaException

from stream_app.adapters.kafka.errors import aborts
from stream_app.adapters.kafka.missing_topics import missing_topic
from stream_app.adapters.kafka.rights import missing_right, on_topic
from stream_app.core.columns import NO_TIMESTAMP, BoolArray, Int64Array, OutputBatch
from stream_app.ports import Clock
from stream_app.settings import Settings

_BY_KEY = -1
_TOLERATED_AHEAD_MS = 60_000
TIMESTAMP_HEADER = "stream_app.timestamp"


class OutputRoutes:
    """Remembers partition counts, and whether brokers have refused timestamps."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._counts: dict[str, int] = {}
        self._counted_s = float("-inf")
        self._distrust = 0

    def routed(self, producer: Any, outputs: OutputBatch) -> OutputBatch:
        """The same with the partitions and timestamps to send.

        Raises:
            AbortedError: the topics' partitions are not known and no broker tells.
        """
        partition, timestamp_ms, headers = outputs.partition, outputs.timestamp_ms, outputs.headers
        if not self._same_count(producer, outputs):
            partition = np.full(len(outputs), _BY_KEY, dtype=np.int32)
        refusable = self._refusable(timestamp_ms)
        if refusable.any():
            headers = dict(headers)
            for row in np.flatnonzero(refusable).tolist():
                given = str(int(timestamp_ms[row])).encode()
                headers[row] = (*headers.get(row, ()), (TIMESTAMP_HEADER, given))
            timestamp_ms = np.where(refusable, NO_TIMESTAMP, timestamp_ms)
        return replace(outputs, partition=partition, timestamp_ms=timestamp_ms, headers=headers)

    def distrust_timestamps(self) -> None:
        """A broker refused one: first those in the future go as now, then all of them."""
        self._distrust = min(2, self._distrust + 1)

    def trust_timestamps(self) -> None:
        """A unit went through: past ones are good again, future ones stay suspect."""
        self._distrust = min(1, self._distrust)

    def _refusable(self, timestamp_ms: Int64Array) -> BoolArray:
        if self._distrust == 0:
            return np.zeros(len(timestamp_ms), dtype=np.bool_)
        if self._distrust > 1:
            return np.not_equal(timestamp_ms, NO_TIMESTAMP)
        return np.greater(timestamp_ms, self._clock.wall_ms() + _TOLERATED_AHEAD_MS)

    def _same_count(self, producer: Any, outputs: OutputBatch) -> bool:
        now_s = self._clock.now_s()
        grown = len(outputs) > 0 and outputs.partition.max() >= self._counts.get(
            self._settings.input.topic, 0
        )
        if grown or now_s - self._counted_s > self._settings.kafka.topic_refresh_s:
            self._counts.clear()
            self._counted_s = now_s
        theirs = self._count(producer, outputs.topic)
        return theirs == self._count(producer, self._settings.input.topic)

    def _count(self, producer: Any, topic: str) -> int:
        if topic not in self._counts:
            try:
                found = producer.list_topics(topic, self._settings.kafka.request_timeout_s)
            except KafkaException as exc:
                raise aborts(f"asking for the partitions of {topic}", exc.args[0]) from exc
            topic_error = found.topics[topic].error
            if topic_error is not None:
                right = missing_right(
                    self._settings, topic_error.code(), lambda: on_topic(self._settings, topic)
                )
                absent = missing_topic(self._settings, topic_error.code(), [topic])
                raise aborts(f"asking for the partitions of {topic}", topic_error, absent or right)
            self._counts[topic] = len(found.topics[topic].partitions)
        return self._counts[topic]
