"""Offsets: where partitions begin and end, where a group continues, and who its members are.

Decides nothing; asks the cluster and, in ``alter_offsets``, orders it. What transactions hide is
seen in the difference between the two ends of a partition: readers who wait for commits see up
to the *stable* end, the first offset of the oldest open transaction, and no further.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import (
    ConsumerGroupState,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import OffsetSpec

from stream_app.adapters.kafka.admin import KafkaAdmin
from stream_app.core.positions import NextOffset


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a group.

    Attributes:
        member_id: As the coordinator named it.
        client_id: As the member named itself.
        host: From where it is connected.
        partitions: (topic, partition) pairs that are assigned to it.
    """

    member_id: str
    client_id: str
    host: str
    partitions: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class GroupState:
    """A consumer group as its coordinator sees it.

    Attributes:
        name: Its name.
        exists: Whether the cluster has ever heard of it.
        state: ``stable``, ``empty``, ``preparing_rebalancing`` and so on.
        protocol: ``classic`` or ``consumer``.
        assignor: The name of the assignment strategy.
        members: Those that are there now.
    """

    name: str
    exists: bool
    state: str
    protocol: str
    assignor: str
    members: tuple[Member, ...]


def describe_group(admin: KafkaAdmin, group: str) -> GroupState:
    """The group's state; one that does not exist has ``exists = False`` and no members.

    Raises:
        UnavailableError: no coordinator answers.
        ConfigError: we may not ask.
    """

    def ask() -> Any:
        asked = admin.client.describe_consumer_groups([group], request_timeout=admin.timeout_s)
        return asked[group].result(admin.timeout_s)

    try:
        found = admin.of_coordinator(ask)
    except (KafkaException, TimeoutError) as exc:
        if isinstance(exc, KafkaException) and exc.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
            return GroupState(group, False, "absent", "", "", ())
        raise admin.translate(f"describing group {group!r}", exc) from exc
    return GroupState(
        name=group,
        exists=found.state is not ConsumerGroupState.DEAD,
        state=found.state.name.lower(),
        protocol=found.type.name.lower(),
        assignor=found.partition_assignor or "",
        members=tuple(_member(member) for member in found.members),
    )


def _member(member: Any) -> Member:
    pairs = sorted((p.topic, p.partition) for p in member.assignment.topic_partitions)
    return Member(member.member_id, member.client_id, member.host.lstrip("/"), tuple(pairs))


def committed_offsets(
    admin: KafkaAdmin, group: str, topic: str, partitions: Iterable[int]
) -> dict[int, NextOffset]:
    """Where the group continues; partitions without a committed offset are left out.

    Raises:
        UnavailableError: no coordinator answers.
        ConfigError: we may not ask.
    """
    asked = [TopicPartition(topic, partition) for partition in partitions]
    what = f"reading the offsets of group {group!r}"
    client = admin.group_client(group)

    def ask() -> list[Any]:
        found: list[Any] = client.committed(asked, timeout=admin.timeout_s)
        failed = next((position.error for position in found if position.error), None)
        if failed is not None:
            raise KafkaException(failed)
        return found

    try:
        found = admin.of_coordinator(ask)
    except KafkaException as exc:
        if exc.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
            return {}
        raise admin.translate(what, exc) from exc
    finally:
        client.close()
    return {
        position.partition: NextOffset(position.offset, position.metadata or "")
        for position in found
        if position.offset >= 0
    }


def alter_offsets(
    admin: KafkaAdmin, group: str, topic: str, offsets: Mapping[int, NextOffset]
) -> None:
    """Set where the group continues; the cluster refuses while members are there.

    Raises:
        UnavailableError: no coordinator answers, or it refuses; some offsets may have been set.
        ConfigError: we may not do this.
    """
    wanted = [
        # The library takes a metadata string or no fourth argument at all.
        TopicPartition(topic, p, to.offset, *([to.metadata] if to.metadata else []))
        for p, to in sorted(offsets.items())
    ]
    futures = admin.client.alter_consumer_group_offsets(
        [ConsumerGroupTopicPartitions(group, wanted)], request_timeout=admin.timeout_s
    )
    what = f"setting the offsets of group {group!r}"
    answer = admin.wait(what, futures[group])
    for position in answer.topic_partitions:
        if position.error is not None:
            raise admin.translate(what, KafkaException(position.error))


def start_offsets(admin: KafkaAdmin, topic: str, partitions: Sequence[int]) -> dict[int, int]:
    """The first offset of each partition that is still there.

    Raises:
        UnavailableError: no broker answers.
    """
    return _offsets(admin, topic, partitions, OffsetSpec.earliest(), IsolationLevel.READ_COMMITTED)


def end_offsets(
    admin: KafkaAdmin, topic: str, partitions: Sequence[int], *, stable: bool = True
) -> dict[int, int]:
    """The offset after the last record of each partition.

    Args:
        admin: The connection.
        topic: The topic.
        partitions: Which of its partitions.
        stable: As readers who wait for commits see it; else with what is still open.

    Raises:
        UnavailableError: no broker answers.
    """
    level = IsolationLevel.READ_COMMITTED if stable else IsolationLevel.READ_UNCOMMITTED
    return _offsets(admin, topic, partitions, OffsetSpec.latest(), level)


def offsets_at(
    admin: KafkaAdmin, topic: str, partitions: Sequence[int], timestamp_ms: int
) -> dict[int, int]:
    """The first offset whose record is not older than this; the end where there is none.

    Raises:
        UnavailableError: no broker answers.
    """
    spec = OffsetSpec.for_timestamp(timestamp_ms)
    found = _offsets(admin, topic, partitions, spec, IsolationLevel.READ_COMMITTED)
    ends = end_offsets(admin, topic, partitions)
    return {p: offset if offset >= 0 else ends[p] for p, offset in found.items()}


def _offsets(
    admin: KafkaAdmin, topic: str, partitions: Sequence[int], spec: Any, level: Any
) -> dict[int, int]:
    if not partitions:
        return {}
    futures = admin.client.list_offsets(
        {TopicPartition(topic, partition): spec for partition in partitions},
        isolation_level=level,
        request_timeout=admin.timeout_s,
    )
    return {
        asked.partition: admin.wait(f"reading the offsets of {topic!r}", future).offset
        for asked, future in futures.items()
    }
