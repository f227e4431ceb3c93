"""The shared library: where it is, what it must be, and the functions of it that are used.

Decides which build of librdkafka is called: the very one that confluent-kafka has loaded. The
forms of structs and functions are those of its public header, ``rdkafka.h``.
"""

import ctypes
import struct
import sys
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_char_p,
    c_int,
    c_int32,
    c_int64,
    c_size_t,
    c_ssize_t,
    c_void_p,
)
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import confluent_kafka

LEAST: Final = 0x020E02FF
BELOW: Final = 0x03000000
"""Versions as the library counts: 2.14.2 is the least that a worker may run on, and the structs
below have been as they are from 1.0 on; of a next major version nobody knows."""

PRODUCER, CONSUMER = 0, 1
CONF_OK = 0
NOT_WITH_CLOSE = 0x8
"""Of ``rd_kafka_destroy_flags``: leave the group without a word, if at all."""


class CTopicPartition(Structure):
    """``rd_kafka_topic_partition_t``."""

    __slots__ = ()
    _fields_ = [
        ("topic", c_char_p),
        ("partition", c_int32),
        ("offset", c_int64),
        ("metadata", c_void_p),
        ("metadata_size", c_size_t),
        ("opaque", c_void_p),
        ("err", c_int),
        ("_private", c_void_p),
    ]


class CTopicPartitions(Structure):
    """``rd_kafka_topic_partition_list_t``."""

    __slots__ = ()
    _fields_ = [("cnt", c_int), ("size", c_int), ("elems", POINTER(CTopicPartition))]


class CMessage(Structure):
    """``rd_kafka_message_t``; the kernels read it by its offsets."""

    __slots__ = ()
    _fields_ = [
        ("err", c_int),
        ("rkt", c_void_p),
        ("partition", c_int32),
        ("payload", c_void_p),
        ("len", c_size_t),
        ("key", c_void_p),
        ("key_len", c_size_t),
        ("offset", c_int64),
        ("_private", c_void_p),
    ]


class CPartitionMetadata(Structure):
    """``rd_kafka_metadata_partition_t``."""

    __slots__ = ()
    _fields_ = [
        ("id", c_int32),
        ("err", c_int),
        ("leader", c_int32),
        ("replica_cnt", c_int),
        ("replicas", c_void_p),
        ("isr_cnt", c_int),
        ("isrs", c_void_p),
    ]


class CTopicMetadata(Structure):
    """``rd_kafka_metadata_topic_t``."""

    __slots__ = ()
    _fields_ = [
        ("topic", c_char_p),
        ("partition_cnt", c_int),
        ("partitions", POINTER(CPartitionMetadata)),
        ("err", c_int),
    ]


class CMetadata(Structure):
    """``rd_kafka_metadata_t``."""

    __slots__ = ()
    _fields_ = [
        ("broker_cnt", c_int),
        ("brokers", c_void_p),
        ("topic_cnt", c_int),
        ("topics", POINTER(CTopicMetadata)),
        ("orig_broker_id", c_int32),
        ("orig_broker_name", c_char_p),
    ]


Partitions = POINTER(CTopicPartitions)
Bytes = POINTER(c_char_p)

REBALANCE_CB = CFUNCTYPE(None, c_void_p, c_int, Partitions, c_void_p)
ERROR_CB = CFUNCTYPE(None, c_void_p, c_int, c_char_p, c_void_p)
LOG_CB = CFUNCTYPE(None, c_void_p, c_int, c_char_p, c_char_p)
DELIVERY_CB = CFUNCTYPE(None, c_void_p, POINTER(CMessage), c_void_p)

_PTR = c_void_p
_PROTOTYPES: Final[dict[str, tuple[Any, ...]]] = {
    # Name: what it returns, and what it takes.
    "version": (c_int,),
    "conf_new": (_PTR,),
    "conf_destroy": (None, _PTR),
    "conf_set": (c_int, _PTR, c_char_p, c_char_p, c_char_p, c_size_t),
    "conf_set_rebalance_cb": (None, _PTR, REBALANCE_CB),
    "conf_set_error_cb": (None, _PTR, ERROR_CB),
    "conf_set_log_cb": (None, _PTR, LOG_CB),
    "conf_set_dr_msg_cb": (None, _PTR, DELIVERY_CB),
    "conf_enable_sasl_queue": (None, _PTR, c_int),
    "sasl_background_callbacks_enable": (_PTR, _PTR),
    "new": (_PTR, c_int, _PTR, c_char_p, c_size_t),
    "destroy": (None, _PTR),
    "destroy_flags": (None, _PTR, c_int),
    "set_log_queue": (c_int, _PTR, _PTR),
    "name": (c_char_p, _PTR),
    "poll": (c_int, _PTR, c_int),
    "err2str": (c_char_p, c_int),
    "last_error": (c_int,),
    "fatal_error": (c_int, _PTR, c_char_p, c_size_t),
    "error_code": (c_int, _PTR),
    "error_string": (c_char_p, _PTR),
    "error_is_fatal": (c_int, _PTR),
    "error_is_retriable": (c_int, _PTR),
    "error_txn_requires_abort": (c_int, _PTR),
    "error_destroy": (None, _PTR),
    "mem_malloc": (_PTR, _PTR, c_size_t),
    "mem_free": (None, _PTR, _PTR),
    "topic_new": (_PTR, _PTR, c_char_p, _PTR),
    "topic_name": (c_char_p, _PTR),
    "topic_destroy": (None, _PTR),
    "metadata": (c_int, _PTR, c_int, _PTR, POINTER(POINTER(CMetadata)), c_int),
    "metadata_destroy": (None, POINTER(CMetadata)),
    "topic_partition_list_new": (Partitions, c_int),
    "topic_partition_list_add": (POINTER(CTopicPartition), Partitions, c_char_p, c_int32),
    "topic_partition_list_set_offset": (c_int, Partitions, c_char_p, c_int32, c_int64),
    "topic_partition_list_destroy": (None, Partitions),
    "poll_set_consumer": (c_int, _PTR),
    "queue_get_consumer": (_PTR, _PTR),
    "queue_destroy": (None, _PTR),
    "consume_batch_queue": (c_ssize_t, _PTR, c_int, _PTR, c_size_t),
    "message_destroy": (None, _PTR),
    "message_errstr": (c_char_p, POINTER(CMessage)),
    "message_timestamp": (c_int64, _PTR, _PTR),
    "message_headers": (c_int, _PTR, _PTR),
    "header_get_all": (c_int, _PTR, c_size_t, Bytes, POINTER(_PTR), POINTER(c_size_t)),
    "subscribe": (c_int, _PTR, Partitions),
    "incremental_assign": (_PTR, _PTR, Partitions),
    "incremental_unassign": (_PTR, _PTR, Partitions),
    "assignment_lost": (c_int, _PTR),
    "pause_partitions": (c_int, _PTR, Partitions),
    "resume_partitions": (c_int, _PTR, Partitions),
    "seek_partitions": (_PTR, _PTR, Partitions, c_int),
    "position": (c_int, _PTR, Partitions),
    "committed": (c_int, _PTR, Partitions, c_int),
    "commit": (c_int, _PTR, Partitions, c_int),
    "get_watermark_offsets": (
        c_int,
        _PTR,
        c_char_p,
        c_int32,
        POINTER(c_int64),
        POINTER(c_int64),
    ),
    "query_watermark_offsets": (
        c_int,
        _PTR,
        c_char_p,
        c_int32,
        POINTER(c_int64),
        POINTER(c_int64),
        c_int,
    ),
    "consumer_group_metadata": (_PTR, _PTR),
    "consumer_group_metadata_write": (_PTR, _PTR, POINTER(_PTR), POINTER(c_size_t)),
    "consumer_group_metadata_read": (_PTR, POINTER(_PTR), c_char_p, c_size_t),
    "consumer_group_metadata_destroy": (None, _PTR),
    "consumer_close": (c_int, _PTR),
    "produceva": (_PTR, _PTR, _PTR, c_size_t),
    "headers_new": (_PTR, c_size_t),
    "header_add": (c_int, _PTR, c_char_p, c_ssize_t, c_char_p, c_ssize_t),
    "headers_destroy": (None, _PTR),
    "flush": (c_int, _PTR, c_int),
    "outq_len": (c_int, _PTR),
    "purge": (c_int, _PTR, c_int),
    "init_transactions": (_PTR, _PTR, c_int),
    "begin_transaction": (_PTR, _PTR),
    "send_offsets_to_transaction": (_PTR, _PTR, Partitions, _PTR, c_int),
    "commit_transaction": (_PTR, _PTR, c_int),
    "abort_transaction": (_PTR, _PTR, c_int),
}


class CannotUseError(Exception):
    """The library cannot be called directly here; the text says why."""


class Library:
    """Its functions, by their names without ``rd_kafka_``; calling one lets other threads run.

    Raises:
        CannotUseError: it is not there, or not what this binding was written for.
    """

    def __init__(self, path: Path) -> None:
        try:
            loaded = ctypes.CDLL(str(path))
        except OSError as exc:
            raise CannotUseError(f"{path.name} cannot be loaded: {exc}") from exc
        for name, (result, *arguments) in _PROTOTYPES.items():
            try:
                function = loaded[f"rd_kafka_{name}"]
            except AttributeError as exc:
                raise CannotUseError(f"{path.name} has no rd_kafka_{name}") from exc
            function.restype, function.argtypes = result, arguments
            setattr(self, name, function)
        self.path = path

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"no prototype of rd_kafka_{name} is written down")

    def address(self, name: str) -> int:
        """Of a function, for a kernel to call."""
        found = ctypes.cast(getattr(self, name), c_void_p).value
        if found is None:
            raise CannotUseError(f"rd_kafka_{name} has no address")
        return found


@lru_cache(maxsize=1)
def library() -> Library:
    """The library, loaded once.

    Raises:
        CannotUseError: as :class:`Library`; or this platform is none of those it was tried on.
    """
    if struct.calcsize("P") != 8 or sys.byteorder != "little":
        raise CannotUseError("only 64-bit little-endian machines are known to it")
    found = Library(_path())
    version = int(found.version())
    if not LEAST <= version < BELOW:
        raise CannotUseError(f"librdkafka {version:#010x} is not one it was written for")
    return found


def _path() -> Path:
    """Beside confluent-kafka, where its wheel has put it."""
    package = Path(confluent_kafka.__path__[0])
    places = (
        (package.parent / "confluent_kafka.libs", "librdkafka-*.so*"),
        (package / ".dylibs", "librdkafka*.dylib"),
    )
    found = [path for folder, pattern in places for path in sorted(folder.glob(pattern))]
    if len(found) != 1:
        raise CannotUseError(
            f"{len(found)} files look like the librdkafka of confluent-kafka's wheel, not one"
        )
    return found[0]
