"""Laws of the native client, on the library's own brokers: as the public one, and never a crash.

That it keeps what source and sink promise is held beside, on a real Kafka, in
``test_source_and_sink.py`` and by the fault suite.
"""

import ctypes
import ctypes.util
import gc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import structlog
from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition
from structlog.testing import capture_logs

from stream_app.adapters.kafka.native import gates, kernels
from stream_app.adapters.kafka.native import library as native_library
from stream_app.adapters.kafka.native.consumer import NativeConsumer
from stream_app.adapters.kafka.native.library import (
    CannotUseError,
    CMessage,
    Library,
    library,
)
from stream_app.adapters.kafka.native.producer import NativeProducer
from stream_app.adapters.kafka.native.values import given, read_partitions
from stream_app.adapters.kafka.public_client import Fetched, PublicConsumer, PublicProducer
from stream_app.adapters.local_kafka import MockCluster
from stream_app.core.columns import BytesColumn, Header, OutputBatch, RecordBatch
from stream_app.readiness import ready_client
from stream_app.settings import load_settings
from tests.avro_kit import CountedTelemetry
from tests.kafka_fixtures import unique
from tests.worker import until

NOWHERE = {"bootstrap.servers": "127.0.0.1:9", "log_level": 0}

Clients = tuple[Callable[..., Any], Callable[..., Any]]


def _native(kind: Callable[..., Any]) -> Callable[..., Any]:
    return lambda properties: kind(library(), properties)


NATIVE: Clients = (_native(NativeConsumer), _native(NativeProducer))
PUBLIC: Clients = (PublicConsumer, PublicProducer)


@pytest.fixture(scope="module")
def brokers() -> Iterator[str]:
    with MockCluster() as cluster:
        yield cluster.bootstrap_servers


def outputs(topic: str, *values: bytes | None, **columns: Any) -> OutputBatch:
    count = len(values)
    return OutputBatch(
        topic=topic,
        rows=np.arange(count),
        values=BytesColumn.of(values),
        keys=columns.get("keys", BytesColumn.all_null(count)),
        partition=np.zeros(count, dtype=np.int32),
        timestamp_ms=np.arange(1, count + 1, dtype=np.int64),
        headers=columns.get("headers", {}),
    )


class Reader:
    """A member of a group of its own that takes every partition it is given."""

    def __init__(self, clients: Clients, brokers: str, topic: str) -> None:
        self.topic = topic
        self.events: list[str] = []
        self.raises: Exception | None = None
        self.consumer = clients[0](
            {
                "bootstrap.servers": brokers,
                "group.id": unique("reader"),
                "group.protocol": "consumer",
                "auto.offset.reset": "earliest",
                "log_level": 0,
            }
        )
        self.consumer.subscribe(
            [topic],
            on_assign=self._hear("assign"),
            on_revoke=self._hear("revoke"),
            on_lost=self._hear("lost"),
        )

    def _hear(self, event: str) -> Callable[[Any, list[Any]], None]:
        def called(consumer: Any, partitions: list[Any]) -> None:
            self.events.append(event)
            if self.raises is not None:
                raise self.raises
            if event == "assign":
                consumer.incremental_assign(partitions)
            else:
                consumer.incremental_unassign(partitions)

        return called

    def fetch(self, most: int = 100) -> Fetched:
        found: Fetched = self.consumer.fetch(self.topic, most, 0.1, lambda: None)
        return found

    def read(self, count: int) -> list[RecordBatch]:
        found: list[RecordBatch] = []

        def enough() -> bool:
            found.append(self.fetch().records)
            return sum(map(len, found)) >= count

        until(f"{count} records", enough, 20)
        return found


def rows(batches: Sequence[RecordBatch]) -> list[tuple[Any, ...]]:
    return [
        (
            int(b.partition[row]), int(b.offset[row]), int(b.timestamp_ms[row]),
            int(b.timestamp_type[row]), b.keys[row], b.values[row], b.headers.get(row),
        )
        for b in batches
        for row in range(len(b))
    ]  # fmt: skip


ODD: list[tuple[bytes | None, bytes | None, list[Header] | None]] = [
    (b"plain", None, None),
    (None, b"key of a tombstone", None),
    (b"", b"", []),
    (b"\0" * 300, b"\xff\0", [("a", b"1"), ("a", None), ("", b""), ("ü", b"\xfe")]),
    (b"x" * 70_000, b"k" * 500, None),
]


def test_records_are_those_that_the_public_client_brings(brokers: str) -> None:
    topic = unique("odd")
    producer = Producer({"bootstrap.servers": brokers})
    for number in range(60):
        value, key, headers = ODD[number % len(ODD)]
        producer.produce(topic, value, key, number % 4, timestamp=number + 1, headers=headers)
    assert producer.flush(10) == 0
    seen = []
    for clients in (PUBLIC, NATIVE):
        reader = Reader(clients, brokers, topic)
        seen.append(sorted(rows(reader.read(60))))
        reader.consumer.close()
    assert len(seen[0]) == 60
    assert seen[0] == seen[1]


def test_what_is_sent_is_what_the_public_client_would_send(brokers: str) -> None:
    values, keys, headers = zip(*ODD, strict=True)
    seen = []
    for clients in (PUBLIC, NATIVE):
        topic = unique("sent")
        producer = clients[1]({"bootstrap.servers": brokers, "partitioner": "murmur2_random"})
        named = {row: own for row, own in enumerate(headers) if own}
        batch = outputs(topic, *values, keys=BytesColumn.of(keys), headers=named)
        batch.partition[1] = -1  # by its key
        sent = producer.send(batch, 0)
        assert (sent.position, sent.error) == (len(values), None)
        assert producer.flush(10) == 0
        reader = Reader(PUBLIC, brokers, topic)
        seen.append(sorted(rows(reader.read(len(values)))))
        reader.consumer.close()
    assert len(seen[0]) == len(values)
    assert seen[0] == seen[1]


@pytest.mark.parametrize("clients", [PUBLIC, NATIVE], ids=["public", "native"])
def test_a_full_queue_stops_at_the_row_that_has_no_room(clients: Clients) -> None:
    producer = clients[1]({**NOWHERE, "queue.buffering.max.messages": 10})
    batch = outputs("t", *[b"v"] * 30, headers={12: (("a", b"1"),), 5: (("b", b"2"),)})
    sent = producer.send(batch, 0)
    assert (sent.position, sent.error.code()) == (10, KafkaError._QUEUE_FULL)
    assert producer.send(batch, sent.position).position == 10
    producer.purge()
    producer.poll(0)
    assert producer.send(batch, sent.position).position == 20
    producer.purge()


@pytest.mark.parametrize("clients", [PUBLIC, NATIVE], ids=["public", "native"])
def test_a_record_that_is_too_large_is_named_and_the_next_goes_on(clients: Clients) -> None:
    producer = clients[1]({**NOWHERE, "message.max.bytes": 2_000})
    batch = outputs("t", b"v", b"x" * 5_000, b"v")
    sent = producer.send(batch, 0)
    assert (sent.position, sent.error.code()) == (1, KafkaError.MSG_SIZE_TOO_LARGE)
    assert producer.send(batch, 2).error is None
    producer.purge()


@pytest.mark.parametrize("kind", [0, 1], ids=["consumer", "producer"])
def test_a_property_that_is_refused_is_named(kind: int) -> None:
    with pytest.raises(KafkaException) as caught:
        NATIVE[kind]({"no.such.property": "1"})
    assert 'No such configuration property: "no.such.property"' in caught.value.args[0].str()
    with pytest.raises(KafkaException) as caught:
        NATIVE[kind]({**NOWHERE, "group.id": "g", "ssl.ca.location": "/none", **SSL})
    assert caught.value.args[0].str()


SSL = {"security.protocol": "SSL"}


def test_a_client_that_is_closed_refuses_every_call(brokers: str) -> None:
    reader = Reader(NATIVE, brokers, unique("closed"))
    reader.consumer.close()
    reader.consumer.close()
    producer = NATIVE[1](NOWHERE)
    producer.close()
    producer.close()
    place = [TopicPartition("t", 0, 0)]
    for call in (
        reader.fetch,
        reader.consumer.consumer_group_metadata,
        lambda: reader.consumer.list_topics("t", 1),
        lambda: reader.consumer.position(place),
        lambda: reader.consumer.committed(place, 1),
        lambda: reader.consumer.pause(place),
        lambda: reader.consumer.seek(place[0]),
        lambda: reader.consumer.get_watermark_offsets(place[0], cached=True),
        lambda: producer.send(outputs("t", b"v"), 0),
        producer.poll,
        producer.purge,
        lambda: producer.flush(0),
        producer.begin_transaction,
        lambda: producer.commit_transaction(1),
    ):
        with pytest.raises(RuntimeError, match="closed"):
            call()


def test_what_a_rebalance_callback_raises_comes_out_and_the_rebalance_is_applied(
    brokers: str,
) -> None:
    topic = unique("raising")
    producer = PUBLIC[1]({"bootstrap.servers": brokers})
    producer.send(outputs(topic, b"1", b"2"), 0)
    assert producer.flush(10) == 0
    reader = Reader(NATIVE, brokers, topic)
    reader.raises = ZeroDivisionError()

    def joined() -> bool:
        reader.fetch()
        return False

    with pytest.raises(ZeroDivisionError):
        until("it joins", joined, 20)
    reader.raises = None
    assert len(rows(reader.read(2))) == 2
    reader.consumer.close()
    assert reader.events == ["assign", "revoke"]


def test_what_an_error_callback_raises_comes_out_of_the_poll() -> None:
    def refuse(error: Any) -> None:
        raise ZeroDivisionError(error.name())

    producer = NATIVE[1]({**NOWHERE, "error_cb": refuse})
    with pytest.raises(ZeroDivisionError, match=r"_TRANSPORT|_ALL_BROKERS_DOWN"):
        until("it is refused", lambda: producer.poll(0.1) and False, 20)


def test_a_fatal_error_is_raised_as_such() -> None:
    lib = library()
    test_fatal = ctypes.CDLL(str(lib.path)).rd_kafka_test_fatal_error
    test_fatal.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p]
    producer = NATIVE[1]({**NOWHERE, "enable.idempotence": True})
    test_fatal(producer.rk, KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, b"made up")
    with pytest.raises(KafkaException) as caught:
        until("it is told", lambda: producer.poll(0.1) and False, 20)
    error = caught.value.args[0]
    assert error.fatal()
    assert error.code() == KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert "made up" in error.str()


@pytest.mark.parametrize("clients", [PUBLIC, NATIVE], ids=["public", "native"])
def test_a_failed_delivery_says_why_and_nothing_of_the_record(clients: Clients) -> None:
    heard: list[tuple[str, str, str]] = []

    def hear(error: Any, message: Any) -> None:
        heard.append((error.name(), error.str(), message.topic()))

    limits = {"message.timeout.ms": 300, "delivery.report.only.error": True}
    producer = clients[1]({**NOWHERE, **limits, "on_delivery": hear})
    producer.send(outputs("t", b"SECRET-VALUE", keys=BytesColumn.of([b"SECRET-KEY"])), 0)
    until("it is told", lambda: (producer.poll(0.1), heard)[1], 20)
    assert heard == [("_MSG_TIMED_OUT", "Local: Message timed out", "t")]


def test_a_producer_that_raised_is_released_with_its_last_reference() -> None:
    gc.collect()
    before = _threads()
    gc.disable()
    try:
        for _ in range(3):
            _raise_from_a_poll()
        until("its threads have ended", lambda: _threads() <= before, 10)
    finally:
        gc.enable()


def _raise_from_a_poll() -> None:
    def refuse(error: Any) -> None:
        raise ZeroDivisionError(error.name())

    producer = NATIVE[1]({**NOWHERE, "error_cb": refuse})
    with pytest.raises(ZeroDivisionError):
        until("it is refused", lambda: producer.poll(0.1) and False, 20)


def test_log_lines_go_to_the_logger_on_the_polling_thread(brokers: str) -> None:
    class Lines:
        def __init__(self) -> None:
            self.seen: list[str] = []

        def log(self, level: int, message: str, *words: str) -> None:
            self.seen.append(f"{level} {message % words}")

    lines = Lines()
    told = {"bootstrap.servers": brokers, "debug": "broker", "logger": lines}
    producer = NATIVE[1](told)
    assert not lines.seen
    until("lines come", lambda: (producer.poll(0.1), lines.seen)[1], 10)
    assert any("rdkafka#producer" in line for line in lines.seen)


def test_positions_and_notes_come_back_as_they_went(brokers: str) -> None:
    del brokers
    lib = library()
    places = [TopicPartition("ü", 3, 7, metadata="a note"), TopicPartition("t", 0)]
    with given(lib, places) as listed:
        found = read_partitions(lib, listed)
    assert [(p.topic, p.partition, p.offset, p.metadata) for p in found] == [
        ("ü", 3, 7, "a note"),
        ("t", 0, -1001, None),
    ]


def test_committed_offsets_are_read_with_their_notes(brokers: str) -> None:
    topic = unique("offsets")
    with NATIVE[1]({"bootstrap.servers": brokers}) as producer:
        producer.list_topics(topic, timeout=5)  # the mock makes what a producer asks for
    reader = Reader(NATIVE, brokers, topic)
    until("it is assigned", lambda: (reader.fetch(), reader.events)[1], 20)
    place = TopicPartition(topic, 1, 5, metadata="note")
    reader.consumer.commit(offsets=[place], asynchronous=False)
    (found,) = reader.consumer.committed([TopicPartition(topic, 1)], timeout=5)
    assert (found.offset, found.metadata, found.error) == (5, "note", None)
    reader.consumer.close()


def test_a_client_that_nobody_refers_to_is_released() -> None:
    before = _threads()
    for _ in range(5):
        NATIVE[1](NOWHERE)
        NATIVE[0]({**NOWHERE, "group.id": "g"})
    gc.collect()
    until("its threads have ended", lambda: _threads() <= before, 10)


def _threads() -> int:
    with open("/proc/self/status", encoding="ascii") as file:  # noqa: PTH123  # a line of it
        return next(int(line.split()[1]) for line in file if line.startswith("Threads"))


# -- gates ------------------------------------------------------------------------------------


def test_every_gate_is_open_here() -> None:
    assert gates.fault() is None


class _Elsewhere:
    """The library, as if it kept an offset at another place than it does."""

    def __getattr__(self, name: str) -> Any:
        return getattr(library(), name)

    def topic_partition_list_set_offset(self, *_: Any) -> int:
        return 0


def _other_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "library", _Elsewhere)


def _dies_in_the_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "_mark", lambda _: None)
    monkeypatch.setattr(gates, "__name__", "tests.no_such_module")


def _other_records(monkeypatch: pytest.MonkeyPatch) -> None:
    read = gates._read
    monkeypatch.setattr(gates, "_read", lambda consumer: read(consumer)[:-1])


def _no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Library:
        raise CannotUseError("there is none")

    monkeypatch.setattr(gates, "library", missing)


def test_kernels_read_messages_where_the_header_says_that_fields_are() -> None:
    places = {name: getattr(CMessage, name).offset for name, *_ in CMessage._fields_}
    assert ctypes.sizeof(CMessage) == 72
    for name in ("err", "partition", "payload", "len", "key", "key_len", "offset"):
        assert places[name] == getattr(kernels, name.upper()), name


def test_a_library_of_another_version_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_library, "LEAST", 0x02FF0000)
    library.cache_clear()
    with pytest.raises(CannotUseError, match="is not one it was written for"):
        library()
    library.cache_clear()


def test_a_library_without_one_of_the_functions_is_not_called() -> None:
    other = ctypes.util.find_library("c") or "libSystem.dylib"
    with pytest.raises(CannotUseError, match="has no rd_kafka_version"):
        Library(Path(other))


def test_of_two_libraries_none_is_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    libraries = tmp_path / "confluent_kafka.libs"
    libraries.mkdir()
    for name in ("librdkafka-1.so.1", "librdkafka-2.so.1"):
        (libraries / name).touch()
    package = SimpleNamespace(__path__=[str(tmp_path / "confluent_kafka")])
    monkeypatch.setattr(native_library, "confluent_kafka", package)
    with pytest.raises(CannotUseError, match="2 files look like"):
        native_library._path()


@pytest.mark.parametrize("gate", [_other_form, _dies_in_the_try, _other_records, _no_library])
def test_a_gate_that_fails_means_the_public_client(
    monkeypatch: pytest.MonkeyPatch, gate: Callable[[pytest.MonkeyPatch], None]
) -> None:
    gates.fault.cache_clear()
    gate(monkeypatch)
    settings = load_settings(overrides={"kafka.client": "native"})
    telemetry = CountedTelemetry()
    structlog.reset_defaults()
    with capture_logs() as logs:
        used = ready_client(settings, telemetry, kernels=True)
    gates.fault.cache_clear()
    assert used.kafka.client == "public"
    (warning,) = [line for line in logs if line["event"] == "native_client_unavailable"]
    assert warning["reason"]
    assert telemetry.gauges == {"stream_app_kafka_client_info": 1}


def test_without_kernels_there_is_no_native_client() -> None:
    settings = load_settings(overrides={"kafka.client": "native"})
    assert ready_client(settings, CountedTelemetry(), kernels=False).kafka.client == "public"
