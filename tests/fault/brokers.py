"""Which broker leads what, and how to bring brokers back: for tests that take some away.

Decides by asking the brokers, never a worker.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from stream_app.adapters.local_kafka.broker import Broker
from stream_app.adapters.process.slots import default_instance, transactional_id
from tests.fault.bench import Bench, Run
from tests.kafka_fixtures import RealKafka
from tests.worker import Job, until

OFFSETS = "__consumer_offsets"
TRANSACTIONS = "__transaction_state"

BACK_S = 120.0
"""For brokers that were started to be members again, and their copies in sync."""


def brokers_of(kafka: RealKafka) -> tuple[Broker, ...]:
    """Its processes; only a cluster of our own has them."""
    assert kafka.cluster is not None
    return kafka.cluster.brokers


def steady_input(kafka: RealKafka) -> str:
    """An input in which a broker's end makes no duplicates.

    A broker forgets an idempotent producer whose newest record is older than a day, at a restart
    too, and then takes a batch that is sent again for a new one. Events carry their own times, of
    years ago; so here records are stamped as they come. Open transactions are never forgotten, so
    that outcomes need none of this.
    """
    return kafka.topic("loans", message_timestamp_type="LogAppendTime")


def leader(kafka: RealKafka, topic: str, partition: int) -> Broker:
    """Who leads it now."""
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})

    def look() -> int | None:
        try:
            found = admin.list_topics(topic, timeout=5).topics[topic].partitions.get(partition)
        except KafkaException:
            return None
        return found.leader if found is not None and found.leader > 0 else None

    node_id = until(f"{topic}[{partition}] has a leader", look, BACK_S)
    (broker,) = (each for each in brokers_of(kafka) if each.node_id == node_id)
    return broker


def in_sync(kafka: RealKafka) -> None:
    """Return when every copy of every partition is where its leader is."""
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})

    def look() -> bool:
        try:
            found = admin.list_topics(timeout=5)
        except KafkaException:
            return False
        partitions = [p for topic in found.topics.values() for p in topic.partitions.values()]
        return len(found.brokers) == len(brokers_of(kafka)) and all(
            p.leader > 0 and len(p.isrs) == len(p.replicas) for p in partitions
        )

    until("all brokers are back and their copies in sync", look, BACK_S)


@contextmanager
def shaken(bench: Bench, kafka: RealKafka, *, per_second: float = 500.0) -> Iterator[Run]:
    """A run on brokers that are all at work again afterwards, however it ends."""
    with (
        all_back_afterwards(kafka),
        bench.run(kafka, per_second=per_second, input__topic=steady_input(kafka)) as run,
    ):
        yield run


@contextmanager
def all_back_afterwards(kafka: RealKafka) -> Iterator[None]:
    """Whatever the block does to brokers, the next test finds all of them at work."""
    try:
        yield
    finally:
        bring_back(kafka)


def bring_back(kafka: RealKafka) -> None:
    """Wake the frozen and start the dead, together, since they may need each other's votes."""
    for broker in brokers_of(kafka):
        if broker.alive:
            broker.resume()
        else:
            broker.launch()
    in_sync(kafka)


def group_partition(kafka: RealKafka, job: Job) -> int:
    """Of ``__consumer_offsets``, the partition whose leader coordinates the job's group."""
    return _partition_of(kafka, OFFSETS, job.overrides["kafka.group"])


def transaction_partition(kafka: RealKafka, job: Job, slot: int = 0) -> int:
    """Of ``__transaction_state``, that of the worker in this slot."""
    name = transactional_id(job.overrides["kafka.group"], default_instance(), slot)
    return _partition_of(kafka, TRANSACTIONS, name)


def _partition_of(kafka: RealKafka, topic: str, name: str) -> int:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})
    count = len(admin.list_topics(topic, timeout=10).topics[topic].partitions)
    return (java_hash(name) & 0x7FFFFFFF) % count


def java_hash(text: str) -> int:
    """``String.hashCode`` of plain text, by which brokers share out groups and transactions."""
    value = 0
    for character in text:
        value = (31 * value + ord(character)) & 0xFFFFFFFF
    return value - (1 << 32) if value & 0x80000000 else value
