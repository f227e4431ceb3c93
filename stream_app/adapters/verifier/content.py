"""Outcomes against an independent computation: everything is read once more, a window at a time.

Decides in which order things are read. Memory: 16 bytes an outcome for the index from events to
outcomes, and the records of one window, however long the topics are. Refuses to compare.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from stream_app.adapters.verifier.check import ContentCheck, EventRecord, OutcomeRecord, Position
from stream_app.adapters.verifier.kafka import VerifyKafka
from stream_app.adapters.verifier.messages import record_of
from stream_app.settings import Settings
from stream_app.verify import Content, InputLog, Kind, Offsets, OutputLog

Progress = Callable[[str, int, int], None]
"""Told a name, how much is done, and how much there is."""

_WINDOW_RECORDS = 20_000
_BATCH_RECORDS = 256


class _Index:
    """Where the outcomes of an input partition's events lie in one output partition."""

    def __init__(self, log: OutputLog, partition: int) -> None:
        rows = np.flatnonzero(log.source_partition == partition)
        rows = rows[np.argsort(log.source_offset[rows], kind="stable")]
        self.log = log
        self.partition = partition
        self._source: Offsets = log.source_offset[rows]
        self._offset: Offsets = log.offsets[rows]

    def between(self, first: int, end: int) -> Iterator[tuple[int, int]]:
        """Offsets of outcomes, and of their events, for events from ``first`` up to ``end``."""
        low, high = np.searchsorted(self._source, [first, end]).tolist()
        yield from zip(
            self._offset[low:high].tolist(), self._source[low:high].tolist(), strict=True
        )


def compare_contents(
    settings: Settings,
    kafka: VerifyKafka,
    inputs: Sequence[InputLog],
    outputs: Sequence[OutputLog],
    *,
    tolerance: float,
    progress: Progress,
) -> Content:
    """Compare every outcome that answers an event of the input.

    Raises:
        ConfigError: the model of the settings cannot be read.
        UnavailableError: the cluster or the registry stopped answering.
    """
    check = ContentCheck(settings, tolerance)
    indexes = [_Index(log, source.partition) for log in outputs for source in inputs]
    width = max(1, _WINDOW_RECORDS // max(1, len(inputs)))
    total = sum(len(source.offsets) for source in inputs)
    topic = settings.input.topic
    done = 0
    for begin in range(0, max((len(source.offsets) for source in inputs), default=0), width):
        window = {
            source.partition: (int(offsets[0]), int(offsets[-1]) + 1)
            for source in inputs
            if len(offsets := source.offsets[begin : begin + width])
        }
        _Window(kafka, check, indexes, window).run(topic)
        done += sum(len(source.offsets[begin : begin + width]) for source in inputs)
        progress(f"{topic} (contents)", done, total)
    return check.content()


class _Window:
    """Some events of each partition, and their outcomes."""

    def __init__(
        self,
        kafka: VerifyKafka,
        check: ContentCheck,
        indexes: Sequence[_Index],
        events: Mapping[int, tuple[int, int]],
    ) -> None:
        self._kafka = kafka
        self._check = check
        self._indexes = indexes
        self._events = events
        self._outcomes: dict[Position, list[OutcomeRecord]] = {}
        self._batch: list[EventRecord] = []
        self._wanted = 0
        self._come = 0

    def run(self, topic: str) -> None:
        """Read the outcomes, then the events, and compare."""
        self._read_outcomes()
        answered: dict[int, tuple[int, int]] = {}
        for partition, offset in self._outcomes:
            first, end = answered.get(partition, (offset, offset + 1))
            answered[partition] = min(first, offset), max(end, offset + 1)
        self._kafka.read(topic, answered, self._take_event, _quietly)
        self._check.judge(self._batch)
        # The broker had them a moment ago: deleted since, by retention or by somebody.
        for reason, count in (
            ("they were gone when they were read again", self._wanted - self._come),
            ("their events were gone", sum(map(len, self._outcomes.values()))),
        ):
            if count:
                self._check.leave_out(reason, count)

    def _read_outcomes(self) -> None:
        wanted: dict[tuple[str, Kind], dict[int, dict[int, Position]]] = {}
        for index in self._indexes:
            first, end = self._events.get(index.partition, (0, 0))
            for offset, source in index.between(first, end):
                by_partition = wanted.setdefault((index.log.topic, index.log.kind), {})
                position = index.partition, source
                by_partition.setdefault(index.log.partition, {})[offset] = position
                self._wanted += 1
        for (topic, kind), partitions in wanted.items():
            self._read_topic(topic, kind, partitions)

    def _read_topic(
        self, topic: str, kind: Kind, partitions: Mapping[int, Mapping[int, Position]]
    ) -> None:
        def take(message: Any) -> None:
            position = partitions[message.partition()].get(message.offset())
            if position is not None:
                place = f"{topic}[{message.partition()}]@{message.offset()}"
                outcome = OutcomeRecord(place, kind, record_of(message))
                self._outcomes.setdefault(position, []).append(outcome)
                self._come += 1

        ranges = {p: (min(offsets), max(offsets) + 1) for p, offsets in partitions.items()}
        self._kafka.read(topic, ranges, take, _quietly)

    def _take_event(self, message: Any) -> None:
        position = message.partition(), message.offset()
        outcomes = self._outcomes.pop(position, None)
        if outcomes is None:
            return
        self._batch.append(EventRecord(position, record_of(message), outcomes))
        if len(self._batch) >= _BATCH_RECORDS:
            self._check.judge(self._batch)
            self._batch = []


def _quietly(done: int, total: int) -> None:
    del done, total
