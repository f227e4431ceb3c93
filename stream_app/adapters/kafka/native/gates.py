"""Whether the library may be called directly in this process: every gate, and a try.

Decides before a worker joins: the platform, the version, the functions, the forms of structs, and
then real records through brokers of the library's own, in this process. What fails is a reason to
use the public client, never one to stop.
"""

import time
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from confluent_kafka import TopicPartition

from stream_app.adapters.kafka.native import kernels
from stream_app.adapters.kafka.native.consumer import NativeConsumer
from stream_app.adapters.kafka.native.library import (
    CannotUseError,
    CMessage,
    CTopicPartition,
    Library,
    library,
)
from stream_app.adapters.kafka.native.producer import NativeProducer
from stream_app.adapters.local_kafka.mock import PARTITIONS, MockCluster
from stream_app.core.columns import BytesColumn, OutputBatch, RecordBatch

_TOPIC = "stream-app-self-test"
_WITHIN_S = 10.0
_ROWS = 40
_FORMS = {
    # Of a struct: its size, and where fields begin that are read or written.
    CMessage: (
        72,
        {
            "err": kernels.ERR,
            "partition": kernels.PARTITION,
            "payload": kernels.PAYLOAD,
            "len": kernels.LEN,
            "key": kernels.KEY,
            "key_len": kernels.KEY_LEN,
            "offset": kernels.OFFSET,
        },
    ),
    CTopicPartition: (64, {"partition": 8, "offset": 16, "metadata": 24, "err": 48}),
}


@lru_cache(maxsize=1)
def fault() -> str | None:
    """Why the library cannot be called directly; ``None``: it can. Found once a process."""
    try:
        check_forms()
        self_test(library())
    except Exception as exc:  # noqa: BLE001  # whatever it is, the other client works
        return str(exc) or type(exc).__name__
    return None


def check_forms() -> None:
    """Compare the structs of this platform with what the kernels read.

    Raises:
        CannotUseError: they differ.
    """
    for form, (size, places) in _FORMS.items():
        fields = {name: getattr(form, name).offset for name in places}
        if sum(1 for _ in bytes(form())) != size or fields != places:
            raise CannotUseError(f"{form.__name__} is laid out otherwise here")


def self_test(lib: Library) -> None:
    """Send records and read them again, as a worker does; about a second.

    Raises:
        CannotUseError: what came is not what was sent.
    """
    sent = _records()
    with MockCluster() as cluster:
        cluster.create_topic(_TOPIC, PARTITIONS)
        common = {"bootstrap.servers": cluster.bootstrap_servers, "log_level": 0}
        producer = NativeProducer(lib, {**common, "transactional.id": "self-test"})
        group = {
            "group.id": "self-test",
            "group.protocol": "consumer",
            "auto.offset.reset": "earliest",
        }
        with producer, NativeConsumer(lib, {**common, **group}) as consumer:
            _transact(producer, sent)
            consumer.subscribe([_TOPIC], _assign, _unassign, _unassign)
            found = _read(consumer)
    if _rows(found) != _rows(sent):
        raise CannotUseError("records were sent and read again, and did not come back the same")


def _assign(consumer: NativeConsumer, partitions: list[TopicPartition]) -> None:
    consumer.incremental_assign(partitions)


def _unassign(consumer: NativeConsumer, partitions: list[TopicPartition]) -> None:
    consumer.incremental_unassign(partitions)


def _records() -> OutputBatch:
    """One of each kind: with and without key, value, headers, time."""
    rows = range(_ROWS)
    return OutputBatch(
        topic=_TOPIC,
        rows=np.arange(_ROWS),
        values=BytesColumn.of([None if r % 7 == 3 else b"v" * (r % 5) for r in rows]),
        keys=BytesColumn.of([None if r % 3 else f"k{r}".encode() for r in rows]),
        partition=np.array([r % PARTITIONS for r in rows], dtype=np.int32),
        timestamp_ms=np.array([1_000 + r for r in rows], dtype=np.int64),
        headers={r: (("a", b"1"), ("b", None), ("c", b"")) for r in rows if r % 6 == 0},
    )


def _transact(producer: NativeProducer, records: OutputBatch) -> None:
    producer.init_transactions(_WITHIN_S)
    producer.begin_transaction()
    done = producer.send(records, 0)
    if done.error is not None or done.position != len(records):
        raise CannotUseError(f"{done.position} of {len(records)} records were taken: {done.error}")
    _until("deliveries", lambda: producer.flush(0.1) == 0)
    producer.commit_transaction(_WITHIN_S)


def _read(consumer: NativeConsumer) -> list[RecordBatch]:
    found: list[RecordBatch] = []

    def complete() -> bool:
        fetched = consumer.fetch(_TOPIC, _ROWS, 0.1, lambda: None)
        found.append(fetched.records)
        return sum(map(len, found)) >= _ROWS

    _until("records", complete)
    return found


def _rows(batches: OutputBatch | list[RecordBatch]) -> list[tuple[object, ...]]:
    found = [
        (
            int(batch.partition[row]),
            int(batch.timestamp_ms[row]),
            batch.keys[row],
            batch.values[row],
            tuple(batch.headers.get(row, ())),
        )
        for batch in (batches if isinstance(batches, list) else [batches])
        for row in range(len(batch))
    ]
    return sorted(found, key=lambda each: each[:2])


def _until(what: str, done: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + _WITHIN_S
    while not done():
        if time.monotonic() > deadline_s:
            raise CannotUseError(f"the self-test's {what} did not come in {_WITHIN_S:g} s")
