"""What happens to topics and offsets from outside: deleted, made anew, widened, emptied.

Decides when each is really done: the brokers say so.
"""

import subprocess
import sys

from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewPartitions, OffsetSpec

from stream_app.adapters.local_kafka import create_topic
from stream_app.errors import StreamAppError
from tests.worker import Job, until

_ASK_S = 10.0


class TopicAdmin:
    """Orders to one job's cluster."""

    def __init__(self, job: Job) -> None:
        self.job = job
        servers = job.overrides["kafka.bootstrap_servers"]
        self._admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})

    def delete(self, topic: str) -> None:
        """Return when the brokers know it no more."""
        admin = self._admin
        admin.delete_topics([topic])[topic].result(_ASK_S)
        until(f"{topic} is gone", lambda: topic not in admin.list_topics(timeout=_ASK_S).topics, 60)

    def make(self, topic: str, partitions: int = 4) -> None:
        """Make it, once its predecessor of the same name lets it."""

        def made() -> bool:
            try:
                create_topic(
                    self.job.overrides["kafka.bootstrap_servers"],
                    topic,
                    partitions,
                    config={"retention.ms": "-1"},
                )
            except StreamAppError:
                return False
            return True

        until(f"{topic} is made", made, 60)

    def topic_id(self, topic: str) -> str:
        """As the brokers have it."""
        described = self._admin.describe_topics(TopicCollection([topic]))[topic].result(_ASK_S)
        return str(described.topic_id)

    def widen(self, topic: str, partitions: int) -> None:
        """Return when it has so many."""
        admin = self._admin
        admin.create_partitions([NewPartitions(topic, partitions)])[topic].result(_ASK_S)
        until(
            f"{topic} has {partitions} partitions",
            lambda: (
                len(admin.list_topics(topic, timeout=_ASK_S).topics[topic].partitions) == partitions
            ),
            60,
        )

    def empty(self, topic: str) -> dict[int, int]:
        """Delete all that is there now, as retention does; the new first offsets."""
        admin = self._admin
        partitions = admin.list_topics(topic, timeout=_ASK_S).topics[topic].partitions
        asked = {TopicPartition(topic, p): OffsetSpec.latest() for p in partitions}
        ends = {tp: f.result(_ASK_S).offset for tp, f in admin.list_offsets(asked).items()}
        firsts = {tp.partition: end for tp, end in ends.items()}
        self.delete_before(topic, firsts)
        return firsts

    def delete_before(self, topic: str, firsts: dict[int, int]) -> None:
        """Delete what lies before these offsets, by partition."""
        wanted = [TopicPartition(topic, p, first) for p, first in firsts.items()]
        for future in self._admin.delete_records(wanted).values():
            future.result(_ASK_S)

    def forget_group(self) -> None:
        """Delete the group with its offsets; its members must be gone."""
        group, admin = self.job.overrides["kafka.group"], self._admin

        def done() -> bool:
            try:
                admin.delete_consumer_groups([group])[group].result(_ASK_S)
            except KafkaException:
                return False
            return True

        until("the group is deleted", done, 60)

    def commit_as_before(self, note: str, offsets: dict[int, int]) -> None:
        """Set the group's offsets with a note beside each, as a tool does that restores them."""
        group, topic = self.job.overrides["kafka.group"], self.job.overrides["input.topic"]
        wanted = [TopicPartition(topic, p, o, note) for p, o in offsets.items()]
        asked = [ConsumerGroupTopicPartitions(group, wanted)]
        done = self._admin.alter_consumer_group_offsets(asked)[group].result(_ASK_S)
        assert not any(tp.error for tp in done.topic_partitions)

    def notes(self) -> dict[int, str]:
        """What is kept beside each of the group's offsets."""
        group = self.job.overrides["kafka.group"]
        asked = [ConsumerGroupTopicPartitions(group)]
        found = self._admin.list_consumer_group_offsets(asked)[group].result(_ASK_S)
        return {tp.partition: tp.metadata for tp in found.topic_partitions}

    def reset_offsets(self, to: str) -> None:
        """As an operator does: ``stream-app offsets reset``, once no member is active."""

        def done() -> bool:
            command = [sys.executable, "-m", "stream_app", "offsets", "reset", "--to", to, "--yes"]
            answer = subprocess.run(
                command, env=self.job.environment({}), capture_output=True, text=True, check=False
            )
            return answer.returncode == 0

        until("the offsets are reset", done, 60)
