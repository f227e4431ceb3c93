"""Consumer lag as the client knows it: how far each assigned partition is from its end.

Decides where counting begins for a partition that brought no record yet: at the committed
offset, which is asked for once. Blocks for no longer than that.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import KafkaException, TopicPartition

_TIMEOUT_S = 0.2
"""A lag that is not known is not told; the next look asks again."""


class Lag:
    """Of one topic, by one consumer."""

    def __init__(self, consumer: Any, topic: str) -> None:
        self._consumer = consumer
        self._topic = topic
        self._begins: dict[int, int] = {}

    def of(self, partitions: Iterable[int]) -> Mapping[int, int]:
        """Records behind the end, where that is known."""
        return {p: lag for p, (_, lag) in self._places(partitions).items()}

    def drained(self, partitions: Iterable[int]) -> Mapping[int, int]:
        """Of those known to have none, the next offset."""
        return {p: begin for p, (begin, lag) in self._places(partitions).items() if not lag}

    def _places(self, partitions: Iterable[int]) -> dict[int, tuple[int, int]]:
        """By partition, the next offset and the records from there on."""
        places = {}
        wanted = [TopicPartition(self._topic, number) for number in partitions]
        for tp in self._consumer.position(wanted):
            _, high = self._consumer.get_watermark_offsets(tp, cached=True)
            begin = tp.offset if tp.offset >= 0 else self._begin(tp.partition)
            if begin >= 0 and high >= 0:
                places[tp.partition] = begin, max(0, high - begin)
        return places

    def forget(self, partitions: Iterable[int]) -> None:
        """They have another owner now, who moves on."""
        for number in partitions:
            self._begins.pop(number, None)

    def _begin(self, partition: int) -> int:
        """The committed offset; negative where none is, or nobody tells now."""
        if partition not in self._begins:
            try:
                wanted = [TopicPartition(self._topic, partition)]
                (found,) = self._consumer.committed(wanted, timeout=_TIMEOUT_S)
            except KafkaException:
                return -1
            self._begins[partition] = found.offset
        return self._begins[partition]
