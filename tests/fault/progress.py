"""How far a group has committed, seen from outside and timed.

Decides what lag and recovery mean in the proof. Asks the brokers only, never a worker.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from confluent_kafka import Consumer, IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from tests.worker import until

_ASK_S = 5.0


@dataclass(frozen=True, slots=True)
class Reached:
    """By partition, at one moment.

    Attributes:
        at_s: On the monotonic clock, when the answer was there.
        committed: The group's next offsets; 0 where it has none.
        ends: Of the input.
    """

    at_s: float
    committed: dict[int, int]
    ends: dict[int, int]

    @property
    def lag(self) -> int:
        """Records that are in the input and not committed."""
        return sum(end - self.committed.get(p, 0) for p, end in self.ends.items())


class Progress:
    """Looks at one group on one topic."""

    def __init__(self, bootstrap_servers: str, group: str, topic: str) -> None:
        common = {"bootstrap.servers": bootstrap_servers, "log_level": 0}
        self._admin = AdminClient(common)
        # Never a member. Not the admin client's question: while a coordinator is looked for, that
        # one ends the process by a null pointer (librdkafka#5040).
        self._group = Consumer(
            {
                **common,
                "group.id": group,
                "enable.auto.commit": False,
                # Committed offsets as they are, without waiting for transactions under way.
                "isolation.level": "read_uncommitted",
            }
        )
        self._topic = topic

    def now(self) -> Reached | None:
        """What is reached; ``None`` while the brokers do not answer."""
        try:
            ends = self._ends()
            committed = self._committed(ends)
        except (KafkaException, TimeoutError):
            return None
        return Reached(time.monotonic(), committed, ends) if ends else None

    def seen(self, within_s: float = 60.0) -> Reached:
        """What is reached, as soon as brokers say so."""
        return until("the brokers say what is committed", self.now, within_s)

    def wait_past(self, goals: dict[int, int], within_s: float) -> Reached:
        """Return when every partition's committed offset has reached its goal."""
        last: list[Reached] = []

        def there() -> Reached | None:
            now = self.now()
            if now is None:
                return None
            last[:] = [now]
            reached = all(now.committed.get(p, 0) >= goal for p, goal in goals.items())
            return now if reached else None

        try:
            return until(f"the group commits up to {goals}", there, within_s)
        except AssertionError as exc:
            exc.add_note(f"last seen: {last[0] if last else 'no answer at all'}")
            raise

    def _committed(self, partitions: Iterable[int]) -> dict[int, int]:
        asked = [TopicPartition(self._topic, partition) for partition in partitions]
        found = self._group.committed(asked, timeout=_ASK_S)
        if failed := [tp.error for tp in found if tp.error]:
            raise KafkaException(failed[0])
        return {tp.partition: tp.offset for tp in found if tp.offset >= 0}

    def _ends(self) -> dict[int, int]:
        topics = self._admin.list_topics(self._topic, timeout=_ASK_S).topics
        partitions = topics[self._topic].partitions
        asked = {TopicPartition(self._topic, p): OffsetSpec.latest() for p in partitions}
        futures = self._admin.list_offsets(
            asked, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=_ASK_S
        )
        return {tp.partition: f.result(_ASK_S + 1).offset for tp, f in futures.items()}
