"""Events for tests whose brokers die of something: where each lies is read from the log afterwards.

Decides what was sent by what has arrived. A broker that dies in the middle of a request may have
taken an event, or not, and its producer may send it again under another epoch; so neither the
count of sent events nor their places are known before.
"""

from collections import Counter
from dataclasses import dataclass, field

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from tests.car_loan import Feed, event
from tests.kafka_fixtures import unique
from tests.worker import until

_READ_S = 120.0


@dataclass
class RereadFeed(Feed):
    """A feed that knows its events' places when it has ended."""

    _fates: list[str | None] = field(default_factory=list)

    def _send_one(self) -> None:
        before = self.codes.copy()
        super()._send_one()
        self._fates.append(next(iter(self.codes - before), None))

    def _flush(self) -> None:
        super()._flush()
        self._good.clear()
        self._answers.clear()
        self._ends.clear()
        self.codes.clear()
        self.sent = 0
        for partition, offset, number in self._arrived():
            self.sent += 1
            self._ends[partition] = offset + 1
            fate = self._fates[number]
            if fate is None:
                self._good[partition, offset] = event(number)
            else:
                self.codes[fate] += 1

    def _arrived(self) -> list[tuple[int, int, int]]:
        """Partition, offset and number of each event in the topic."""
        topic = self.job.overrides["input.topic"]
        reader = Consumer(
            {
                "bootstrap.servers": self.job.overrides["kafka.bootstrap_servers"],
                "group.id": unique("reread"),
                "enable.auto.commit": False,
                "log_level": 0,
            }
        )
        try:
            partitions = reader.list_topics(topic, timeout=30).topics[topic].partitions
            places = [TopicPartition(topic, p, OFFSET_BEGINNING) for p in partitions]
            left = Counter({p: reader.get_watermark_offsets(tp)[1] for p, tp in enumerate(places)})
            reader.assign(places)
            found: list[tuple[int, int, int]] = []

            def all_read() -> bool:
                for message in reader.consume(5_000, 0.2):
                    if message.error() is None:
                        number = int(message.key().removeprefix(b"key-"))
                        found.append((message.partition(), message.offset(), number))
                        left[message.partition()] -= 1
                return not +left

            until("the input is read again", all_read, _READ_S)
            return found
        finally:
            reader.close()
