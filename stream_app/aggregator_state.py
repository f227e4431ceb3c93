"""The aggregator's state by partition of partials: restored, held, thrown away.

Decides when a state is whole: it has reached what the group has committed. A predecessor's last
transaction may become visible a moment after its partitions were given away, so reading to the end
is not enough. Refuses to know what is in a state.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

import structlog

from stream_app.core.drift.aggregate_state import PartitionState
from stream_app.core.position_notes import PositionNote
from stream_app.core.positions import NextOffset
from stream_app.errors import RetriableError
from stream_app.ports import Clock
from stream_app.ports_drift import Changelog

log = structlog.get_logger(__name__)

NOTE = "changelog"
"""Beside an offset that was committed with its position in the changelog; tools write none."""

_RESTORE_S = 1.0
_RACE_S = 30.0
"""A predecessor's last transaction is visible by then, or it never will be."""


@dataclass(slots=True)
class _Restoring:
    """One partition whose state is being read.

    Attributes:
        state: So far.
        next_offset: Of the changelog, to be read.
        since_s: When it was first found to be behind at the changelog's end.
    """

    state: PartitionState = field(default_factory=PartitionState)
    next_offset: int = 0
    since_s: float | None = None


class PartitionStates:
    """Of the partitions that are ours and restored."""

    def __init__(self, changelog: Changelog, clock: Clock, topic: str) -> None:
        """``topic`` is the changelog's name, for messages."""
        self._changelog = changelog
        self._clock = clock
        self._topic = topic
        self._states: dict[int, PartitionState] = {}
        self._restoring: dict[int, _Restoring] = {}

    def __getitem__(self, partition: int) -> PartitionState:
        return self._states[partition]

    def __iter__(self) -> Iterator[PartitionState]:
        return iter(self._states.values())

    @property
    def windows(self) -> int:
        """How many are kept."""
        return sum(len(stream.windows) for state in self for stream in state.streams.values())

    def throw_away(self) -> None:
        """All of it is to be restored."""
        self._states.clear()
        self._restoring.clear()

    def forget(self, partitions: Collection[int]) -> None:
        """These have gone."""
        for partition in partitions:
            self._states.pop(partition, None)
            self._restoring.pop(partition, None)

    def restore(self, partitions: Collection[int]) -> bool:
        """Read on; whether all of these are whole now. Blocks for little more than a second.

        Raises:
            RetriableError: not now; or the changelog lacks records, which the message says.
            FatalError: the changelog is damaged.
        """
        for partition in partitions:
            self._states.pop(partition, None)
        self._restoring = {p: self._restoring.get(p) or _Restoring() for p in partitions}
        # Before the changelog is read: what is committed by now must be found in it.
        wanted = self._changelog.committed(partitions)
        if not self._read_on():
            return False
        now_s = self._clock.now_s()
        if not all(self._has_reached(p, wanted.get(p), now_s) for p in partitions):
            return False
        self._states |= {p: restoring.state for p, restoring in self._restoring.items()}
        self._restoring = {}
        self._changelog.rest()
        log.info("drift_state_restored", partitions=sorted(partitions), windows=self.windows)
        return True

    def _read_on(self) -> bool:
        """Whether the end was reached."""
        starts = {p: restoring.next_offset for p, restoring in self._restoring.items()}
        piece = self._changelog.read(starts, _RESTORE_S)
        for partition, key, value in piece.entries:
            self._restoring[partition].state.take(key, value)
        for partition, next_offset in piece.next_offsets.items():
            self._restoring[partition].next_offset = next_offset
        return piece.ended >= self._restoring.keys()

    def _has_reached(self, partition: int, wanted: NextOffset | None, now_s: float) -> bool:
        restoring = self._restoring[partition]
        reached = restoring.state.next_offset
        if wanted is None or PositionNote.of(wanted.metadata).processor != NOTE:
            # A new group's start, or an offset that somebody has set: repeats are known as such.
            if reached is not None:
                offset = None if wanted is None else wanted.offset
                log.warning(
                    "drift_offset_was_set", partition=partition, offset=offset, state=reached
                )
            return True
        if reached == wanted.offset:
            return True
        restoring.since_s = restoring.since_s or now_s
        if now_s - restoring.since_s > _RACE_S:
            raise RetriableError(
                f"the state in {self._topic}[{partition}] has reached offset {reached} of the "
                f"partials, but the group has committed {wanted.offset}: records of the changelog "
                "are missing. Bring them back, or have all counted again: set the group's offset "
                "to the first partial (kafka-consumer-groups --reset-offsets --to-earliest)"
            )
        return False
