"""Collects the evidence from a cluster, in the order that keeps the verdict fair, for the judge.

Decides that order: input, offsets committed so far, then outcomes up to a stable end, then what
was committed meanwhile. Positions are kept as numbers, 8 to 24 bytes a record, never the records
themselves.
"""

import time
from array import array
from collections.abc import Callable, Mapping
from typing import Any

from stream_app.adapters.verifier.content import compare_contents
from stream_app.adapters.verifier.kafka import Ends, VerifyKafka
from stream_app.adapters.verifier.outcomes import Columns, Expected, OutcomeReader, numbers
from stream_app.adapters.verifier.partials import PartialReader, deleted, why_not
from stream_app.adapters.verifier.schemas import UnreadableError
from stream_app.settings import Settings
from stream_app.verify import (
    Content,
    Drift,
    Finding,
    InputLog,
    Isolation,
    Kind,
    Offsets,
    OutputLog,
    Promise,
    Report,
    judge,
)
from stream_app.verify.compare import TOLERANCE
from stream_app.verify.drift import judge_drift
from stream_app.verify.partials import PartialSums
from stream_app.verify.report import SHOWN

Progress = Callable[[str, int, int], None]
"""Told a topic, how many of its offsets are passed, and how many there are."""

_SWEEP_S = 12.0
"""Beyond a dead worker's transaction time-out: its coordinator looks for those that are over every
10 s, unless told otherwise, and then has markers to write."""

_AGAIN_S = 0.1


def verify(
    settings: Settings,
    *,
    progress: Progress | None = None,
    wait_s: float = 0.0,
    committed: bool = True,
    isolation: Isolation = Isolation.READ_COMMITTED,
    content: bool = False,
    tolerance: float = TOLERANCE,
    expected: Expected | None = None,
) -> Report:
    """Re-read the topics of ``settings`` and judge.

    Args:
        settings: Cluster, group, topics, schemas and promise.
        progress: Told how far reading is.
        wait_s: How long to wait for the group to commit the input, and for open transactions.
        committed: Whether the group's offsets count; without them all input must be answered.
        isolation: How to read outcomes. The mock cluster has no transactions, there use
            ``READ_UNCOMMITTED``: the report then says what it cannot know.
        content: Whether to compare each outcome with what the model of the settings' repository
            says of its event on the CPU.
        tolerance: Of scores, where contents are compared.
        expected: Looks at the content of each prediction besides.

    Raises:
        UnavailableError: a topic, the cluster or the registry is not there.
        ConfigError: the settings cannot lead to a cluster, or not to the model.
    """
    read_committed = isolation is Isolation.READ_COMMITTED
    kafka = VerifyKafka(settings.kafka, read_committed=read_committed)
    try:
        longest_s = settings.kafka.transaction_timeout_s + _SWEEP_S
        settle_s = max(wait_s, longest_s) if read_committed else 0.0
        not_drift = why_not(settings, kafka, isolation)
        found = OutcomeReader(settings, expected, for_drift=not not_drift)
        collector = _Collector(
            settings, kafka, progress or _quietly, found, wait_s=wait_s, settle_s=settle_s
        )
        inputs = collector.inputs(judge_offsets=committed)
        outputs = [
            *collector.outputs(settings.predictions_topic, Kind.PREDICTION),
            *collector.outputs(settings.dlq_topic, Kind.DEAD_LETTER),
        ]
        partials = Drift(skipped=not_drift) if not_drift else collector.partials(inputs)
        inputs = collector.settled(inputs, judge_offsets=committed)
        drift = collector.drift(partials, inputs, outputs)
        compared = collector.contents(inputs, outputs, tolerance) if content else None
        return judge(
            inputs,
            outputs,
            promise=Promise(settings.delivery.value),
            isolation=isolation,
            wrong_content=found.wrong_content,
            content=compared,
            drift=drift,
            members=kafka.members() if committed else None,
            notes=(*found.notes, *collector.notes),
        )
    finally:
        kafka.close()


def _quietly(topic: str, done: int, total: int) -> None:
    del topic, done, total


class _Collector:
    def __init__(
        self,
        settings: Settings,
        kafka: VerifyKafka,
        progress: Progress,
        found: OutcomeReader,
        *,
        wait_s: float,
        settle_s: float,
    ) -> None:
        self._settings = settings
        self._kafka = kafka
        self._progress = progress
        self._wait_s = wait_s
        self._settle_s = settle_s
        self._input = settings.input.topic
        self._partitions = kafka.partitions(self._input)
        self.found = found
        self.notes: list[str] = []

    # -- the input ----------------------------------------------------------------------------

    def inputs(self, *, judge_offsets: bool) -> list[InputLog]:
        """Every input partition, with what is committed once it is all committed, or time is up."""
        ends = self._kafka.ends(self._input, self._partitions)
        columns = {p: array("q") for p in self._partitions}
        ranges = {p: (ends[p].begin, ends[p].stable) for p in self._partitions}
        self._read(self._input, ranges, lambda m: columns[m.partition()].append(m.offset()))
        offsets = {p: numbers(columns[p]) for p in self._partitions}
        committed = self._caught_up(offsets) if judge_offsets else {}
        for p in self._partitions:
            if ends[p].stable < ends[p].end:
                self.notes.append(
                    f"input[{p}]: a producer's open transaction hides what is from offset "
                    f"{ends[p].stable} on; it is not judged"
                )
        return [
            InputLog(
                partition=p,
                begin=ends[p].begin,
                offsets=offsets[p],
                stable_end=ends[p].stable,
                end=ends[p].end,
                # A group without an offset has not missed what was deleted before it came.
                committed=_or(committed[p], ends[p].begin) if judge_offsets else None,
                committed_after=None,
            )
            for p in self._partitions
        ]

    def _caught_up(self, offsets: Mapping[int, Offsets]) -> dict[int, int | None]:
        """Committed offsets; compared with last records, as a marker may end the partition."""
        deadline_s = time.monotonic() + self._wait_s
        while True:
            committed = self._kafka.committed(self._input, self._partitions, self._settle_s)
            behind = any(len(o) and _or(committed[p], 0) <= o[-1] for p, o in offsets.items())
            if not behind or time.monotonic() >= deadline_s:
                return committed
            time.sleep(_AGAIN_S)

    def settled(self, inputs: list[InputLog], *, judge_offsets: bool) -> list[InputLog]:
        """The same, with what came and what was committed while outcomes were read."""
        after = (
            self._kafka.committed(self._input, self._partitions, self._settle_s)
            if judge_offsets
            else {}
        )
        ends = self._kafka.ends(self._input, self._partitions)
        return [
            InputLog(
                partition=log.partition,
                begin=log.begin,
                offsets=log.offsets,
                stable_end=log.stable_end,
                end=ends[log.partition].end,
                committed=log.committed,
                committed_after=_or(after[log.partition], 0) if judge_offsets else None,
            )
            for log in inputs
        ]

    def contents(
        self, inputs: list[InputLog], outputs: list[OutputLog], tolerance: float
    ) -> Content:
        """Outcomes against an independent computation."""
        content = compare_contents(
            self._settings,
            self._kafka,
            inputs,
            outputs,
            tolerance=tolerance,
            progress=self._progress,
        )
        self.notes += [
            f"{count} outcomes were not compared: {reason}"
            for reason, count in sorted(content.not_compared.items())
        ]
        return content

    # -- outcomes -----------------------------------------------------------------------------

    def outputs(self, topic: str, kind: Kind) -> list[OutputLog]:
        """Every partition of an output topic, read to its stable end."""
        ends = self._stable(topic)
        columns = {p: Columns() for p in ends}
        take = self.found.prediction if kind is Kind.PREDICTION else self.found.dead_letter
        until = {p: (e.begin, self._kafka.readable_end(e)) for p, e in ends.items()}
        self._read(topic, until, lambda m: take(columns[m.partition()], m))
        return [columns[p].log(topic, p, kind, ends[p]) for p in ends]

    # -- drift --------------------------------------------------------------------------------

    def partials(self, inputs: list[InputLog]) -> PartialSums | Drift:
        """All partials added up, after outcomes were read; or why they cannot be judged."""
        topic = self._settings.partials_topic
        ends = self._stable(topic)
        judged = {log.partition: range(log.begin, log.due) for log in inputs}
        sums, reader = PartialSums(judged), PartialReader(self._settings)

        def take(message: Any) -> None:
            try:
                sums.take(reader.read(message.value()))
            except UnreadableError as exc:
                place = f"{topic}[{message.partition()}]@{message.offset()}: {exc}"
                sums.unreadable += Finding(1, (place,))

        self._read(topic, {p: (end.begin, end.stable) for p, end in ends.items()}, take)
        held = [f"{topic}[{p}]: open from offset {e.stable}" for p, e in ends.items() if e.is_open]
        sums.deleted = deleted(ends, topic)
        sums.hanging = Finding(len(held), tuple(held[:SHOWN]))
        if not sums.records and not sums.unreadable.count:
            return Drift(skipped=f"{topic} holds no partial: no scorer has counted drift")
        return sums

    def drift(
        self, sums: PartialSums | Drift, inputs: list[InputLog], outputs: list[OutputLog]
    ) -> Drift:
        """Partials against outcomes."""
        if isinstance(sums, Drift):
            return sums
        return judge_drift(inputs, outputs, sums)

    # -- what both need -----------------------------------------------------------------------

    def _stable(self, topic: str) -> dict[int, Ends]:
        """Ends once every transaction that was open at first has ended, or time is up."""
        partitions = self._kafka.partitions(topic)
        first = self._kafka.ends(topic, partitions)
        now, deadline_s = first, time.monotonic() + self._settle_s
        while any(now[p].stable < first[p].end for p in partitions):
            if time.monotonic() >= deadline_s:
                break
            time.sleep(_AGAIN_S)
            now = self._kafka.ends(topic, partitions)
        return {p: Ends(first[p].begin, now[p].stable, first[p].end) for p in partitions}

    def _read(self, topic: str, ranges: dict[int, tuple[int, int]], take: Any) -> None:
        self._kafka.read(topic, ranges, take, lambda done, all_: self._progress(topic, done, all_))


def _or(offset: int | None, otherwise: int) -> int:
    return otherwise if offset is None else offset
