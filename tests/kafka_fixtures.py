"""Real clusters for tests: found or started once a run, never silently left out.

Order of preference: the cluster that ``STREAM_APP_TEST_BOOTSTRAP`` names, then Apache Kafka from
pip-installed packages, then a skip that says why. Where ``CI`` is set a skip is a failure. A
broker that is there but does not start is a failure everywhere.
"""

import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:  # pure unit tests need no Kafka client
    from stream_app.adapters.local_kafka import LocalKafka

BOOTSTRAP_VARIABLE = "STREAM_APP_TEST_BOOTSTRAP"
REGISTRY_VARIABLE = "STREAM_APP_TEST_REGISTRY"


class KafkaForTests(Protocol):
    """What a test may ask of a cluster, be it real or the mock."""

    @property
    def bootstrap_servers(self) -> str:
        """``host:port,…``, plain."""

    def topic(self, prefix: str, partitions: int = 4, **config: str) -> str:
        """Make a topic with a name of its own and say that name."""


@dataclass(frozen=True, slots=True)
class RealKafka:
    """A real Apache Kafka; ``cluster`` has its brokers, and is ``None`` for one found running."""

    bootstrap_servers: str
    cluster: "LocalKafka | None"

    def topic(self, prefix: str, partitions: int = 4, **config: str) -> str:
        """Make a topic that never deletes by age; ``max_message_bytes="9"`` sets a config."""
        from stream_app.adapters.local_kafka import create_topic  # noqa: PLC0415

        name = unique(prefix)
        dotted = {key.replace("_", "."): value for key, value in config.items()}
        create_topic(
            self.bootstrap_servers, name, partitions, config={"retention.ms": "-1"} | dotted
        )
        return name


@dataclass(frozen=True, slots=True)
class MockKafka:
    """librdkafka's mock: four partitions always, nothing transactional."""

    bootstrap_servers: str
    create: Callable[[str, int], None]

    def topic(self, prefix: str, partitions: int = 4, **config: str) -> str:
        """Make a topic; the mock knows no topic configuration."""
        if config:
            raise ValueError(f"the mock cluster knows no topic configuration: {sorted(config)}")
        name = unique(prefix)
        self.create(name, partitions)
        return name


def unique(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def unavailable(reason: str) -> None:
    """Skip, or fail where a skip would hide that nothing was tested."""
    if os.environ.get("CI", "").lower() not in {"", "0", "false", "no"}:
        pytest.fail(f"must run where CI is set, and cannot: {reason}", pytrace=False)
    pytest.skip(reason)


def _require(find: Callable[[], object]) -> None:
    """Have the programs, or skip; what fails after this fails the test."""
    from stream_app.errors import StreamAppError  # noqa: PLC0415

    try:
        find()
    except StreamAppError as exc:
        unavailable(str(exc))


@pytest.fixture(scope="session")
def kafka_installed() -> None:
    """For tests that start clusters of their own: the programs are there, or they are skipped."""
    from stream_app.adapters.local_kafka.program import KafkaProgram  # noqa: PLC0415

    _require(KafkaProgram.find)


@pytest.fixture(scope="session")
def registry_installed() -> None:
    """As ``kafka_installed``, of the schema registry."""
    from stream_app.adapters.local_kafka import LocalRegistry  # noqa: PLC0415

    _require(LocalRegistry.install)


def started_kafka(brokers: int) -> Iterator[RealKafka]:
    """A cluster of its own, as a fixture yields it."""
    from stream_app.adapters.local_kafka import LocalKafka  # noqa: PLC0415

    with LocalKafka(brokers, tests=True) as cluster:
        yield RealKafka(cluster.bootstrap_servers, cluster)


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> Iterator[RealKafka]:
    """One broker for the whole run; tests keep apart by topic, group and transactional id."""
    if bootstrap := os.environ.get(BOOTSTRAP_VARIABLE):
        from stream_app.adapters.local_kafka import brokers_of  # noqa: PLC0415

        brokers_of(bootstrap)
        yield RealKafka(bootstrap, None)
    else:
        request.getfixturevalue("kafka_installed")
        yield from started_kafka(1)


@pytest.fixture(scope="session")
def kafka3(kafka_installed: None) -> Iterator[RealKafka]:
    """Three brokers, three copies, two in sync; always our own, so that tests may kill brokers.

    A test that kills or pauses a broker starts or resumes it again before it ends.
    """
    yield from started_kafka(3)


@pytest.fixture(scope="session")
def registry_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A real schema registry with compatibility BACKWARD; keep apart by subject."""
    if url := os.environ.get(REGISTRY_VARIABLE):
        yield url
        return
    from stream_app.adapters.local_kafka import LocalRegistry  # noqa: PLC0415

    request.getfixturevalue("registry_installed")
    with LocalRegistry() as registry:
        yield registry.url


@pytest.fixture(scope="session")
def mock_kafka() -> Iterator[MockKafka]:
    """One mock cluster of librdkafka, in the process of the tests."""
    from stream_app.adapters.local_kafka import MockCluster  # noqa: PLC0415

    with MockCluster() as cluster:
        yield MockKafka(cluster.bootstrap_servers, cluster.create_topic)
