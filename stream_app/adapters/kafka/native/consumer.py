"""A consumer of the library, with the methods that confluent-kafka's has: those that are used.

Decides how messages become columns without being Python objects, and that a rebalance is applied
even where whoever was told of it fails.
"""

import ctypes
from collections.abc import Callable, Mapping, Sequence
from ctypes import c_int64, c_size_t, c_void_p
from typing import Any

import numpy as np
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from stream_app.adapters.kafka.native.handle import Handle, Kept, milliseconds
from stream_app.adapters.kafka.native.header_kernels import read_headers
from stream_app.adapters.kafka.native.kernels import Taken, measure, release, take
from stream_app.adapters.kafka.native.library import (
    CONSUMER,
    NOT_WITH_CLOSE,
    REBALANCE_CB,
    CMessage,
    Library,
)
from stream_app.adapters.kafka.native.values import (
    error_of,
    given,
    raise_code,
    raise_error,
    read_partitions,
)
from stream_app.adapters.kafka.public_client import Fetched, NoRecord
from stream_app.core.columns import BoolArray, BytesColumn, Int64Array, RecordBatch, UInt8Array

_SEEK_TIMEOUT_S = 10.0
_UNKNOWN_OFFSET = -1001
_SYNCHRONOUS = 0

OnRebalance = Callable[[Any, list[Any]], None]


class NativeConsumer(Handle):
    """See the module; all of it belongs to the thread that polls."""

    def __init__(self, lib: Library, properties: Mapping[str, Any]) -> None:
        """Make it.

        Raises:
            KafkaException: as :class:`Handle`.
        """
        self._hears: dict[str, OnRebalance] = {}
        self._applied = False

        def prepare(conf: int) -> None:
            callback = REBALANCE_CB(lambda _, code, listed, __: self._rebalance(code, listed))
            self._callbacks.append(callback)
            lib.conf_set_rebalance_cb(conf, callback)

        self._queue: int | None = None
        super().__init__(lib, CONSUMER, properties, prepare)
        raise_code(lib, lib.poll_set_consumer(self.rk))
        self._queue = lib.queue_get_consumer(self.rk)
        self._timestamp_of = lib.address("message_timestamp")
        self._headers_of = lib.address("message_headers")
        self._header_of = lib.address("header_get_all")
        self._destroy = lib.address("message_destroy")
        self._sizes = np.zeros(4, dtype=np.int64)
        self._pointers = np.zeros(1, dtype=np.int64)

    # -- records -----------------------------------------------------------------------------

    def fetch(
        self, topic: str, max_records: int, wait_s: float, between: Callable[[], None]
    ) -> Fetched:
        """As :meth:`~stream_app.adapters.kafka.public_client.PublicConsumer.fetch`."""
        if len(self._pointers) < max_records:
            self._pointers = np.zeros(max_records, dtype=np.int64)
        held = count = self._consume(0, 1, milliseconds(wait_s))
        try:
            self.kept.raise_it()
            if held:
                between()
            if held and max_records > 1:
                count += self._consume(held, max_records - held, 0)
                self.kept.raise_it()
            return self._columns(topic, self._pointers[:count], held)
        finally:
            release(self._pointers[:count], self._destroy)

    def _consume(self, begin: int, count: int, timeout_ms: int) -> int:
        """Have the library write its messages from ``begin`` on; how many came."""
        lib = self._lib
        to = self._pointers.ctypes.data + begin * self._pointers.itemsize
        queue = self._queue if self.rk else None
        came: int = lib.consume_batch_queue(queue, timeout_ms, to, count)
        if came >= 0:
            return came
        self.kept.keep(KafkaException(error_of(lib, lib.last_error())))
        return 0

    def _columns(self, topic: str, messages: Int64Array, held: int) -> Fetched:
        measure(messages, self._sizes)
        count, bad, value_bytes, key_bytes = self._sizes.tolist()
        taken = Taken(
            values=np.empty(value_bytes, dtype=np.uint8),
            value_ends=np.empty(count + 1, dtype=np.int64),
            value_nulls=np.empty(count, dtype=np.bool_),
            keys=np.empty(key_bytes, dtype=np.uint8),
            key_ends=np.empty(count + 1, dtype=np.int64),
            key_nulls=np.empty(count, dtype=np.bool_),
            partition=np.empty(count, dtype=np.int32),
            offset=np.empty(count, dtype=np.int64),
            timestamp_ms=np.empty(count, dtype=np.int64),
            timestamp_type=np.empty(count, dtype=np.int8),
            headers=np.empty(count, dtype=np.int64),
            errors=np.empty(bad, dtype=np.int64),
        )
        take(messages, self._timestamp_of, self._headers_of, taken)
        headers = taken.headers
        records = RecordBatch(
            topic=topic,
            values=_column(taken.values, taken.value_ends, taken.value_nulls),
            keys=_column(taken.keys, taken.key_ends, taken.key_nulls),
            partition=taken.partition,
            offset=taken.offset,
            timestamp_ms=taken.timestamp_ms,
            timestamp_type=taken.timestamp_type,
            headers=read_headers(headers, self._header_of) if headers.any() else {},
        )
        errors = [self._no_record(int(messages[i]), i < held) for i in taken.errors.tolist()]
        return Fetched(records, held - sum(each.held for each in errors), errors)

    def _no_record(self, address: int, held: bool) -> NoRecord:
        lib = self._lib
        message = CMessage.from_address(address)
        words = lib.message_errstr(ctypes.byref(message))
        topic = lib.topic_name(message.rkt) if message.rkt else b""
        error = error_of(lib, message.err, (words or b"").decode(errors="replace"))
        return NoRecord(error, topic.decode(), message.partition, message.offset, held=held)

    # -- the group -----------------------------------------------------------------------------

    def subscribe(
        self, topics: Sequence[str], on_assign: OnRebalance, on_revoke: OnRebalance, on_lost: Any
    ) -> None:
        """Join; each callback is called inside :meth:`fetch` and :meth:`close`."""
        self._hears = {"assign": on_assign, "revoke": on_revoke, "lost": on_lost}
        with given(self._lib, [TopicPartition(topic) for topic in topics]) as listed:
            raise_code(self._lib, self._lib.subscribe(self.rk, listed))

    def _rebalance(self, code: int, listed: Any) -> None:
        """The library's callback: nothing may come out of it."""
        kept: Kept = self.kept
        try:
            partitions = read_partitions(self._lib, listed)
            coming = code == KafkaError._ASSIGN_PARTITIONS
            lost = not coming and bool(self._lib.assignment_lost(self.rk))
            self._applied = False
            try:
                self._hears["assign" if coming else "lost" if lost else "revoke"](self, partitions)
            finally:
                # Or the library would wait for it for ever.
                if not self._applied:
                    (self.incremental_assign if coming else self.incremental_unassign)(partitions)
        except BaseException as exc:  # noqa: BLE001  # raised by the call that served this
            kept.keep(exc)

    def incremental_assign(self, partitions: Sequence[Any]) -> None:
        """Fetch these too, from their offsets or the committed ones."""
        self._applied = True
        with given(self._lib, partitions) as listed:
            raise_error(self._lib, self._lib.incremental_assign(self.rk, listed))

    def incremental_unassign(self, partitions: Sequence[Any]) -> None:
        """Fetch these no more."""
        self._applied = True
        with given(self._lib, partitions) as listed:
            raise_error(self._lib, self._lib.incremental_unassign(self.rk, listed))

    def consumer_group_metadata(self) -> bytes:
        """Serialised, for a producer of either kind."""
        lib = self._lib
        metadata = lib.consumer_group_metadata(self.rk)
        if not metadata:
            return b""
        content, size = c_void_p(), c_size_t()
        try:
            written = lib.consumer_group_metadata_write(
                metadata, ctypes.byref(content), ctypes.byref(size)
            )
            raise_error(lib, written)
            return ctypes.string_at(content.value or 0, size.value)
        finally:
            lib.consumer_group_metadata_destroy(metadata)
            if content.value:
                lib.mem_free(None, content)

    # -- positions -------------------------------------------------------------------------------

    def pause(self, partitions: Sequence[Any]) -> None:
        """Bring no records of these."""
        with given(self._lib, partitions) as listed:
            raise_code(self._lib, self._lib.pause_partitions(self.rk, listed))

    def resume(self, partitions: Sequence[Any]) -> None:
        """Bring them again."""
        with given(self._lib, partitions) as listed:
            raise_code(self._lib, self._lib.resume_partitions(self.rk, listed))

    def seek(self, target: Any) -> None:
        """Fetch its partition from its offset next."""
        with given(self._lib, [target]) as listed:
            timeout_ms = milliseconds(_SEEK_TIMEOUT_S)
            raise_error(self._lib, self._lib.seek_partitions(self.rk, listed, timeout_ms))
            raise_code(self._lib, listed.contents.elems[0].err)

    def position(self, partitions: Sequence[Any]) -> list[Any]:
        """Where it is in each; a negative offset before the first record."""
        with given(self._lib, partitions) as listed:
            raise_code(self._lib, self._lib.position(self.rk, listed))
            return read_partitions(self._lib, listed)

    def committed(self, partitions: Sequence[Any], timeout: float) -> list[Any]:
        """The group's offsets, each with its metadata and error."""
        with given(self._lib, partitions) as listed:
            code = self._lib.committed(self.rk, listed, milliseconds(timeout))
            raise_code(self._lib, code)
            return read_partitions(self._lib, listed)

    def commit(self, offsets: Sequence[Any], asynchronous: bool) -> list[Any]:
        """Commit without a transaction, and wait."""
        if asynchronous:
            raise ValueError("nobody would hear whether it succeeded")
        with given(self._lib, offsets) as listed:
            raise_code(self._lib, self._lib.commit(self.rk, listed, _SYNCHRONOUS))
            return read_partitions(self._lib, listed)

    def get_watermark_offsets(
        self, partition: Any, timeout: float = -1.0, cached: bool = False
    ) -> tuple[int, int]:
        """The first offset and the one after the last; as last told, or asked for now."""
        low, high = c_int64(_UNKNOWN_OFFSET), c_int64(_UNKNOWN_OFFSET)
        place = (self.rk, partition.topic.encode(), partition.partition)
        ends = (ctypes.byref(low), ctypes.byref(high))
        if cached:
            code = self._lib.get_watermark_offsets(*place, *ends)
        else:
            code = self._lib.query_watermark_offsets(*place, *ends, milliseconds(timeout))
        raise_code(self._lib, code)
        return low.value, high.value

    def close(self) -> None:
        """Leave the group, which may call back, and release everything."""
        if not self.is_open:
            return
        lib = self._lib
        # Whatever it answers, the client is over.
        lib.consumer_close(self.rk)
        lib.queue_destroy(self._queue)
        rk = self.take()
        lib.destroy(rk)
        # The library calls nobody any more; one of these refers to this very object.
        self._callbacks.clear()
        self.kept.raise_it()

    def __del__(self) -> None:
        """As the public client: without a word to the group, which it knows by the session."""
        rk = self.take() if hasattr(self, "_rk") else None
        if rk is not None:
            if self._queue is not None:
                self._lib.queue_destroy(self._queue)
            self._lib.destroy_flags(rk, NOT_WITH_CLOSE)


def _column(data: UInt8Array, ends: Int64Array, nulls: BoolArray) -> BytesColumn:
    return BytesColumn(data.tobytes(), ends, nulls if nulls.any() else None)
