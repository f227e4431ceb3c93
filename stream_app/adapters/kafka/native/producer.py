"""A producer of the library, with the methods that confluent-kafka's has: those that are used.

Decides how columns become messages without being Python objects.
"""

import ctypes
from collections.abc import Callable, Mapping, Sequence
from ctypes import c_void_p
from typing import Any

import numpy as np

from stream_app.adapters.kafka.native.handle import Handle, Kept, milliseconds
from stream_app.adapters.kafka.native.kernels import Sending, send
from stream_app.adapters.kafka.native.library import DELIVERY_CB, PRODUCER, CMessage, Library
from stream_app.adapters.kafka.native.values import (
    error_of,
    given,
    make_headers,
    new_topic,
    raise_code,
    raise_error,
    take_error,
)
from stream_app.adapters.kafka.public_client import Sent
from stream_app.core.columns import NO_TIMESTAMP, BoolArray, Int64Array, OutputBatch

_NOW = 0
_PURGE_QUEUE, _PURGE_IN_FLIGHT, _DO_NOT_WAIT = 1, 2, 4
_NONE: BoolArray = np.empty(0, dtype=np.bool_)
_NO_HEADERS: Int64Array = np.empty(0, dtype=np.int64)


class _Delivered:
    """What a delivery report has of a message: where it was to go."""

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def topic(self) -> str:
        return self._topic


class NativeProducer(Handle):
    """See the module. One thread at a time."""

    def __init__(self, lib: Library, properties: Mapping[str, Any]) -> None:
        """Make it; ``on_delivery`` among the properties hears of each delivery report.

        Raises:
            KafkaException: as :class:`Handle`.
        """
        own = dict(properties)
        on_delivery = own.pop("on_delivery", None)
        self._topics: dict[str, int] = {}

        def prepare(conf: int) -> None:
            # Also where nobody listens: without one, a commit was measured at ten times as long.
            callback = _delivery_callback(lib, on_delivery, self.kept)
            self._callbacks.append(callback)
            lib.conf_set_dr_msg_cb(conf, callback)

        super().__init__(lib, PRODUCER, own, prepare)
        self._produceva = lib.address("produceva")
        self._refusal = np.zeros(1, dtype=np.int64)

    def send(self, outputs: OutputBatch, begin: int) -> Sent:
        """As :meth:`~stream_app.adapters.kafka.public_client.PublicProducer.send`."""
        lib, rk = self._lib, self.rk
        rkt = self._topics.get(outputs.topic)
        if rkt is None:
            rkt = self._topics[outputs.topic] = new_topic(lib, rk, outputs.topic)
        headers = self._headers(outputs, begin)
        values, keys, given_ms = outputs.values, outputs.keys, outputs.timestamp_ms
        sending = Sending(
            values=np.frombuffer(values.data, dtype=np.uint8),
            value_ends=values.offsets,
            value_nulls=_NONE if values.nulls is None else values.nulls,
            keys=np.frombuffer(keys.data, dtype=np.uint8),
            key_ends=keys.offsets,
            key_nulls=_NONE if keys.nulls is None else keys.nulls,
            partition=outputs.partition,
            timestamp_ms=np.where(given_ms == NO_TIMESTAMP, _NOW, given_ms),
            headers=headers,
        )
        position = send(begin, self._produceva, rk, rkt, sending, self._refusal)
        for left in headers[position:]:
            if left:
                # Messages that were accepted have theirs.
                lib.headers_destroy(int(left))
        return Sent(int(position), take_error(lib, int(self._refusal[0])))

    def _headers(self, outputs: OutputBatch, begin: int) -> Int64Array:
        if not outputs.headers:
            return _NO_HEADERS
        made = np.zeros(len(outputs), dtype=np.int64)
        for row, headers in outputs.headers.items():
            if row >= begin:
                made[row] = make_headers(self._lib, headers)
        return made

    def poll(self, timeout: float = 0.0) -> int:
        """Serve callbacks; raises what one of them raised."""
        served: int = self._lib.poll(self.rk, milliseconds(timeout))
        self.kept.raise_it()
        return served

    def flush(self, timeout: float) -> int:
        """Wait for deliveries; how many are still under way."""
        lib = self._lib
        unfinished = lib.flush(self.rk, milliseconds(timeout))
        self.kept.raise_it()
        # What is queued besides, such as a line of the log, is no delivery.
        left: int = lib.outq_len(self.rk) if unfinished else 0
        return left

    def purge(self, in_queue: bool = True, in_flight: bool = True) -> None:
        """Give up what was not delivered."""
        flags = _PURGE_QUEUE * in_queue | _PURGE_IN_FLIGHT * in_flight | _DO_NOT_WAIT
        raise_code(self._lib, self._lib.purge(self.rk, flags))

    # -- transactions ----------------------------------------------------------------------------

    def init_transactions(self, timeout: float) -> None:
        """Take over the transactional id."""
        raise_error(self._lib, self._lib.init_transactions(self.rk, milliseconds(timeout)))

    def begin_transaction(self) -> None:
        """Open one."""
        raise_error(self._lib, self._lib.begin_transaction(self.rk))

    def send_offsets_to_transaction(
        self, positions: Sequence[Any], token: bytes, timeout: float
    ) -> None:
        """Put the group's offsets into it."""
        lib, rk = self._lib, self.rk
        metadata = c_void_p()
        content = bytes(token)
        raise_error(
            lib,
            lib.consumer_group_metadata_read(ctypes.byref(metadata), content, len(content)),
        )
        try:
            with given(lib, positions) as listed:
                raise_error(
                    lib,
                    lib.send_offsets_to_transaction(rk, listed, metadata, milliseconds(timeout)),
                )
        finally:
            lib.consumer_group_metadata_destroy(metadata)

    def commit_transaction(self, timeout: float) -> None:
        """End it."""
        error = self._lib.commit_transaction(self.rk, milliseconds(timeout))
        raise_error(self._lib, error)

    def abort_transaction(self, timeout: float) -> None:
        """Undo it."""
        raise_error(self._lib, self._lib.abort_transaction(self.rk, milliseconds(timeout)))

    def end(self) -> None:
        """As :meth:`close`: the public client is ended by whoever refers to it last."""
        self.close()

    def close(self) -> None:
        """Release everything; what was not delivered is given up."""
        topics, self._topics = self._topics, {}
        rk = self.take()
        if rk is not None:
            for topic in topics.values():
                self._lib.topic_destroy(topic)
            self._lib.destroy(rk)

    def __del__(self) -> None:
        """As the public client."""
        if hasattr(self, "_rk"):
            self.close()


def _delivery_callback(
    lib: Library, on_delivery: Callable[[Any, Any], None] | None, kept: Kept
) -> Any:
    def called(_: int, message: Any, __: int | None) -> None:
        try:
            if on_delivery is None:
                return
            report: CMessage = message.contents
            topic = lib.topic_name(report.rkt) if report.rkt else b""
            # Not the message's own words: of a producer's they are the record's value.
            error = error_of(lib, report.err) if report.err else None
            on_delivery(error, _Delivered(topic.decode()))
        except BaseException as exc:  # noqa: BLE001  # raised by the call that served this
            kept.keep(exc)

    return DELIVERY_CB(called)
