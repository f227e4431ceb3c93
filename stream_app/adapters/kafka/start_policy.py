"""Where to begin when the group has no valid offset: three cases, each with its own setting.

Decides between a new group, a new partition and expired offsets, and never jumps silently. A new
group's start is written down as committed offsets before anybody joins: afterwards a partition
without an offset can only be a new one, however many workers start at once.
"""

from typing import Any

import structlog
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from stream_app.adapters.kafka.errors import explain
from stream_app.adapters.kafka.topic_identity import TopicIdentity
from stream_app.core.metrics import RECORDS_DELETED_UNREAD
from stream_app.core.position_notes import PositionNote
from stream_app.errors import ConfigError, DataError, RetriableError
from stream_app.ports import Telemetry
from stream_app.settings import Settings, StartAt

log = structlog.get_logger(__name__)

_GROUP_IS_ACTIVE = {
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.STALE_MEMBER_EPOCH,
}


class StartPolicy:
    """The start settings, applied to one consumer's group and topic."""

    def __init__(
        self, settings: Settings, consumer: Any, identity: TopicIdentity, telemetry: Telemetry
    ) -> None:
        self._identity = identity
        self._telemetry = telemetry
        self._settings = settings
        self._topic = settings.input.topic
        self._timeout_s = settings.kafka.request_timeout_s
        self._consumer = consumer

    def target(self, partition: int) -> Any | None:
        """Where to read a partition whose offset is missing or out of range; none: ask again later.

        Call with nothing open that was fetched of it: a unit committed after the choice would put
        an older offset in its place, and what is missing would be counted twice.

        Raises:
            DataError: the setting of this case says ``fail``, or the topic is another one.
        """
        try:
            self._identity.check_now()
            offsets = self._committed()
            low, high = self._range(partition)
        except RetriableError as exc:
            log.warning("start_policy_waits", reason=str(exc))
            return None
        except KafkaException as exc:
            log.warning("start_policy_waits", reason=explain("reading offsets", exc.args[0]))
            return None
        own = offsets.get(partition)
        if own is not None and low <= own <= high:
            return TopicPartition(self._topic, partition, own)
        missing = 0 if own is None else max(0, low - own)
        choice, name, case = self._case(partition, offsets, low, high)
        if choice is StartAt.FAIL:
            message = (
                f"{case}; {name} = fail. Decide where to go on: `stream-app offsets reset`, or set "
                f"{name} = earliest or latest"
            )
            self._count_missing(partition, missing)
            raise DataError(message)
        target = low if choice is StartAt.EARLIEST else high
        log.warning("start_policy", case=case, setting=name, choice=choice.value, offset=target)
        start = TopicPartition(self._topic, partition, target, metadata=self._note())
        try:
            # Written down: the next owner must not choose another end, and skip what came between.
            self._consumer.commit(offsets=[start], asynchronous=False)
        except KafkaException as exc:
            log.warning("start_policy_waits", reason=explain("committing a start", exc.args[0]))
            return None
        self._count_missing(partition, missing)
        return start

    def _case(
        self, partition: int, offsets: dict[int, int], low: int, high: int
    ) -> tuple[StartAt, str, str]:
        """Which of the three cases this is: what is chosen for it, where, and in words."""
        start, place = self._settings.start, f"{self._topic}[{partition}]"
        own = offsets.get(partition)
        if own is not None:
            case = (
                f"offset {own} of {place} is committed, but the topic holds {low} to {high}: "
                f"{max(0, low - own)} records were deleted unread, or the topic was made anew"
            )
            return start.expired, "start.expired", case
        if offsets:
            return start.new_partition, "start.new_partition", f"{place} is new to the group"
        case = f"group {self._settings.kafka.group} has lost all its offsets"
        return start.new_group, "start.new_group", case

    def _count_missing(self, partition: int, missing: int) -> None:
        if missing:
            self._telemetry.count(RECORDS_DELETED_UNREAD, missing)
            log.error(
                "records_deleted_unread", topic=self._topic, partition=partition, records=missing
            )

    def prepare(self) -> None:
        """Commit a new group's start, before joining; does nothing for a group with offsets.

        Raises:
            ConfigError: the group is new and ``start.new_group`` is ``fail``; or its offsets
                belong to another topic of this name.
            RetriableError: the cluster does not answer, or not for this group yet.
        """
        try:
            if self._committed():
                return
            choice = self._settings.start.new_group
            if choice is StartAt.FAIL:
                message = (
                    f"group {self._settings.kafka.group} has no offsets on {self._topic}; say "
                    "where it begins: start.new_group = earliest (score all there is) or latest, "
                    "or `stream-app offsets reset`. Events that this job has answered before, "
                    "under this group or another, come twice then"
                )
                raise ConfigError(message)
            self._commit_start(choice)
        except KafkaException as exc:
            raise RetriableError(explain("reading the group's offsets", exc.args[0])) from exc

    def _commit_start(self, choice: StartAt) -> None:
        side = 0 if choice is StartAt.EARLIEST else 1
        start = [
            TopicPartition(self._topic, p, self._range(p)[side], metadata=self._note())
            for p in self._numbers()
        ]
        try:
            self._consumer.commit(offsets=start, asynchronous=False)
        except KafkaException as exc:
            if exc.args[0].code() not in _GROUP_IS_ACTIVE:
                raise
            # Another worker was quicker, and has joined already.
            log.info("start_policy_done_by_another")
            return
        log.info("start_policy", case="new group", setting="start.new_group", choice=choice.value)

    def _numbers(self) -> list[int]:
        topic = self._consumer.list_topics(self._topic, timeout=self._timeout_s).topics[self._topic]
        if topic.error is not None:
            raise KafkaException(topic.error)
        return sorted(topic.partitions)

    def _committed(self) -> dict[int, int]:
        wanted = [TopicPartition(self._topic, number) for number in self._numbers()]
        found = self._consumer.committed(wanted, timeout=self._timeout_s)
        for tp in found:
            if tp.error is not None:
                raise KafkaException(tp.error)
        self._identity.refuse_others(tp.metadata for tp in found if tp.offset >= 0)
        return {tp.partition: tp.offset for tp in found if tp.offset >= 0}

    def _note(self) -> str:
        return PositionNote(self._identity.topic_id).to_text()

    def _range(self, partition: int) -> tuple[int, int]:
        low, high = self._consumer.get_watermark_offsets(
            TopicPartition(self._topic, partition), timeout=self._timeout_s
        )
        return low, high
