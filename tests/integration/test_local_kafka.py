"""The launcher, for real: what it starts is a Kafka, a registry, a mock; and nothing stays."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import httpx
import pytest
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    Message,
    Producer,
    TopicPartition,
)

from stream_app.adapters.local_kafka import Listener, LocalKafka, LocalRegistry
from stream_app.errors import UnavailableError
from tests.kafka_fixtures import MockKafka, RealKafka, unique

PATIENCE_S = 60.0


def read(bootstrap_servers: str, topic: str) -> list[bytes]:
    """All values that a read_committed reader sees up to the present end of each partition."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": unique("reader"),  # wanted by the client; nothing joins it
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "enable.auto.commit": False,
            "log_level": 0,
        }
    )
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, each, OFFSET_BEGINNING) for each in partitions])
    values: list[bytes] = []
    ended: set[int] = set()
    deadline_s = time.monotonic() + PATIENCE_S
    while len(ended) < len(partitions):
        assert time.monotonic() < deadline_s, f"partitions {ended} of {len(partitions)} ended"
        for message in consumer.consume(1000, 0.1):
            if message.error() is None:
                values.append(message.value())
            elif message.error().code() == KafkaError._PARTITION_EOF:
                ended.add(message.partition())
    consumer.close()
    return values


def test_committed_is_visible_and_aborted_is_hidden(kafka: RealKafka) -> None:
    topic = kafka.topic("transactions", 2)
    producer = Producer(
        {"bootstrap.servers": kafka.bootstrap_servers, "transactional.id": unique("txn")}
    )
    producer.init_transactions(PATIENCE_S)
    for number, commit in enumerate([True, False, True]):
        producer.begin_transaction()
        for copy in range(10):
            producer.produce(topic, f"{number}-{copy}".encode())
        producer.flush(PATIENCE_S)
        if commit:
            producer.commit_transaction(PATIENCE_S)
        else:
            producer.abort_transaction(PATIENCE_S)
    values = read(kafka.bootstrap_servers, topic)
    assert sorted(values) == sorted(f"{n}-{c}".encode() for n in (0, 2) for c in range(10))


def test_a_topic_must_be_made_before_it_is_written(kafka: RealKafka) -> None:
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})
    topics = producer.list_topics(unique("never-made"), timeout=10).topics.values()
    assert [topic.error.code() for topic in topics] == [KafkaError.UNKNOWN_TOPIC_OR_PART]


class Steady:
    """Sends numbers with acks=all at a steady pace and remembers which were acknowledged."""

    def __init__(self, bootstrap_servers: str, topic: str) -> None:
        self.sent = 0
        self.acknowledged: list[bytes] = []
        self._topic = topic
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap_servers,
                "acks": "all",
                "enable.idempotence": True,
                "log_level": 0,
            }
        )

    def send(self, count: int) -> None:
        for _ in range(count):
            self._producer.produce(
                self._topic, str(self.sent).encode(), on_delivery=self._delivered
            )
            self.sent += 1
            self._producer.poll(0.001)

    def finish(self) -> None:
        assert self._producer.flush(PATIENCE_S) == 0

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        assert error is None, error
        self.acknowledged.append(message.value())


def test_three_brokers_lose_nothing_when_one_is_killed(kafka3: RealKafka) -> None:
    assert kafka3.cluster is not None
    topic = kafka3.topic("survives", 3)
    victim = kafka3.cluster.brokers[0]
    steady = Steady(kafka3.bootstrap_servers, topic)
    steady.send(500)
    victim.kill()
    assert not victim.alive
    sent_at_kill = steady.sent
    deadline_s = time.monotonic() + PATIENCE_S
    while len(steady.acknowledged) <= sent_at_kill:  # until the survivors have taken over
        assert time.monotonic() < deadline_s
        steady.send(100)
    victim.start()
    steady.finish()
    expected = sorted(str(number).encode() for number in range(steady.sent))
    assert sorted(steady.acknowledged) == expected
    assert sorted(read(kafka3.bootstrap_servers, topic)) == expected


def register(registry_url: str, subject: str, schema: str) -> httpx.Response:
    return httpx.post(
        f"{registry_url}/subjects/{subject}/versions", json={"schema": schema}, timeout=10
    )


def record(*fields: str) -> str:
    return '{"type":"record","name":"R","fields":[' + ",".join(fields) + "]}"


def test_the_registry_registers_and_refuses_what_readers_could_not_read(registry_url: str) -> None:
    subject = unique("subject")
    first = register(registry_url, subject, record('{"name":"a","type":"int"}'))
    assert first.status_code == 200
    by_id = httpx.get(f"{registry_url}/schemas/ids/{first.json()['id']}", timeout=10)
    assert '"a"' in by_id.json()["schema"]
    no_default = record('{"name":"a","type":"int"}', '{"name":"b","type":"int"}')
    assert register(registry_url, subject, no_default).status_code == 409
    default = record('{"name":"a","type":"int"}', '{"name":"b","type":"int","default":0}')
    assert register(registry_url, subject, default).status_code == 200


IN_ANOTHER_PROCESS = """
import sys
from confluent_kafka import Producer
producer = Producer({"bootstrap.servers": sys.argv[1]})
producer.produce(sys.argv[2], b"from afar")
sys.exit(producer.flush(20))
"""


def test_the_mock_is_reachable_from_another_process(mock_kafka: MockKafka) -> None:
    topic = mock_kafka.topic("mock")
    command = [sys.executable, "-c", IN_ANOTHER_PROCESS, mock_kafka.bootstrap_servers, topic]
    subprocess.run(command, check=True, timeout=PATIENCE_S)
    assert read(mock_kafka.bootstrap_servers, topic) == [b"from afar"]


@pytest.mark.usefixtures("kafka_installed")
def test_a_broker_keeps_its_data_over_kill_and_stop_and_leaves_nothing(tmp_path: Path) -> None:
    with LocalKafka(work_dir=tmp_path, tests=True) as cluster:
        (broker,) = cluster.brokers
        cluster.create_topic("kept", 1)
        producer = Producer({"bootstrap.servers": cluster.bootstrap_servers, "log_level": 0})
        for how in (broker.kill, broker.stop):
            producer.produce("kept", how.__name__.encode())
            assert producer.flush(PATIENCE_S) == 0
            how()
            assert not broker.alive
            broker.start()
        assert read(cluster.bootstrap_servers, "kept") == [b"kill", b"stop"]
        last = broker.process
    assert not last.alive
    assert (broker.folder / "broker.log").is_file()
    assert not (broker.folder / "data").exists()


@pytest.mark.usefixtures("kafka_installed")
def test_a_refused_property_is_told_with_the_end_of_the_log(tmp_path: Path) -> None:
    cluster = LocalKafka(work_dir=tmp_path, extra_properties={"num.io.threads": "none"})
    with pytest.raises(UnavailableError, match=r"(?s)broker 1.*num\.io\.threads"):
        cluster.start()
    assert not any(broker.alive for broker in cluster.brokers)


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def ports_from(first: Iterable[int]) -> Iterator[int]:
    from stream_app.adapters.local_kafka import free_port  # noqa: PLC0415  # replaced elsewhere

    yield from first
    while True:
        yield free_port()


@pytest.mark.usefixtures("kafka_installed")
def test_a_port_that_was_taken_meanwhile_is_replaced(
    taken_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = ports_from([taken_port])
    monkeypatch.setattr("stream_app.adapters.local_kafka.cluster.free_port", lambda: next(ports))
    with LocalKafka() as cluster:
        assert cluster.brokers[0].ports["PLAINTEXT"] != taken_port


@pytest.mark.usefixtures("registry_installed")
def test_a_registry_s_port_that_was_taken_meanwhile_is_replaced(
    taken_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = ports_from([taken_port])
    monkeypatch.setattr("stream_app.adapters.local_kafka.registry.free_port", lambda: next(ports))
    with LocalRegistry() as registry:
        assert str(taken_port) not in registry.url
        assert httpx.get(f"{registry.url}/config", timeout=10).json() == {
            "compatibilityLevel": "BACKWARD"
        }


SCRAM = "listener.name.guarded.scram-sha-512.sasl.jaas.config"
LOGIN_MODULE = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


@pytest.fixture(scope="module")
def doors(kafka_installed: None) -> Iterator[LocalKafka]:
    """A cluster with two more listeners: behind a proxy, and behind a password."""
    with LocalKafka(
        listeners=[
            Listener("PROXY", advertised_ports=(19_999,)),
            Listener("GUARDED", security="SASL_PLAINTEXT"),
        ],
        extra_properties={
            "listener.name.guarded.sasl.enabled.mechanisms": "SCRAM-SHA-512",
            SCRAM: LOGIN_MODULE,
        },
        format_arguments=("--add-scram", "SCRAM-SHA-512=[name=worker,password=right]"),
        tests=True,
    ) as cluster:
        yield cluster


def test_a_listener_may_advertise_a_proxy_s_port(doors: LocalKafka) -> None:
    assert doors.bootstrap("PROXY") == "127.0.0.1:19999"
    inside = doors.brokers[0].ports["PROXY"]
    client = Producer({"bootstrap.servers": f"127.0.0.1:{inside}", "log_level": 0})
    brokers = client.list_topics(timeout=10).brokers
    assert {each.port for each in brokers.values()} == {19_999}


@pytest.mark.parametrize(("password", "comes_in"), [("right", True), ("wrong", False)])
def test_a_listener_may_ask_for_a_password(
    doors: LocalKafka, password: str, comes_in: bool
) -> None:
    refused: list[int] = []
    client = Producer(
        {
            "bootstrap.servers": doors.bootstrap("GUARDED"),
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": "worker",
            "sasl.password": password,
            "error_cb": lambda error: refused.append(error.code()),
            "log_level": 0,
        }
    )
    if comes_in:
        assert len(client.list_topics(timeout=10).brokers) == 1
    else:
        deadline_s = time.monotonic() + PATIENCE_S
        while KafkaError._AUTHENTICATION not in refused:
            assert time.monotonic() < deadline_s, refused
            client.poll(0.1)
