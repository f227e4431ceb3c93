"""Evidence from the cluster: partitions, their two ends, committed offsets, records.

Decides when a partition has been read to its end. Joins no group and commits nothing. Refuses to
know what records mean.

On the two ends of a partition: a reader who waits for commits gets no further than the *stable*
end, the first offset of the oldest open transaction; the other end is the high watermark. Both
count the markers that end transactions, which no reader ever sees, so they are equal exactly
when no transaction is open, while the last record's offset says nothing (a marker may follow it).
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from stream_app.adapters.kafka.admin import ClientErrors, new_client, translate
from stream_app.errors import StreamAppError, UnavailableError
from stream_app.settings import KafkaSettings

_CHUNK = 5_000
_POLL_S = 0.2
_STALLED_S = 30.0
"""Nothing read for so long: the reading is given up instead of waiting for ever."""

_READING = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "error",
    "check.crcs": True,
    "queued.max.messages.kbytes": 32 * 1024,
    "fetch.wait.max.ms": 50,  # the end is told only after so long without a record
}
_REFUSED = {
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
}
_MENDED_BY_CLIENT = {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT}

OnRecord = Callable[[Any], None]


@dataclass(frozen=True, slots=True)
class Ends:
    """Where a partition begins and ends.

    Attributes:
        begin: First offset still there.
        stable: No reader who waits for commits gets this offset or a later one.
        end: The high watermark.
    """

    begin: int
    stable: int
    end: int

    @property
    def is_open(self) -> bool:
        """Whether a transaction is."""
        return self.stable < self.end


class VerifyKafka:
    """The verifier's own clients; close it."""

    def __init__(self, kafka: KafkaSettings, *, read_committed: bool) -> None:
        self._kafka = kafka
        self._timeout_s = kafka.request_timeout_s
        self._errors = ClientErrors()
        self._read_committed = read_committed
        self._admin: Any = new_client(AdminClient, kafka, self._errors, {})
        # It never subscribes, hence is no member; with read_committed the coordinator answers
        # only once no transaction holds offsets of the group.
        self._group: Any = self._new_consumer("read_committed")

    def close(self) -> None:
        """Release the clients."""
        self._group.close()

    def partitions(self, topic: str) -> list[int]:
        """Partition numbers of a topic.

        Raises:
            UnavailableError: there is no such topic, or no broker answers.
        """
        topics = self._topics()
        if topic not in topics:
            raise UnavailableError(
                f"topic {topic!r} does not exist at {self._kafka.bootstrap_servers}, or is hidden "
                "from us for want of the right to read it; nothing can be verified without it: "
                "correct the name, create it (stream-app topics create), or grant Read"
            )
        return sorted(topics[topic].partitions)

    def has_topic(self, topic: str) -> bool:
        """Whether there is such a topic, and we may see it.

        Raises:
            UnavailableError: no broker answers.
        """
        return topic in self._topics()

    def _topics(self) -> Any:
        try:
            return self._admin.list_topics(timeout=self._timeout_s).topics
        except KafkaException as exc:
            raise self._translated("reading the list of topics", exc) from exc

    def ends(self, topic: str, partitions: Iterable[int]) -> dict[int, Ends]:
        """Both ends, and the beginning, of each partition as they are now."""
        wanted = list(partitions)
        begin = self._list(topic, wanted, OffsetSpec.earliest(), IsolationLevel.READ_UNCOMMITTED)
        # In this order: a transaction that ends in between must not look like an open one.
        end = self._list(topic, wanted, OffsetSpec.latest(), IsolationLevel.READ_UNCOMMITTED)
        stable = self._list(topic, wanted, OffsetSpec.latest(), IsolationLevel.READ_COMMITTED)
        return {p: Ends(begin[p], stable[p], end[p]) for p in wanted}

    def readable_end(self, ends: Ends) -> int:
        """How far a reader of outcomes gets."""
        return ends.stable if self._read_committed else ends.end

    def committed(
        self, topic: str, partitions: Iterable[int], patience_s: float
    ) -> dict[int, int | None]:
        """The group's next offsets; ``None`` where it has none.

        Raises:
            UnavailableError: no answer; an open transaction that holds offsets is one reason.
            ConfigError: we may not ask.
        """
        asked = [TopicPartition(topic, p) for p in partitions]
        deadline_s = time.monotonic() + max(patience_s, self._timeout_s)
        while True:
            try:
                found = self._group.committed(asked, timeout=self._timeout_s)
                failed = next((tp.error for tp in found if tp.error), None)
                if failed is not None:
                    raise KafkaException(failed)
                return {tp.partition: tp.offset if tp.offset >= 0 else None for tp in found}
            except KafkaException as exc:
                if time.monotonic() >= deadline_s or exc.args[0].code() in _REFUSED:
                    what = (
                        f"reading the committed offsets of group {self._kafka.group!r} (they are "
                        "held back while a dead worker's transaction is open: try again later)"
                    )
                    raise self._translated(what, exc) from exc
                time.sleep(_POLL_S)

    def members(self) -> int | None:
        """How many members the group has now; ``None`` where the coordinator does not say."""
        asked = self._admin.describe_consumer_groups(
            [self._kafka.group], request_timeout=self._timeout_s
        )
        try:
            return len(asked[self._kafka.group].result(self._timeout_s + 1).members)
        except (KafkaException, TimeoutError):
            return None

    def read(
        self,
        topic: str,
        ranges: Mapping[int, tuple[int, int]],
        on_record: OnRecord,
        progress: Callable[[int, int], None],
    ) -> None:
        """Read each partition from its first offset up to, not including, its last.

        Args:
            topic: What to read.
            ranges: First offset and end by partition.
            on_record: Gets every record, each partition in order.
            progress: Told the offsets passed, and how many there are.

        Raises:
            UnavailableError: the cluster stopped answering.
            ConfigError: we may not read.
        """
        open_ends = {p: end for p, (begin, end) in ranges.items() if begin < end}
        if not open_ends:
            return
        passed = {p: ranges[p][0] for p in open_ends}
        total = sum(end - ranges[p][0] for p, end in open_ends.items())
        isolation = "read_committed" if self._read_committed else "read_uncommitted"
        consumer = self._new_consumer(isolation)
        try:
            consumer.assign([TopicPartition(topic, p, passed[p]) for p in open_ends])
            heard_s = time.monotonic()
            while open_ends:
                messages = self._consume(consumer, topic)
                for message in messages:
                    self._take(message, open_ends, passed, on_record)
                if messages:
                    heard_s = time.monotonic()
                elif time.monotonic() - heard_s > max(_STALLED_S, 3 * self._timeout_s):
                    raise UnavailableError(
                        f"reading {topic}: nothing came for {_STALLED_S:g} s although "
                        f"{len(open_ends)} partitions are not at their end; look at the brokers"
                    )
                progress(total - sum(end - passed[p] for p, end in open_ends.items()), total)
        finally:
            consumer.close()

    def _take(
        self, message: Any, open_ends: dict[int, int], passed: dict[int, int], on_record: OnRecord
    ) -> None:
        error, partition = message.error(), message.partition()
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:
                # A broker that lags behind tells an end that is none: more must come.
                if message.offset() >= open_ends.get(partition, 0):
                    open_ends.pop(partition, None)
            elif error.fatal() or not (error.retriable() or error.code() in _MENDED_BY_CLIENT):
                raise self._translated(f"reading {message.topic()}", KafkaException(error))
            return
        if partition not in open_ends:
            return
        offset = message.offset()
        if offset < open_ends[partition]:
            passed[partition] = offset + 1
            on_record(message)
        if offset >= open_ends[partition] - 1:
            del open_ends[partition]

    def _consume(self, consumer: Any, topic: str) -> list[Any]:
        try:
            # One is waited for, the rest is what is there: else each call waits its whole time.
            messages: list[Any] = consumer.consume(1, _POLL_S)
            if messages:
                messages += consumer.consume(_CHUNK, 0)
        except KafkaException as exc:
            raise self._translated(f"reading {topic}", exc) from exc
        return messages

    def _new_consumer(self, isolation: str) -> Any:
        properties = {
            **_READING,
            # Only a name to the library, and one for which whoever verifies has the right.
            "group.id": self._kafka.group,
            "isolation.level": isolation,
        }
        return new_client(Consumer, self._kafka, self._errors, properties)

    def _list(self, topic: str, partitions: list[int], spec: Any, isolation: Any) -> dict[int, int]:
        asked = {TopicPartition(topic, p): spec for p in partitions}
        futures = self._admin.list_offsets(
            asked, isolation_level=isolation, request_timeout=self._timeout_s
        )
        try:
            return {tp.partition: f.result(self._timeout_s + 1).offset for tp, f in futures.items()}
        except (KafkaException, TimeoutError) as exc:
            raise self._translated(f"reading the ends of {topic}", exc) from exc

    def _translated(self, what: str, exc: Exception) -> StreamAppError:
        """Our error, with the reason that the client told elsewhere, such as a wrong password."""
        self._admin.poll(0)
        return translate(what, exc, self._errors, self._kafka)
