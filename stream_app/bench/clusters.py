"""The cluster that a bench runs on: the mock, a real one of its own, or yours.

Decides how topics are made on each and that all of them go in the end, with the groups that read
them; nothing that was there before is changed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from stream_app.adapters.bench.topics import make_topics, remove
from stream_app.adapters.kafka.admin import KafkaAdmin
from stream_app.adapters.local_kafka import LocalKafka, MockCluster
from stream_app.adapters.local_kafka.pins import KAFKA_VERSION
from stream_app.bench.options import ClusterKind
from stream_app.errors import UsageError
from stream_app.settings import KafkaSettings

Say = Callable[[str], None]

_MOCK_OVERRIDES: Final = {
    # The mock makes members of the classic protocol wait three seconds for each other, and
    # answers a fetch when its wait is over, even if records came before.
    "kafka.group_protocol": "consumer",
    "kafka.properties.fetch.wait.max.ms": "5",
}
_HEAP: Final = "1g"
_ALL_OF_THE_COMPILER: Final = "-XX:TieredStopAtLevel=4"
"""A broker that serves millions a second has both; the launcher's own settings are for trials."""


@dataclass(slots=True)
class Cluster:
    """A cluster that answers.

    Attributes:
        title: What it is, for a person.
        version: Of the brokers, where it is known.
        caution: What its figures cannot mean; may be empty.
        kafka: How to reach it.
        overrides: Settings for it, over the user's.
        topics: Made and not yet removed.
        groups: That have read them.
    """

    title: str
    version: str
    caution: str
    kafka: KafkaSettings
    overrides: Mapping[str, str]
    make: Callable[[Sequence[str], int], None]
    topics: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    drops: bool = True

    def make_topics(self, names: Sequence[str], partitions: int) -> None:
        """Make them."""
        # Noted first: what is half made when a signal comes must be removed too.
        self.topics += names
        self.make(names, partitions)

    def drop(self, names: Sequence[str]) -> None:
        """Remove topics that are needed no more; what stays is tried again in the end."""
        if self.drops and not remove(self.kafka, names, ()):
            self.topics = [name for name in self.topics if name not in names]

    def clear(self) -> list[str]:
        """Remove all that was made; what could not be, and why."""
        if not self.drops:
            return []
        return remove(self.kafka, self.topics, self.groups)


@contextmanager
def open_cluster(kind: ClusterKind, kafka: KafkaSettings, say: Say) -> Iterator[Cluster]:
    """Have the cluster until the block ends.

    Args:
        kind: Which.
        kafka: The settings in effect; for a cluster of one's own, how to reach it.
        say: Hears what takes long.

    Raises:
        StreamAppError: it cannot be had.
    """
    match kind:
        case ClusterKind.MOCK:
            with MockCluster() as mock:
                yield _mock(mock, kafka)
        case ClusterKind.REAL:
            options = (_ALL_OF_THE_COMPILER,)
            with LocalKafka(heap=_HEAP, java_options=options, progress=say) as cluster:
                own = _plain(kafka, cluster.bootstrap_servers)
                title = f"Apache Kafka {KAFKA_VERSION}, one broker, started for this run"
                yield Cluster(title, KAFKA_VERSION, "", own, _login(own), _maker(own))
        case ClusterKind.OWN:
            yield from _own(kafka, say)


def _mock(mock: MockCluster, kafka: KafkaSettings) -> Cluster:
    own = _plain(kafka, mock.bootstrap_servers)

    def make(names: Sequence[str], partitions: int) -> None:
        for name in names:
            mock.create_topic(name, partitions)

    return Cluster(
        title="librdkafka's mock cluster, inside this process",
        version="mock",
        caution="The mock writes nothing to a disk and its transactions hide nothing: these "
        "figures are for comparing, --kafka real is for knowing.",
        kafka=own,
        overrides=_login(own) | _MOCK_OVERRIDES,
        make=make,
        drops=False,
    )


def _own(kafka: KafkaSettings, say: Say) -> Iterator[Cluster]:
    if not kafka.bootstrap_servers:
        raise UsageError("no cluster is given: set kafka.bootstrap_servers, or use --kafka real")
    # Where nobody answers there is nothing to remove either.
    KafkaAdmin(kafka).partition_counts()
    title = f"the cluster at {kafka.bootstrap_servers}"
    cluster = Cluster(title, "own", "", kafka, {}, _maker(kafka))
    try:
        yield cluster
    finally:
        for left in cluster.clear():
            with suppress(OSError):
                say(f"left on the cluster: {left}")


def _plain(kafka: KafkaSettings, servers: str) -> KafkaSettings:
    """A cluster started here has a plain door only, whatever the settings say of another."""
    return KafkaSettings(bootstrap_servers=servers, properties=kafka.properties)


def _login(kafka: KafkaSettings) -> dict[str, str]:
    return {
        "kafka.bootstrap_servers": kafka.bootstrap_servers,
        "kafka.security_protocol": "PLAINTEXT",
        "kafka.sasl_mechanism": "",
    }


def _maker(kafka: KafkaSettings) -> Callable[[Sequence[str], int], None]:
    return lambda names, partitions: make_topics(kafka, names, partitions)
