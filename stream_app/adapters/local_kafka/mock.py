"""librdkafka's own mock cluster: brokers inside this process, up in milliseconds, no Java.

It is good for a first look and for error paths. It is not a Kafka: transactions are accepted but
hide nothing (a read_committed reader sees open and aborted records) and drop their offsets;
every topic has four partitions, made when first asked for; a partition keeps its last 5 MiB; it
knows no DescribeConfigs, so tools that ask for it wait in vain.
"""

import time
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaException, Producer

from stream_app.errors import UnavailableError, UsageError

PARTITIONS = 4
"""What the mock gives every topic; nothing short of private interfaces changes it."""
_TIMEOUT_S = 10.0
_PAUSE_S = 0.02


class MockCluster:
    """Mock brokers on loopback ports that the kernel chooses; other processes may connect."""

    def __init__(self, brokers: int = 1) -> None:
        self._count = brokers
        self._host: Producer | None = None
        self._bootstrap_servers = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def bootstrap_servers(self) -> str:
        if self._host is None:
            raise UsageError("the mock cluster was not started: it has no addresses yet")
        return self._bootstrap_servers

    def start(self) -> None:
        """Return when the brokers answer.

        Raises:
            UnavailableError: they do not, which loopback gives no reason for.
        """
        if self._host is not None:
            raise UsageError("the mock cluster runs already")
        # The cluster lives and dies with the client that asks for it.
        host = Producer({"test.mock.num.brokers": self._count, "log_level": 0})
        try:
            brokers = host.list_topics(timeout=_TIMEOUT_S).brokers.values()
        except KafkaException as exc:
            raise UnavailableError(
                f"librdkafka's mock brokers do not answer within {_TIMEOUT_S:g} s: "
                f"{exc.args[0].str()}; is something wrong with 127.0.0.1 on this machine?"
            ) from exc
        self._bootstrap_servers = ",".join(f"{each.host}:{each.port}" for each in brokers)
        self._host = host

    def stop(self) -> None:
        """End the brokers; clients see closed connections."""
        if self._host is not None:
            self._host.close()
            self._host = None

    def create_topic(self, name: str, partitions: int = PARTITIONS) -> None:
        """Have a topic.

        Raises:
            UsageError: another number of partitions than the mock can give.
            UnavailableError: it did not come up.
        """
        if partitions != PARTITIONS:
            raise UsageError(
                f"a topic of the mock cluster has {PARTITIONS} partitions, not {partitions}; "
                "use a real Apache Kafka for another number"
            )
        if self._host is None:
            raise UsageError("the mock cluster was not started")
        deadline_s = time.monotonic() + _TIMEOUT_S
        while time.monotonic() < deadline_s:
            try:
                topic = self._host.list_topics(name, timeout=_TIMEOUT_S).topics[name]
            except KafkaException as exc:
                raise UnavailableError(
                    f"the mock cluster does not answer for topic {name}: {exc.args[0].str()}"
                ) from exc
            if topic.error is None and len(topic.partitions) == PARTITIONS:
                return
            time.sleep(_PAUSE_S)
        raise UnavailableError(f"the mock cluster made no topic {name} in {_TIMEOUT_S:g} s")
