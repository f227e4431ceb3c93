"""What a broker of a local cluster is told: its properties, as a pure function of its place.

It decides the values that make a broker quick and small on one machine and strict where tests
look (no topics by accident, three copies where there are three brokers). A caller's own
properties win over all of these.
"""

import base64
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
CONTROLLER = "CONTROLLER"
PLAINTEXT = "PLAINTEXT"


@dataclass(frozen=True, slots=True)
class Listener:
    """One more door of each broker, beside the plain one that the cluster itself uses.

    A TCP proxy sits in front of a broker by ``Listener("PROXY", advertised_ports=(p1, ...))``:
    the broker listens on a port of its own (``Broker.ports["PROXY"]``, where the proxy connects
    to) and tells clients the port of the proxy. Properties of its security go into the cluster's
    ``extra_properties`` as ``listener.name.<name in lower case>.…``.
    """

    name: str
    security: str = "PLAINTEXT"
    """PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."""
    advertised_ports: tuple[int, ...] = ()
    """By broker, what clients are told to connect to; empty: the port that the broker has."""


@dataclass(frozen=True, slots=True)
class Node:
    """One broker's place in the cluster; the same over all its restarts."""

    node_id: int
    directory_id: str
    ports: Mapping[str, int]
    """By the listener's name, where the process listens."""
    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def voter(self) -> str:
        return f"{self.node_id}@{HOST}:{self.ports[CONTROLLER]}:{self.directory_id}"


def random_id() -> str:
    """22 characters, as Kafka writes a UUID; never one that looks like an option."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode("ascii").rstrip("=")
        if not text.startswith("-"):
            return text


def broker_properties(
    node: Node, nodes: Sequence[Node], listeners: Sequence[Listener], *, tests: bool
) -> dict[str, str]:
    """All properties of ``node``; ``tests`` lets silent members be noticed even sooner."""
    copies = min(3, len(nodes))
    quorum_of_copies = 2 if copies > 1 else 1
    doors = [Listener(PLAINTEXT), *listeners]
    return {
        "process.roles": "broker,controller",
        "node.id": str(node.node_id),
        "controller.quorum.bootstrap.servers": ",".join(
            f"{HOST}:{each.ports[CONTROLLER]}" for each in nodes
        ),
        "controller.listener.names": CONTROLLER,
        "inter.broker.listener.name": PLAINTEXT,
        "listeners": ",".join(f"{name}://{HOST}:{port}" for name, port in node.ports.items()),
        "advertised.listeners": ",".join(
            f"{door.name}://{HOST}:{advertised_port(door, node, nodes)}" for door in doors
        ),
        "listener.security.protocol.map": ",".join(
            f"{door.name}:{door.security}" for door in [*doors, Listener(CONTROLLER)]
        ),
        "log.dirs": str(node.data),
        "default.replication.factor": str(copies),
        "min.insync.replicas": str(quorum_of_copies),
        "offsets.topic.replication.factor": str(copies),
        "transaction.state.log.replication.factor": str(copies),
        "transaction.state.log.min.isr": str(quorum_of_copies),
        "share.coordinator.state.topic.replication.factor": str(copies),
        "share.coordinator.state.topic.min.isr": str(quorum_of_copies),
        **_SMALL_AND_QUICK,
        **_silence_times(tests=tests),
    }


def advertised_port(listener: Listener, node: Node, nodes: Sequence[Node]) -> int:
    if listener.advertised_ports:
        return listener.advertised_ports[list(nodes).index(node)]
    return node.ports[listener.name]


def as_file(properties: Mapping[str, str]) -> str:
    """The text of a Java properties file."""
    return "".join(f"{key}={_escape(value)}\n" for key, value in properties.items())


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n")


_SMALL_AND_QUICK = {
    # A topic that a client made by a typing error hides the fault that a test looks for.
    "auto.create.topics.enable": "false",
    "num.partitions": "4",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.num.partitions": "4",
    # Records carry the event's time, which may be years ago: never delete by age.
    "log.retention.ms": "-1",
    "log.cleaner.dedupe.buffer.size": "8388608",
    "group.initial.rebalance.delay.ms": "0",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "num.recovery.threads.per.data.dir": "1",
    "background.threads": "2",
}


def _silence_times(*, tests: bool) -> dict[str, str]:
    """How soon a silent broker loses its leaderships, and a silent member its partitions.

    Under KIP-848 the broker alone decides the latter; a classic member asks for what it wants.
    """
    session_ms, heartbeat_ms = (3000, 500) if tests else (6000, 1000)
    return {
        "broker.session.timeout.ms": str(session_ms),
        "broker.heartbeat.interval.ms": str(heartbeat_ms),
        "controller.quorum.election.timeout.ms": "500",
        "controller.quorum.fetch.timeout.ms": "1000",
        "group.min.session.timeout.ms": "1000",
        "group.consumer.min.session.timeout.ms": "1000",
        "group.consumer.session.timeout.ms": str(session_ms),
        "group.consumer.min.heartbeat.interval.ms": "100",
        "group.consumer.heartbeat.interval.ms": str(heartbeat_ms),
    }
