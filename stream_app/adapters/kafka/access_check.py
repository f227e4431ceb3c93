"""Rights, asked for before they are needed: which ACL is missing, by name.

Decides how each right can be found out without changing anything. A worker needs Read on the
input topic and on its group, Write on each output topic and on the prefix of its transactional
ids; a cluster without an authorizer grants everything, one that cannot be asked (librdkafka's
mock) grants what it is.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicCollection
from confluent_kafka.admin import AclOperation

from stream_app.adapters.kafka.admin import KafkaAdmin
from stream_app.adapters.kafka.config import consumer_properties, producer_properties
from stream_app.adapters.kafka.errors import explain
from stream_app.adapters.kafka.rights import (
    read_group,
    read_topic,
    write_output,
    write_transaction,
)
from stream_app.settings import Delivery, Settings

log = structlog.get_logger(__name__)

_PROBE_TIMEOUT_S = 2.0
"""A cluster that has just been made cannot tell about groups for longer; that is no fault."""

_INIT_TIMEOUT_S = 5.0


def access_faults(settings: Settings, outputs: Sequence[str], *, kept_in: str = "") -> list[str]:
    """Every right that is missing, one a line; blocks for some seconds at most.

    Args:
        settings: Of the worker.
        outputs: Topics that it writes.
        kept_in: A topic that it writes and reads again, if there is one.
    """
    admin = KafkaAdmin(settings.kafka)
    return [
        *_topic_faults(admin, settings, outputs, kept_in),
        *_group_faults(admin, settings),
        *_transaction_faults(settings),
    ]


def hidden_topics(settings: Settings, topics: list[str]) -> list[str]:
    """Those of ``topics`` that exist, or may, but which we are not allowed to see."""
    consumer = Consumer({**consumer_properties(settings), "allow.auto.create.topics": False})
    try:
        return [
            topic
            for topic in topics
            if _metadata_code(consumer, topic) == KafkaError.TOPIC_AUTHORIZATION_FAILED
        ]
    finally:
        consumer.close()


def _metadata_code(consumer: Any, topic: str) -> int | None:
    try:
        error = consumer.list_topics(topic, timeout=_PROBE_TIMEOUT_S).topics[topic].error
    except KafkaException as exc:
        error = exc.args[0]
    return None if error is None else error.code()


def _topic_faults(
    admin: KafkaAdmin, settings: Settings, outputs: Sequence[str], kept_in: str
) -> Iterator[str]:
    read, write = AclOperation.READ, AclOperation.WRITE
    needed = {
        settings.input.topic: [(read, read_topic(settings.input.topic))],
        **{topic: [(write, write_output(topic))] for topic in outputs},
    }
    if kept_in:
        needed[kept_in] = [(read, read_topic(kept_in)), (write, write_output(kept_in))]
    futures = admin.client.describe_topics(
        TopicCollection(list(needed)),
        include_authorized_operations=True,
        request_timeout=_PROBE_TIMEOUT_S,
    )
    for topic, future in futures.items():
        try:
            allowed = future.result(_PROBE_TIMEOUT_S).authorized_operations
        except (KafkaException, TimeoutError) as exc:
            if _denied(exc, KafkaError.TOPIC_AUTHORIZATION_FAILED):
                yield from (missing for _, missing in needed[topic])
            continue
        for operation, missing in needed[topic]:
            if allowed is not None and not {operation, AclOperation.ALL} & set(allowed):
                yield missing


def _group_faults(admin: KafkaAdmin, settings: Settings) -> Iterator[str]:
    group = settings.kafka.group
    missing = read_group(settings)
    futures = admin.client.describe_consumer_groups(
        [group], include_authorized_operations=True, request_timeout=_PROBE_TIMEOUT_S
    )
    try:
        allowed = futures[group].result(_PROBE_TIMEOUT_S).authorized_operations
    except (KafkaException, TimeoutError) as exc:
        if _denied(exc, KafkaError.GROUP_AUTHORIZATION_FAILED):
            yield missing
        return
    if allowed and not {AclOperation.READ, AclOperation.ALL} & set(allowed):
        yield missing


def _transaction_faults(settings: Settings) -> Iterator[str]:
    """Initialise an id of our prefix that no worker uses: nothing else would tell."""
    if settings.delivery is not Delivery.EXACTLY_ONCE:
        return
    name = f"{settings.kafka.group}-check"
    producer = Producer(producer_properties(settings, name))
    try:
        producer.init_transactions(_INIT_TIMEOUT_S)
    except KafkaException as exc:
        error = exc.args[0]
        if error.code() == KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
            yield write_transaction(settings)
        elif error.code() == KafkaError.INVALID_TRANSACTION_TIMEOUT:
            yield explain("init_transactions", error)
        else:
            log.info("access_not_checked", what="transactions", reason=error.str())


def _denied(exc: Exception, code: int) -> bool:
    """Whether the answer was no; a question that cannot be answered is no fault."""
    if isinstance(exc, KafkaException) and exc.args[0].code() == code:
        return True
    log.debug("access_not_checked", reason=str(exc))
    return False
