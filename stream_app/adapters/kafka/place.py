"""Where a consumer reads a partition next: moved by a seek or, where none can be, assigned anew.

Decides which of the two, and that a place is chosen only with nothing open behind it. A client
that has not begun to fetch a partition, or was stopped by an offset error, refuses to seek.
"""

from collections.abc import Iterable
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from stream_app.adapters.kafka.assignment import Assignment
from stream_app.adapters.kafka.errors import explain
from stream_app.adapters.kafka.start_policy import StartPolicy
from stream_app.errors import FatalError
from stream_app.ports import Clock

_ASK_AGAIN_S = 0.5


def move(consumer: Any, target: Any, *, paused: bool) -> None:
    """Read the partition of ``target`` from its offset next.

    Raises:
        FatalError: the client refuses.
    """
    try:
        consumer.seek(target)
    except KafkaException as exc:
        if exc.args[0].code() != KafkaError._STATE:
            raise FatalError(explain("seek", exc.args[0])) from exc
        assign_at(consumer, target, paused=paused)


def assign_at(consumer: Any, target: Any, *, paused: bool) -> None:
    """As :func:`move`, for a partition on which the client has stopped."""
    try:
        consumer.incremental_unassign([target])
        consumer.incremental_assign([target])
        if paused:
            consumer.pause([target])
    except KafkaException as exc:
        raise FatalError(explain("assigning anew", exc.args[0])) from exc


class Unplaced:
    """Partitions of one client on which it has stopped, for want of a valid offset."""

    def __init__(
        self, consumer: Any, start: StartPolicy, assignment: Assignment, clock: Clock
    ) -> None:
        self._consumer = consumer
        self._start = start
        self._assignment = assignment
        self._clock = clock
        self._ask_at_s: dict[int, float] = {}

    def add(self, partition: int) -> None:
        """The client said so, of one that is ours."""
        self._ask_at_s[partition] = self._clock.now_s()

    def forget(self, partitions: Iterable[int]) -> None:
        """They are their next owner's to place."""
        for partition in partitions:
            self._ask_at_s.pop(partition, None)

    def place(self, *, paused: bool) -> None:
        """Choose where to read them; until that can be done they are not ours.

        What was fetched of them before is committed first, or undone, so that the choice is made
        from an offset behind which nothing is open. The client's error says too little for that:
        it may be older than a rewind, and of a log that was cut off it names no offset.

        Raises:
            DataError: a start policy says "fail", or the topic is another one.
            FatalError: the unit that was open cannot be ended, or the client refuses.
        """
        if given_up := sorted(self._ask_at_s.keys() & self._assignment.ours):
            self._assignment.go("revoked", given_up)
            self._assignment.raise_stored()
        for partition in [p for p, at_s in self._ask_at_s.items() if at_s <= self._clock.now_s()]:
            target = self._start.target(partition)
            if target is None:
                self._ask_at_s[partition] = self._clock.now_s() + _ASK_AGAIN_S
                continue
            assign_at(self._consumer, target, paused=paused)
            del self._ask_at_s[partition]
            self._assignment.came([partition])
