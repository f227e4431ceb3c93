"""Real clusters whose clients may come in through a network that tests break.

Decides how brokers and doors find each other: a broker names the door in front of it as its
address, so that coordinators are behind doors too. The plain door stays as it is, for the feed
and the judges. Refuses to know any fault.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from stream_app.adapters.local_kafka import Listener, LocalKafka
from tests.fault.proxy import Network
from tests.kafka_fixtures import RealKafka


@dataclass(frozen=True, slots=True)
class Proxied:
    """A cluster, and networks to it; a way in of its own for whoever is to be cut off alone.

    Attributes:
        plain: The brokers' own doors.
        network: What workers come through.
        other: A second network to the same brokers.
    """

    plain: RealKafka
    network: Network
    other: Network

    @property
    def bootstrap_servers(self) -> str:
        """The plain door."""
        return self.plain.bootstrap_servers

    @property
    def bootstrap(self) -> str:
        """The door that can be broken."""
        return self.network.bootstrap_servers

    def topic(self, prefix: str, partitions: int = 4, **config: str) -> str:
        """See :class:`tests.kafka_fixtures.RealKafka`."""
        return self.plain.topic(prefix, partitions, **config)

    def heal(self) -> None:
        """No rule holds any longer, and what requests came is forgotten."""
        for network in (self.network, self.other):
            network.heal()
            network.requests.clear()


def _started(brokers: int) -> Iterator[Proxied]:
    with ExitStack() as stack:
        networks = [stack.enter_context(Network(brokers)) for _ in range(2)]
        listeners = [
            Listener(f"PROXY{number}", advertised_ports=network.ports)
            for number, network in enumerate(networks)
        ]
        cluster = stack.enter_context(LocalKafka(brokers, listeners=listeners, tests=True))
        for listener, network in zip(listeners, networks, strict=True):
            network.connect(*(broker.ports[listener.name] for broker in cluster.brokers))
        yield Proxied(RealKafka(cluster.bootstrap_servers, cluster), *networks)


@pytest.fixture(scope="session")
def proxied_cluster(kafka_installed: None) -> Iterator[Proxied]:
    """One broker, behind doors."""
    yield from _started(1)


@pytest.fixture(scope="session")
def proxied3_cluster(kafka_installed: None) -> Iterator[Proxied]:
    """Three brokers, behind doors."""
    yield from _started(3)


@pytest.fixture
def proxied(proxied_cluster: Proxied) -> Iterator[Proxied]:
    """One broker; the network is whole when a test begins, whatever the last one left."""
    yield proxied_cluster
    proxied_cluster.heal()


@pytest.fixture
def proxied3(proxied3_cluster: Proxied) -> Iterator[Proxied]:
    """Three brokers; as ``proxied``."""
    yield proxied3_cluster
    proxied3_cluster.heal()
