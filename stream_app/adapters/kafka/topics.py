"""Topics: which there are, how they are configured, and making those that are missing.

Decides nothing about which topics the job needs (``topic_plan.py`` does) and changes none that
is there; it removes those of trials, when told to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import ConfigResource, NewTopic, ResourceType

from stream_app.adapters.kafka.admin import KafkaAdmin
from stream_app.adapters.kafka.topic_plan import TopicPlan
from stream_app.errors import StreamAppError

_GONE = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.GROUP_ID_NOT_FOUND}


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as it is.

    Attributes:
        name: Its name.
        partitions: Their number.
        replication_factor: Replicas of its first partition.
        configs: Every configuration in effect, the cluster's defaults included.
    """

    name: str
    partitions: int
    replication_factor: int
    configs: Mapping[str, str]


def describe_topics(admin: KafkaAdmin, names: Sequence[str]) -> dict[str, TopicState]:
    """Those of ``names`` that exist.

    Raises:
        UnavailableError: no broker answers.
        ConfigError: we may not ask.
    """
    present = admin.partition_counts()
    wanted = [name for name in dict.fromkeys(names) if name in present]
    if not wanted:
        return {}
    described = admin.client.describe_topics(
        TopicCollection(wanted), request_timeout=admin.timeout_s
    )
    configs = topic_configs(admin, wanted)
    found = {}
    for name in wanted:
        topic = admin.wait(f"describing topic {name!r}", described[name])
        replicas = len(topic.partitions[0].replicas) if topic.partitions else 0
        found[name] = TopicState(name, len(topic.partitions), replicas, configs[name])
    return found


def topic_configs(admin: KafkaAdmin, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Configurations in effect, by topic.

    Raises:
        UnavailableError: no broker answers, or a topic does not exist.
        ConfigError: we may not ask.
    """
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    futures = admin.client.describe_configs(resources, request_timeout=admin.timeout_s)
    return {
        resource.name: {
            entry.name: str(entry.value)
            for entry in admin.wait(f"reading the configuration of {resource.name!r}", f).values()
        }
        for resource, f in futures.items()
    }


def create_topics(admin: KafkaAdmin, plans: Sequence[TopicPlan]) -> dict[str, bool]:
    """Make these topics.

    Returns:
        By name, whether it was made now; false where somebody else was quicker.

    Raises:
        UnavailableError: no broker answers; some of the topics may have been made.
        ConfigError: the cluster refuses a topic.
    """
    if not plans:
        return {}
    futures = admin.client.create_topics(
        [_new_topic(plan) for plan in plans],
        operation_timeout=admin.timeout_s,
        request_timeout=admin.timeout_s,
    )
    return {name: _made(admin, name, future) for name, future in futures.items()}


def _made(admin: KafkaAdmin, name: str, future: Any) -> bool:
    admin.wait(f"creating topic {name!r}", future, expected=KafkaError.TOPIC_ALREADY_EXISTS)
    return future.exception(0) is None


def _new_topic(plan: TopicPlan) -> Any:
    return NewTopic(
        plan.name,
        num_partitions=plan.partitions,
        # -1 lets the cluster decide.
        replication_factor=plan.replication_factor or -1,
        config=dict(plan.configs),
    )


def remove_topics_and_groups(
    admin: KafkaAdmin, topics: Sequence[str], groups: Sequence[str]
) -> list[str]:
    """Remove what a trial made; what is not there any more is no failure.

    Returns:
        What could not be removed, and why.
    """
    timeout_s = admin.timeout_s
    orders: dict[str, Any] = {}
    if topics:
        orders |= admin.client.delete_topics(
            list(topics), operation_timeout=timeout_s, request_timeout=timeout_s
        )
    if groups:
        orders |= admin.client.delete_consumer_groups(list(groups), request_timeout=timeout_s)
    left = []
    for name, order in orders.items():
        try:
            admin.wait(f"deleting {name!r}", order)
        except StreamAppError as exc:
            cause = exc.__cause__
            if not (isinstance(cause, KafkaException) and cause.args[0].code() in _GONE):
                left.append(str(exc))
    return left
