"""The library's values as confluent-kafka's, and back: errors, partitions, metadata, headers.

Decides that whoever calls a client meets the same types from either. Every value that the library
gave away is released here, in the function that reads it.
"""

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import ClusterMetadata, PartitionMetadata, TopicMetadata

from stream_app.adapters.kafka.native.library import CMetadata, Library
from stream_app.core.columns import Header


def error_of(lib: Library, code: int, text: str | None = None, *, fatal: bool = False) -> Any:
    """A bare code as an error."""
    return KafkaError(code, text or _text(lib.err2str(code)), fatal)


def take_error(lib: Library, pointer: int | None) -> Any | None:
    """An error object as an error, released; ``None`` for none."""
    if not pointer:
        return None
    error = KafkaError(
        lib.error_code(pointer),
        _text(lib.error_string(pointer)),
        bool(lib.error_is_fatal(pointer)),
        bool(lib.error_is_retriable(pointer)),
        bool(lib.error_txn_requires_abort(pointer)),
    )
    lib.error_destroy(pointer)
    return error


def raise_code(lib: Library, code: int) -> None:
    """Raise what a function answered, if it is an error."""
    if code:
        raise KafkaException(error_of(lib, code))


def raise_error(lib: Library, pointer: int | None) -> None:
    """Likewise of an error object."""
    error = take_error(lib, pointer)
    if error is not None:
        raise KafkaException(error)


@contextmanager
def given(lib: Library, partitions: Sequence[Any]) -> Iterator[Any]:
    """``TopicPartition``s as the library's list."""
    listed = lib.topic_partition_list_new(len(partitions))
    try:
        for each in partitions:
            item = lib.topic_partition_list_add(listed, each.topic.encode(), each.partition)
            item.contents.offset = each.offset
            if each.metadata:
                content = each.metadata.encode()
                # The list frees it with the library's own allocator.
                room = lib.mem_malloc(None, len(content))
                ctypes.memmove(room, content, len(content))
                item.contents.metadata, item.contents.metadata_size = room, len(content)
        yield listed
    finally:
        lib.topic_partition_list_destroy(listed)


def read_partitions(lib: Library, listed: Any) -> list[Any]:
    """The library's list, which stays its own, as ``TopicPartition``s."""
    found = []
    for index in range(listed.contents.cnt):
        item = listed.contents.elems[index]
        place = (item.topic.decode(), item.partition, item.offset)
        if item.metadata_size:
            note = ctypes.string_at(item.metadata, item.metadata_size).decode(errors="replace")
            own = TopicPartition(*place, metadata=note)
        else:
            own = TopicPartition(*place)
        if item.err:
            own = _Failed(own, error_of(lib, item.err))
        found.append(own)
    return found


class _Failed:
    """A ``TopicPartition`` with an error, which Python cannot give the library's own."""

    def __init__(self, place: Any, error: Any) -> None:
        self.topic, self.partition, self.offset = place.topic, place.partition, place.offset
        self.metadata, self.error = place.metadata, error


def take_metadata(lib: Library, pointer: Any) -> Any:
    """The topics of a metadata answer, released."""
    found: CMetadata = pointer.contents
    cluster = ClusterMetadata()
    cluster.topics = {}
    for index in range(found.topic_cnt):
        item = found.topics[index]
        topic = TopicMetadata()
        topic.topic = item.topic.decode()
        topic.error = error_of(lib, item.err) if item.err else None
        topic.partitions = {}
        for number in range(item.partition_cnt):
            partition = PartitionMetadata()
            partition.id = item.partitions[number].id
            partition.leader = item.partitions[number].leader
            topic.partitions[partition.id] = partition
        cluster.topics[topic.topic] = topic
    lib.metadata_destroy(pointer)
    return cluster


def new_topic(lib: Library, rk: int, name: str) -> int:
    """A handle for one topic, to be destroyed before its client.

    Raises:
        KafkaException: there is none for this name.
    """
    made: int | None = lib.topic_new(rk, name.encode(), None)
    if not made:
        raise KafkaException(error_of(lib, lib.last_error()))
    return made


def make_headers(lib: Library, headers: Sequence[Header]) -> int:
    """For one message, who takes them over when it is accepted."""
    made: int = lib.headers_new(len(headers))
    for name, value in headers:
        size = -1 if value is None else len(value)
        lib.header_add(made, name.encode(), -1, value, 0 if value is None else size)
    return made


def _text(content: bytes | None) -> str:
    return (content or b"").decode(errors="replace")
