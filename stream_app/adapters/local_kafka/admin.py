"""Questions to a local cluster through confluent_kafka: is it all there; make this topic.

It decides how long is long enough and turns the client's errors into ours. It does not know how
the cluster was started.
"""

import time
from collections.abc import Callable, Mapping

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from stream_app.errors import UnavailableError, UsageError

READY_TIMEOUT_S = 60.0
TOPIC_TIMEOUT_S = 30.0
_ASK_TIMEOUT_S = 1.0
_PAUSE_S = 0.05


def _client(bootstrap_servers: str) -> AdminClient:
    return AdminClient(
        {
            "bootstrap.servers": bootstrap_servers,
            "log_level": 0,  # refused connections are what waiting looks like
            "reconnect.backoff.ms": 20,
            "reconnect.backoff.max.ms": 200,
        }
    )


def wait_for_brokers(
    bootstrap_servers: str,
    node_ids: set[int],
    *,
    timeout_s: float = READY_TIMEOUT_S,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Return once metadata names all of ``node_ids``.

    Args:
        bootstrap_servers: Whom to ask.
        node_ids: Who must be in the cluster.
        timeout_s: How long to ask.
        check: Called before each question; raises when there is nothing left to wait for.

    Raises:
        UnavailableError: they were not all there in time.
    """
    client = _client(bootstrap_servers)
    deadline_s = time.monotonic() + timeout_s
    found: set[int] = set()
    while time.monotonic() < deadline_s:
        check()
        try:
            found = set(client.list_topics(timeout=_ASK_TIMEOUT_S).brokers)
        except KafkaException:
            found = set()
        if node_ids <= found:
            return
        time.sleep(_PAUSE_S)
    raise UnavailableError(
        f"brokers {sorted(node_ids)} were expected at {bootstrap_servers} within {timeout_s:g} s, "
        f"and {sorted(found) or 'none'} answered; look at their logs"
    )


def brokers_of(bootstrap_servers: str, *, timeout_s: float = 10.0) -> dict[int, str]:
    """The brokers that answer there: ``host:port`` by id.

    Raises:
        UnavailableError: nobody answers.
    """
    try:
        brokers = _client(bootstrap_servers).list_topics(timeout=timeout_s).brokers
    except KafkaException as exc:
        raise UnavailableError(
            f"no broker answers at {bootstrap_servers} within {timeout_s:g} s: "
            f"{exc.args[0].str()}; start it, or correct the address"
        ) from exc
    return {node_id: f"{each.host}:{each.port}" for node_id, each in brokers.items()}


def create_topic(
    bootstrap_servers: str,
    name: str,
    partitions: int = 4,
    *,
    replication: int = -1,
    config: Mapping[str, str] | None = None,
) -> None:
    """Make a topic and wait until each partition has a leader that the client sees.

    Args:
        bootstrap_servers: Whom to ask.
        name: Of the topic; must be new.
        partitions: How many.
        replication: Copies of each; -1 is the cluster's default.
        config: Topic configuration.

    Raises:
        UsageError: the cluster refuses it, or has such a topic already.
        UnavailableError: no leaders in time.
    """
    client = _client(bootstrap_servers)
    topic = NewTopic(name, partitions, replication, config=dict(config or {}))
    try:
        client.create_topics([topic], request_timeout=TOPIC_TIMEOUT_S)[name].result()
    except KafkaException as exc:
        raise UsageError(
            f"topic {name} with {partitions} partitions was refused: {exc.args[0].str()}"
        ) from exc
    deadline_s = time.monotonic() + TOPIC_TIMEOUT_S
    while time.monotonic() < deadline_s:
        if _has_leaders(client, name, partitions):
            return
        time.sleep(_PAUSE_S)
    raise UnavailableError(f"topic {name} got no leaders within {TOPIC_TIMEOUT_S:g} s")


def _has_leaders(client: AdminClient, name: str, partitions: int) -> bool:
    try:
        topic = client.list_topics(name, timeout=_ASK_TIMEOUT_S).topics[name]
    except KafkaException:
        return False
    leaders = [each.leader for each in topic.partitions.values() if each.leader >= 0]
    return topic.error is None and len(leaders) == partitions
