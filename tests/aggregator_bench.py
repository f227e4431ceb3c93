"""The aggregator in the loop on a scripted cluster, whose topics keep what was committed."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from stream_app.adapters.drift.partial_codec import PartialCodec, encode_partial
from stream_app.adapters.drift.window_codec import WindowCodec
from stream_app.adapters.process.prometheus_telemetry import NullTelemetry
from stream_app.adapters.process.watchdog import NullWatchdog
from stream_app.aggregator import Aggregator, AggregatorConfig
from stream_app.core.batching import BatchBound, TransactionPolicy
from stream_app.core.columns import BytesColumn, OutputBatch, RecordBatch
from stream_app.core.dead_letters import Origin
from stream_app.core.drift.closing import ClosingRules
from stream_app.core.drift.layout import Layout
from stream_app.core.drift.partial import Partial, Stream
from stream_app.core.positions import GroupMembership, NextOffset
from stream_app.credentials import Credentials
from stream_app.errors import RetriableError
from stream_app.health import WorkerHealth
from stream_app.loop import Loop, LoopConfig
from stream_app.ports_drift import ChangelogPiece
from tests.aggregate_kit import WAY
from tests.drift_kit import SMALL
from tests.fakes import FakeClock, FakeCluster, FakeFiles, FakeSink, FakeSource, Step
from tests.window_records import read_window

CHANGELOG, WINDOWS, LETTERS = "changelog", "windows", "letters"
REFERENCE_WAIT_S = 60.0
RULES = ClosingRules(
    allowed_lateness_ms=0,
    retention_ms=10_000_000,
    input_partitions=0,
    unseen_wait_ms=0,
    replay_wait_ms=0,
)


@dataclass
class Topics:
    """What lies in the partials topic, what was committed of it, and what came out.

    Attributes:
        partials: Values by partition, in the order of offsets.
        cluster: The group's side.
        out: Committed records by topic: partition, key, value.
        notes: Of the committed offsets, by partition.
        codes: Of dead letters, in the order of ``out``.
        sent_every_ms: The time between two partials.
    """

    partials: dict[int, list[bytes]]
    cluster: FakeCluster
    out: dict[str, list[tuple[int, bytes | None, bytes | None]]] = field(default_factory=dict)
    notes: dict[int, str] = field(default_factory=dict)
    codes: list[bytes | None] = field(default_factory=list)
    sent_every_ms: int = 1

    @classmethod
    def of(cls, partials: Mapping[int, Sequence[Partial | bytes]]) -> "Topics":
        encoded = {
            p: [item if isinstance(item, bytes) else encode_partial(item) for item in items]
            for p, items in partials.items()
        }
        return cls(encoded, FakeCluster({p: len(items) for p, items in encoded.items()}))

    def windows(self) -> dict[tuple[str, int, int], dict[str, Any]]:
        """The newest revision of each window: by version, length and start."""
        found: dict[tuple[str, int, int], dict[str, Any]] = {}
        for _, _, value in self.out.get(WINDOWS, []):
            window = read_window(value)
            place = window["model_version"], window["length_ms"], window["start_ms"]
            before = found.get(place, {"revision": 0})["revision"]
            assert window["revision"] == before + 1, "a revision is missing, or there twice"
            found[place] = window
        return found


class PartialsSource(FakeSource):
    """Brings the partials' own bytes, sent at their place."""

    def __init__(self, topics: Topics, script: Iterator[Step | None], clock: FakeClock) -> None:
        super().__init__(topics.cluster, script, clock)
        self._topics = topics

    def fetch(self, max_records: int, wait_s: float) -> RecordBatch:
        found = super().fetch(max_records, wait_s)
        places = zip(found.partition.tolist(), found.offset.tolist(), strict=True)
        values = [self._topics.partials[p][offset] for p, offset in places]
        sent = 1_000_000 + found.offset * self._topics.sent_every_ms
        return replace(found, values=BytesColumn.of(values), timestamp_ms=sent)


class TopicSink(FakeSink):
    """Keeps the records of what was committed."""

    def __init__(self, topics: Topics, faults: Iterator[str], begin: Iterator[str]) -> None:
        super().__init__(topics.cluster, faults, begin)
        self._topics = topics
        self._batches: list[OutputBatch] = []

    def begin(self) -> None:
        super().begin()
        self._batches = []

    def deliver(self, outputs: OutputBatch) -> npt.NDArray[np.intp]:
        assert self._pending is not None
        self._fail(next(self._faults, ""))
        self._batches.append(outputs)
        return np.empty(0, dtype=np.intp)

    def commit(
        self, offsets: Mapping[int, NextOffset], membership: GroupMembership, deadline_s: float
    ) -> None:
        before = self.committed
        try:
            super().commit(offsets, membership, deadline_s)
        finally:
            if self.committed > before:
                self._topics.notes.update({p: o.metadata for p, o in offsets.items()})
                for batch in self._batches:
                    rows = zip(batch.partition.tolist(), batch.keys, batch.values, strict=True)
                    self._topics.out.setdefault(batch.topic, []).extend(rows)
                    headers = [dict(batch.headers[row]) for row in sorted(batch.headers)]
                    self._topics.codes += [each["err.code"] for each in headers]


class TopicChangelog:
    """Reads the committed changelog, a few records at a time.

    Attributes:
        hidden: By partition, so many of the last records are not visible yet,
        hidden_reads: for so many reads.
        troubles: How often it does not answer.
    """

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self.hidden: dict[int, int] = {}
        self.hidden_reads = 0
        self.troubles = 0
        self.reads = 0

    def read(self, starts: Mapping[int, int], within_s: float) -> ChangelogPiece:
        assert within_s > 0
        self.reads += 1
        if self.troubles:
            self.troubles -= 1
            raise RetriableError("no broker")
        entries, nexts, ended = [], {}, set()
        for partition, start in starts.items():
            own = [row for row in self._topics.out.get(CHANGELOG, []) if row[0] == partition]
            hidden = self.hidden.get(partition, 0) if self.reads <= self.hidden_reads else 0
            visible = own[: len(own) - hidden]
            piece = visible[start : start + 5]
            entries += piece
            nexts[partition] = start + len(piece)
            if nexts[partition] == len(visible):
                ended.add(partition)
        return ChangelogPiece(entries, nexts, frozenset(ended))

    def committed(self, partitions: Collection[int]) -> Mapping[int, NextOffset | None]:
        offsets, notes = self._topics.cluster.committed, self._topics.notes
        return {
            p: NextOffset(offsets[p], notes.get(p, "")) if p in offsets else None
            for p in partitions
        }

    def rest(self) -> None:
        pass


class OneLayout:
    """All streams have the same reference, which may not be there yet.

    Attributes:
        missing: It is not, so often.
        never: Versions that never have one.
    """

    def __init__(self) -> None:
        self.missing = 0
        self.never: set[str] = set()

    def of(self, stream: Stream) -> Layout:
        if stream.model_version in self.never:
            raise RetriableError("no reference, ever")
        if self.missing:
            self.missing -= 1
            raise RetriableError("no reference yet")
        return SMALL


@dataclass
class AggregatorBench:
    """One aggregator in its loop."""

    topics: Topics
    source: PartialsSource
    sink: TopicSink
    changelog: TopicChangelog
    references: OneLayout
    aggregator: Aggregator
    loop: Loop
    health: WorkerHealth
    clock: FakeClock
    turns: int = 0

    def run(
        self,
        until_committed: int = 1 << 60,
        turns: int = 1 << 60,
        *,
        even_when_drained: bool = False,
    ) -> None:
        """Turn until all, or so many partials, are committed; or so often."""

        def enough() -> bool:
            self.turns += 1
            assert self.turns < 3_000, "it does not get on"
            done = sum(self.topics.cluster.committed.values())
            if self.topics.cluster.drained and not even_when_drained:
                return True
            return done >= until_committed or self.turns > turns

        self.loop.run(enough)


def aggregator_bench(
    topics: Topics,
    script: Sequence[Step | None] = (),
    faults: Sequence[str] = (),
    begin_faults: Sequence[str] = (),
    *,
    rules: ClosingRules = RULES,
    records: int = 7,
    max_windows: int = 1_000,
    publish_budget_s: float = 1_000.0,
    silence_s: float = 1_000.0,
) -> AggregatorBench:
    """An aggregator that gets all partitions, if the script says nothing else."""
    clock = FakeClock(step_s=0.002)
    partitions = tuple(topics.partials)
    source = PartialsSource(topics, iter(script or [Step("assign", partitions)]), clock)
    sink = TopicSink(topics, iter(faults), iter(begin_faults))
    changelog, references = TopicChangelog(topics), OneLayout()
    origin = Origin(LETTERS, "group", "0", "me", "", "", 1_000_000)
    aggregator = Aggregator(
        AggregatorConfig(
            WINDOWS,
            CHANGELOG,
            origin,
            rules,
            5,
            max_windows,
            publish_budget_s,
            reference_wait_s=REFERENCE_WAIT_S,
            silence_s=silence_s,
        ),
        PartialCodec(),
        WindowCodec(),
        references,
        changelog,
        WAY,
        clock,
        NullTelemetry(),
    )
    health = WorkerHealth(clock, 60.0, NullTelemetry())
    loop = Loop(
        LoopConfig(
            TransactionPolicy(0.05, 30), BatchBound.starting(records, 1.0), 60.0, 1.0, 1.0, 30.0
        ),
        source,
        sink,
        aggregator,
        clock,
        NullTelemetry(),
        NullWatchdog(),
        health,
        Credentials(FakeFiles(iter(())), clock, NullTelemetry(), every_s=100.0),
    )
    return AggregatorBench(
        topics, source, sink, changelog, references, aggregator, loop, health, clock
    )
