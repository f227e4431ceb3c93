"""A topic that is not there, in the words in which that is told everywhere: its name, its setting.

Decides the sentence. Knows nothing of how an absence is found.
"""

from collections.abc import Iterable

from confluent_kafka import KafkaError

from stream_app.settings import Settings

MISSING_TOPIC = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.UNKNOWN_TOPIC_ID,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
    }
)
"""Codes of an error about a topic, or a partition of it, that is not there."""


def missing_topic(settings: Settings, code: int, topics: Iterable[str] = ()) -> str | None:
    """Which topic is not there, and how it is made; ``None``: the error is not about that.

    Args:
        settings: Of the worker.
        code: Of a client's error.
        topics: Those that it can be; none: any of the worker's.
    """
    if code not in MISSING_TOPIC:
        return None
    names = {
        settings.input.topic: "input.topic",
        settings.predictions_topic: "output.predictions_topic",
        settings.dlq_topic: "output.dlq_topic",
        settings.partials_topic: "drift.partials_topic",
    }
    shown = [f"{topic} ({names.get(topic, 'topic')})" for topic in topics or names]
    which = shown[0] if len(shown) == 1 else f"one of {', '.join(shown)}"
    return (
        f"{which} does not exist, or lacks a partition; it is waited for, and nothing is "
        "committed meanwhile: stream-app topics create"
    )
