"""Whether records wait behind a transaction that its producer does not end.

Readers who wait for commits see no further than the first record of the oldest open transaction:
the stable end. A producer that dies without a successor, or hangs, holds it, and all who read the
partition stand still without an error. Decides from three facts: records lie behind the stable
end, the stable end does not move, and none comes. Refuses to end the foreign transaction: that is
for its owner, or for an operator.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import structlog
from confluent_kafka import KafkaException, TopicPartition

from stream_app.core.metrics import INPUT_STALLED_SECONDS
from stream_app.ports import Clock, Telemetry

log = structlog.get_logger(__name__)

_LOOK_EVERY_S = 2.0
_TIMEOUT_S = 0.2
"""A stable end that nobody tells now is asked for again when its turn comes."""

_ASKED_A_LOOK = 2
"""Of all that are suspicious, in turns: each question may cost the loop its time-out."""

_SAY_EVERY_S = 60.0


@dataclass(slots=True)
class _Stall:
    """One partition that stands still.

    Attributes:
        stable: Its stable end.
        since_s: When that was first seen to hold records back.
        said_s: When the log last spoke of it.
    """

    stable: int
    since_s: float
    said_s: float | None = None


class StalledInput:
    """Of one consumer's partitions; looks at those that have lag and bring nothing."""

    def __init__(
        self, consumer: Any, topic: str, after_s: float, clock: Clock, telemetry: Telemetry
    ) -> None:
        self._consumer = consumer
        self._topic = topic
        self._after_s = after_s
        self._clock = clock
        self._telemetry = telemetry
        self._stalls: dict[int, _Stall] = {}
        self._positions: dict[int, int] = {}
        self._asked_s: dict[int, float] = {}
        self._looked_s = clock.now_s()

    def look(self, partitions: Iterable[int]) -> None:
        """Look again if it is time; blocks for at most 0.4 s, however many are suspicious."""
        now_s = self._clock.now_s()
        if now_s - self._looked_s < _LOOK_EVERY_S:
            return
        self._looked_s = now_s
        suspicious: dict[int, int] = {}
        for tp in self._consumer.position([TopicPartition(self._topic, p) for p in partitions]):
            still = self._positions.get(tp.partition) == tp.offset
            self._positions[tp.partition] = tp.offset
            _, end = self._consumer.get_watermark_offsets(tp, cached=True)
            if still and end > max(tp.offset, 0):
                suspicious[tp.partition] = end
            else:
                self._over(tp.partition)
        longest_ago = sorted(suspicious, key=lambda partition: self._asked_s.get(partition, 0.0))
        for partition in longest_ago[:_ASKED_A_LOOK]:
            self._asked_s[partition] = now_s
            self._ask(partition, suspicious[partition], now_s)

    def forget(self, partitions: Iterable[int]) -> None:
        """They have another owner now, who looks at them."""
        for partition in partitions:
            self._positions.pop(partition, None)
            self._asked_s.pop(partition, None)
            self._over(partition)

    def _ask(self, partition: int, end: int, now_s: float) -> None:
        """Ask for the stable end: a consumer that waits for commits is told no other."""
        try:
            _, stable = self._consumer.get_watermark_offsets(
                TopicPartition(self._topic, partition), timeout=_TIMEOUT_S
            )
        except KafkaException:
            return
        if stable >= end:
            self._over(partition)
            return
        stall = self._stalls.get(partition)
        if stall is None or stall.stable != stable:
            stall = self._stalls[partition] = _Stall(stable, now_s)
        stalled_s = now_s - stall.since_s
        self._telemetry.gauge(INPUT_STALLED_SECONDS, stalled_s, str(partition))
        if stalled_s >= self._after_s and (
            stall.said_s is None or now_s - stall.said_s >= _SAY_EVERY_S
        ):
            stall.said_s = now_s
            log.warning(
                "input_stalled",
                topic=self._topic,
                partition=partition,
                offset=stable,
                hidden_records=end - stable,
                seconds=round(stalled_s),
                reason="a producer's transaction has been open since; what it and others wrote "
                "from this offset on is hidden until it is committed or aborted",
                remedy="let its producer end it or start again; to find and abort it: "
                f"kafka-transactions.sh find-hanging --topic {self._topic} --partition {partition}",
            )

    def _over(self, partition: int) -> None:
        stall = self._stalls.pop(partition, None)
        if stall is None:
            return
        self._telemetry.forget(INPUT_STALLED_SECONDS, str(partition))
        if stall.said_s is not None:
            log.info("input_goes_on", topic=self._topic, partition=partition)
