"""The cluster that the demo runs on: the mock, a real one of its own, or yours.

Decides how each comes up, gets its topics and is left. After it nothing remains of the first two,
and of this run's topics on the third, unless asked.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from stream_app.adapters.demo.clients import delete_traces
from stream_app.adapters.kafka.admin import KafkaAdmin
from stream_app.adapters.kafka.topic_plan import PlanOptions, TopicPlan, plan_topics
from stream_app.adapters.kafka.topics import create_topics
from stream_app.adapters.local_kafka import LocalKafka, MockCluster
from stream_app.adapters.local_kafka.pins import KAFKA_VERSION
from stream_app.demo.options import PARTITIONS, DemoOptions, KafkaKind
from stream_app.errors import StreamAppError, UnavailableError
from stream_app.settings import Settings
from stream_app.verify import Isolation

Say = Callable[[str], None]

_KEPT_FOR_EVER_MS: Final = -1
"""Records carry the time of their event, which may be years ago."""

_VISIBLE_WITHIN_S: Final = 10.0
_LOOK_EVERY_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster that answers.

    Attributes:
        title: What it is, for a person.
        version: Of the brokers, where it is known.
        caution: What it is not, for a person; may be empty.
        bootstrap_servers: Its address.
        make_topics: Makes this run's topics, of the settings given.
        isolation: How a verdict can be reached on it.
    """

    title: str
    version: str
    caution: str
    bootstrap_servers: str
    make_topics: Callable[[Settings], None]
    isolation: Isolation = Isolation.READ_COMMITTED


@contextlib.contextmanager
def open_cluster(options: DemoOptions, say: Say) -> Iterator[Cluster]:
    """Have the cluster of these options until the block ends.

    Raises:
        StreamAppError: it cannot be had.
    """
    match options.kafka:
        case KafkaKind.MOCK:
            with MockCluster() as mock:
                yield _mock(mock)
        case KafkaKind.REAL:
            with LocalKafka(progress=say) as kafka:
                yield Cluster(
                    title=f"Apache Kafka {KAFKA_VERSION}, one broker, started for this run",
                    version=KAFKA_VERSION,
                    caution="",
                    bootstrap_servers=kafka.bootstrap_servers,
                    make_topics=_make_topics,
                )
        case KafkaKind.OWN:
            yield from _own(options, say)


def _mock(mock: MockCluster) -> Cluster:
    def make_topics(settings: Settings) -> None:
        for topic in _topics(settings):
            mock.create_topic(topic)

    return Cluster(
        title="librdkafka's mock cluster, inside this process",
        version="mock",
        caution="The mock has no transactions, so it cannot show exactly once; --kafka real does.",
        bootstrap_servers=mock.bootstrap_servers,
        make_topics=make_topics,
        isolation=Isolation.READ_UNCOMMITTED,
    )


def _own(options: DemoOptions, say: Say) -> Iterator[Cluster]:
    made: list[Settings] = []

    def make_topics(settings: Settings) -> None:
        # Where nobody answers there is nothing to remove either.
        KafkaAdmin(settings.kafka).partition_counts()
        made.append(settings)
        _make_topics(settings)

    try:
        yield Cluster(
            title=f"the cluster at {options.bootstrap_servers}",
            version="own",
            caution="",
            bootstrap_servers=options.bootstrap_servers,
            make_topics=make_topics,
        )
    finally:
        for settings in made:
            if options.keep:
                say(f"left on the cluster: topics {', '.join(_topics(settings))}")
            else:
                _remove(settings, say)


def _topics(settings: Settings) -> tuple[str, ...]:
    return tuple(plan.name for plan in _plan(settings))


def _plan(settings: Settings) -> tuple[TopicPlan, ...]:
    options = PlanOptions(partitions=PARTITIONS, retention_ms=_KEPT_FOR_EVER_MS, with_input=True)
    return plan_topics(settings, options)


def _make_topics(settings: Settings) -> None:
    admin = KafkaAdmin(settings.kafka)
    create_topics(admin, _plan(settings))
    deadline_s = time.monotonic() + _VISIBLE_WITHIN_S
    wanted = set(_topics(settings))
    while not wanted <= admin.partition_counts().keys():
        if time.monotonic() > deadline_s:
            raise UnavailableError(
                f"the topics {', '.join(wanted)} were made, and the cluster does not show them "
                f"within {_VISIBLE_WITHIN_S:g} s; look at its controllers"
            )
        time.sleep(_LOOK_EVERY_S)


def _remove(settings: Settings, say: Say) -> None:
    try:
        left = delete_traces(settings, _topics(settings))
    except StreamAppError as exc:
        left = [str(exc)]
    if left:
        say(f"{len(left)} of this run's topics or its group are left on the cluster: {left[0]}")
