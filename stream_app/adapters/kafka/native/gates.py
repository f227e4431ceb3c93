"""Whether the library may be called directly in this process: every gate, and a try.

Decides before a worker joins: the platform, the version, the functions (``library.py``), the forms
of structs, and then real records through brokers of the library's own. What fails is a reason to
use the public client, never one to stop.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from stream_app.adapters.kafka.membership import membership_of
from stream_app.adapters.kafka.native.consumer import NativeConsumer
from stream_app.adapters.kafka.native.library import (
    CannotUseError,
    Library,
    library,
)
from stream_app.adapters.kafka.native.producer import NativeProducer
from stream_app.adapters.local_kafka.mock import PARTITIONS, MockCluster
from stream_app.adapters.process.kernel_cache import keep_kernels
from stream_app.core.columns import BytesColumn, OutputBatch, RecordBatch

_TOPIC = "stream-app-self-test"
_WITHIN_S = 10.0
_ROWS = 40


@lru_cache(maxsize=1)
def fault() -> str | None:
    """Why the library cannot be called directly; ``None``: it can. Found once a process.

    A struct that is laid out otherwise ends the process that reads it, so the first try with a
    library is made by another one; what passed is written down beside the kernels.
    """
    try:
        lib = library()
        passed = _mark(lib)
        if passed is None or not passed.exists():
            _try_elsewhere()
        check_forms(lib)
        self_test(lib)
        if passed is not None:
            passed.touch()
    except Exception as exc:  # noqa: BLE001  # whatever it is, the other client works
        return str(exc) or type(exc).__name__
    return None


def _mark(lib: Library) -> Path | None:
    kept_in = keep_kernels()
    if kept_in is None:
        return None
    told = lib.path.stat()
    return kept_in / f"{lib.path.name}-{lib.version():x}-{told.st_size}-{told.st_mtime_ns}.passed"


def _try_elsewhere() -> None:
    command = [sys.executable, "-m", __name__]
    try:
        tried = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=6 * _WITHIN_S
        )
    except subprocess.TimeoutExpired as exc:
        raise CannotUseError("the self-test does not end") from exc
    if tried.returncode:
        last = (tried.stderr.strip() or "no word").rsplit("\n", 1)[-1]
        raise CannotUseError(f"the self-test ended with {tried.returncode}: {last}")


def check_forms(lib: Library) -> None:
    """Have the library fill structs and compare.

    Raises:
        CannotUseError: it lays them out otherwise.
    """
    listed = lib.topic_partition_list_new(2)
    try:
        for partition in (7, 9):
            lib.topic_partition_list_add(listed, b"t", partition)
            lib.topic_partition_list_set_offset(listed, b"t", partition, 5 + partition)
        seen = [
            (item.topic, item.partition, item.offset, item.metadata, item.metadata_size, item.err)
            for item in listed.contents.elems[: listed.contents.cnt]
        ]
    finally:
        lib.topic_partition_list_destroy(listed)
    if seen != [(b"t", partition, 5 + partition, None, 0, 0) for partition in (7, 9)]:
        raise CannotUseError("the library lays its lists of partitions out otherwise")


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
            consumer.subscribe([_TOPIC], _assign, _unassign, _unassign)
            topic = consumer.list_topics(_TOPIC, _WITHIN_S).topics[_TOPIC]
            if topic.error is not None or set(topic.partitions) != set(range(PARTITIONS)):
                raise CannotUseError("the cluster's metadata are read otherwise")
            _transact(producer, sent)
            found = _read(consumer)
            _commit(producer, consumer)
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


def _commit(producer: NativeProducer, consumer: NativeConsumer) -> None:
    """What a worker does with a group's offsets, and how a refusal is told."""
    place = TopicPartition(_TOPIC, 1, 3, metadata="note")
    token = consumer.consumer_group_metadata()
    if not membership_of(token).is_member:
        raise CannotUseError("the group's metadata are read otherwise")
    producer.begin_transaction()
    producer.send_offsets_to_transaction([place], token, _WITHIN_S)
    producer.commit_transaction(_WITHIN_S)
    consumer.commit([place], asynchronous=False)
    (found,) = consumer.committed([TopicPartition(_TOPIC, 1)], _WITHIN_S)
    if (found.offset, found.metadata, found.error) != (3, "note", None):
        raise CannotUseError("committed offsets are read otherwise")
    try:
        producer.commit_transaction(_WITHIN_S)
    except KafkaException as exc:
        if exc.args[0].code() == KafkaError._STATE:
            return
    raise CannotUseError("a refusal is read otherwise")


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


if __name__ == "__main__":
    check_forms(library())
    self_test(library())
