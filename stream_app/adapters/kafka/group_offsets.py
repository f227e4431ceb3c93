"""The group's committed offsets of one topic, by one member's client: written and read.

Decides what each failure means: not committed, or not to be read now.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import KafkaException, TopicPartition

from stream_app.adapters.kafka.errors import aborts, explain
from stream_app.core.positions import NextOffset
from stream_app.errors import AbortedError


def commit_offsets(consumer: Any, topic: str, offsets: Mapping[int, NextOffset]) -> None:
    """Commit without a transaction; blocks.

    Raises:
        AbortedError: not committed; the group moved on, or the broker did not answer.
    """
    wanted = [TopicPartition(topic, p, o.offset, metadata=o.metadata) for p, o in offsets.items()]
    try:
        done = consumer.commit(offsets=wanted, asynchronous=False)
    except KafkaException as exc:
        raise aborts("commit", exc.args[0]) from exc
    failed = next((tp.error for tp in done or [] if tp.error), None)
    if failed is not None:
        raise AbortedError(explain("commit", failed))


def committed_offsets(
    consumer: Any, topic: str, partitions: Iterable[int], timeout_s: float
) -> dict[int, int]:
    """By partition; negative where there is none. Blocks for at most ``timeout_s``.

    Raises:
        KafkaException: they could not be read.
    """
    wanted = [TopicPartition(topic, partition) for partition in partitions]
    found = consumer.committed(wanted, timeout=timeout_s)
    failed = next((tp.error for tp in found if tp.error), None)
    if failed is not None:
        raise KafkaException(failed)
    return {tp.partition: tp.offset for tp in found}
