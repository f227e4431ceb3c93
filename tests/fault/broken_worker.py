"""A worker with exactly one mistake in it: `stream-app score`, broken in the way that is asked for.

    BROKEN_WORKER_WAY=<way> python -m tests.fault.broken_worker score ...

Decides how each mistake looks, as the smallest patch of the real classes before they start.
Refuses to know which fault brings it to light (``test_negative_controls.py``).
"""

import os
import sys
from collections.abc import Callable, Mapping
from functools import wraps
from types import ModuleType
from typing import Any

from confluent_kafka import KafkaError

from stream_app.__main__ import main
from stream_app.adapters.kafka import clients, sink, source
from stream_app.adapters.kafka.config import producer_properties
from stream_app.adapters.kafka.membership import membership_of
from stream_app.adapters.kafka.native.producer import NativeProducer
from stream_app.adapters.kafka.public_client import PublicProducer, Sent
from stream_app.core.columns import OutputBatch, RecordBatch
from stream_app.core.positions import GroupMembership
from stream_app.ports import RebalanceListener
from stream_app.recovery import Recovery
from stream_app.settings import Delivery

MODULE = "tests.fault.broken_worker"
VARIABLE = "BROKEN_WORKER_WAY"


def _replace(module: ModuleType, name: str, mistake: object) -> None:
    """Put the mistake where the module looks for this name; a name that has moved is refused."""
    if not hasattr(module, name):
        raise AttributeError(f"{module.__name__} has no {name} to replace: the patch does nothing")
    setattr(module, name, mistake)


def outputs_outside() -> None:
    """Outcomes go by a second producer, which has no transaction: only the offsets are in one.

    The mistake of whoever adds transactions for the offsets and keeps the old producer, or sends
    dead letters by a helper of its own. It even waits for the deliveries before it commits.
    """

    def beside(method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def with_the_other(self: Any, *given: Any) -> Any:
            if not hasattr(self, "_other"):
                plain = {"delivery": Delivery.AT_LEAST_ONCE}
                settings = self._settings.model_copy(update=plain)
                properties = producer_properties(settings, "")
                self._other = clients.new_producer(properties, settings.kafka)
            right, self._producer = self._producer, self._other
            try:
                return method(self, *given)
            finally:
                self._producer = right

        return with_the_other

    for name in ("deliver", "_flush"):
        setattr(sink.KafkaSink, name, beside(getattr(sink.KafkaSink, name)))


def no_rewind() -> None:
    """After an abort it goes on where the consumer stands, not at the committed offsets.

    The mistake of whoever takes an abort for an error to be logged: the consumer's position has
    passed the records whose outcomes were just thrown away.
    """

    def owe_nothing(self: Recovery, fallback: Mapping[int, int]) -> None:
        del self, fallback

    Recovery.owe_rewind = owe_nothing  # type: ignore[method-assign]  # the mistake


def buffer_error_swallowed() -> None:
    """A full queue is passed over: the record is not handed over, and nobody hears of it.

    The mistake of ``except BufferError: log and go on``, or of a retry that forgets the record.
    """

    def forgetful(right: Callable[..., Sent]) -> Callable[..., Sent]:
        def send(self: Any, outputs: OutputBatch, begin: int) -> Sent:
            sent = right(self, outputs, begin)
            while sent.error is not None and sent.error.code() == KafkaError._QUEUE_FULL:
                sent = right(self, outputs, sent.position + 1)
            return sent

        return send

    for producer in (PublicProducer, NativeProducer):
        producer.send = forgetful(producer.send)  # type: ignore[method-assign]  # the mistake


def offset_ahead() -> None:
    """Commits one more than the next offset: whoever starts there skips a record.

    The mistake of ``position() + 1``, where the position was the next offset already.
    """
    _shift_offsets(1)


def offset_behind() -> None:
    """Commits the last offset that is done: whoever starts there does a record again.

    The mistake of ``commit(message.offset())``, where the next offset was wanted.
    """
    _shift_offsets(-1)


def _shift_offsets(by: int) -> None:
    right = RecordBatch.next_offsets

    def shifted(self: RecordBatch) -> dict[int, int]:
        return {partition: offset + by for partition, offset in right(self).items()}

    RecordBatch.next_offsets = shifted  # type: ignore[method-assign]  # the mistake


def auto_commit() -> None:
    """The consumer commits by itself what it has fetched, whatever became of it.

    The mistake of leaving the client's defaults as they are.
    """
    right = vars(source)["consumer_properties"]

    def defaults(*given: Any) -> dict[str, Any]:
        return {**right(*given), "enable.auto.commit": True, "enable.auto.offset.store": True}

    _replace(source, "consumer_properties", defaults)


def metadata_before_joining() -> None:
    """Commits with the group metadata as it was before it joined: generation -1, no member.

    The mistake of asking for it once, when the clients are made, and of trusting it unread: a
    broker takes it for a consumer without a group and does not fence it. A client with protocol
    ``consumer`` has a name before it joins, for which it is refused; here it loses that name.
    """
    join = source.KafkaSource.open

    def asked_too_early(self: source.KafkaSource, listener: RebalanceListener) -> None:
        token = self._consumer.consumer_group_metadata()
        named = membership_of(token).member_id.encode()
        trusted = GroupMembership(0, "not looked at", token.replace(named, b"", 1))
        self.membership = lambda: trusted  # type: ignore[method-assign]  # the mistake
        join(self, listener)

    source.KafkaSource.open = asked_too_early  # type: ignore[method-assign]  # the mistake


WAYS: Mapping[str, Callable[[], None]] = {
    way.__name__: way
    for way in (
        outputs_outside,
        no_rewind,
        buffer_error_swallowed,
        offset_ahead,
        offset_behind,
        auto_commit,
        metadata_before_joining,
    )
}

if __name__ == "__main__":
    WAYS[os.environ[VARIABLE]]()
    sys.exit(main())
