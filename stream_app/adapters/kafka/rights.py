"""What a worker must be allowed to do, in the words in which its absence is told everywhere.

Decides the sentence: the operation, the kind and name of the thing, and the command that gives
the right. Knows nothing of how an absence is found.
"""

from collections.abc import Callable

from confluent_kafka import KafkaError

from stream_app.settings import Settings


def read_input(settings: Settings) -> str:
    """Read on the input topic is missing."""
    return read_topic(settings.input.topic)


def read_topic(topic: str) -> str:
    """Read on a topic is missing."""
    return _topic("Read", topic)


def write_output(topic: str) -> str:
    """Write on an output topic is missing."""
    return _topic("Write", topic)


def on_topic(settings: Settings, topic: str) -> str:
    """What a worker needs on this topic of its job is missing."""
    return read_input(settings) if topic == settings.input.topic else write_output(topic)


def read_group(settings: Settings) -> str:
    """Read on the consumer group is missing."""
    group = settings.kafka.group
    return f"missing ACL: Read on Group {group}; {_remedy('Read', f'--group {group}')}"


def write_transaction(settings: Settings) -> str:
    """Write on the prefix of our transactional ids is missing."""
    prefix = f"{settings.kafka.group}-"
    what = f"--transactional-id {prefix} --resource-pattern-type prefixed"
    return f"missing ACL: Write on TransactionalId, prefix {prefix}; {_remedy('Write', what)}"


def missing_right(settings: Settings, code: int, topic: Callable[[], str]) -> str | None:
    """The right that an error of this code is about; ``None``: it is about none.

    Args:
        settings: Of the worker.
        code: Of a client's error.
        topic: The sentence for a topic, since the error does not say which.
    """
    if code == KafkaError.TOPIC_AUTHORIZATION_FAILED:
        return topic()
    if code == KafkaError.GROUP_AUTHORIZATION_FAILED:
        return read_group(settings)
    if code == KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
        return write_transaction(settings)
    return None


def _topic(operation: str, name: str) -> str:
    return f"missing ACL: {operation} on Topic {name}; {_remedy(operation, f'--topic {name}')}"


def _remedy(operation: str, what: str) -> str:
    return (
        "give it to the worker's user: kafka-acls --add --allow-principal User:... --operation "
        f"{operation} {what}"
    )
