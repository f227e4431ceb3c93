"""An in-process cluster with a script of faults, for laws about the loop.

Decides as little as a broker does: what is committed, who owns a partition, and whether a unit
went in. A fault is an item of a script, so a test of a fault is a line of data.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from stream_app.core.columns import BytesColumn, OutputBatch, RecordBatch, TimestampType
from stream_app.core.positions import GroupMembership, NextOffset
from stream_app.errors import AbortedError, FencedError, RetriableError
from stream_app.ports import RebalanceListener

TOPIC = "events"


def records(positions: Sequence[tuple[int, int]], values: Sequence[bytes] = ()) -> RecordBatch:
    """A batch of these (partition, offset) pairs."""
    count = len(positions)
    return RecordBatch(
        topic=TOPIC,
        values=BytesColumn.of(list(values) or [b"value"] * count),
        keys=BytesColumn.all_null(count),
        partition=np.array([p for p, _ in positions], dtype=np.int32),
        offset=np.array([o for _, o in positions], dtype=np.int64),
        timestamp_ms=np.full(count, 1_000, dtype=np.int64),
        timestamp_type=np.full(count, TimestampType.CREATE_TIME, dtype=np.int8),
    )


@dataclass(slots=True)
class FakeClock:
    """Time that moves a little whenever it is looked at."""

    time_s: float = 100.0
    step_s: float = 0.001

    def now_s(self) -> float:
        self.time_s += self.step_s
        return self.time_s

    def wall_ms(self) -> int:
        return int(self.time_s * 1000)


@dataclass(slots=True)
class FakeCluster:
    """One input topic, and what was committed of its outcomes.

    Attributes:
        ends: By partition, how many records there are.
        committed: By partition, the group's offset.
        outcomes: Committed (partition, offset) pairs in the order of their commits.
        owned: Partitions that our member owns, as the broker sees it.
    """

    ends: dict[int, int]
    committed: dict[int, int] = field(default_factory=dict)
    outcomes: list[tuple[int, int]] = field(default_factory=list)
    owned: set[int] = field(default_factory=set)

    def another_member_scores(self, partition: int, count: int) -> None:
        """The partition's owner meanwhile takes some records."""
        if not count:
            return
        start = self.committed.get(partition, 0)
        end = min(self.ends[partition], start + count)
        self.outcomes.extend((partition, offset) for offset in range(start, end))
        self.committed[partition] = end

    @property
    def drained(self) -> bool:
        return all(self.committed.get(p, 0) >= end for p, end in self.ends.items())

    def repeated_or_lost(self) -> list[tuple[int, int]]:
        """Positions that are not among the outcomes exactly once, and in order."""
        wanted = [(p, o) for p, end in sorted(self.ends.items()) for o in range(end)]
        found = sorted(self.outcomes, key=lambda position: position[0])  # stable: keeps the order
        return [] if found == wanted else sorted(set(found) ^ set(wanted)) or found


@dataclass(frozen=True, slots=True)
class Step:
    """What happens in one fetch, before it brings records.

    Attributes:
        kind: ``assign``, ``revoke``, ``lost``, ``zombie`` (the broker gives the partitions away,
            our client does not know yet), ``expelled`` (the client has no member id any more) or
            ``replaced`` (it had lost them, joined again under another id, and is told so late and
            in the wrong words: revoked), ``over`` (the client dies and loses all it has, until it
            is made anew) or ``unplaced`` (it reads on from a place that is chosen anew).
        partitions: Of the event.
        others: How many records another member scores while the partitions are not ours.
        mid_fetch: The event comes while a record is already held.
    """

    kind: str
    partitions: tuple[int, ...] = ()
    others: int = 0
    mid_fetch: bool = False


class FakeSource:
    """A scripted :class:`~stream_app.ports.Source`."""

    def __init__(
        self, cluster: FakeCluster, script: Iterator[Step | None], clock: FakeClock
    ) -> None:
        self._cluster = cluster
        self._clock = clock
        self._script = script
        self._listener: RebalanceListener | None = None
        self._positions: dict[int, int] = {}
        self._paused = False
        self._generation = 0
        self._member_id = "member"
        self.rewind_failures = 0
        self.renewals = 0
        self.renewal_failures = 0
        self._comes_back: list[int] = []
        self._over = False
        self.closed = False
        self.seen_open: list[int] = []

    def open(self, listener: RebalanceListener) -> None:
        self._listener = listener

    def fetch(self, max_records: int, wait_s: float) -> RecordBatch:
        assert wait_s >= 0
        if self._over:
            self._clock.time_s += wait_s
            return records([])
        if self._comes_back:
            self._happen(Step("assign", tuple(self._comes_back)))
            self._comes_back = []
        step = next(self._script, None)
        held = self._take(1) if step is not None and step.mid_fetch else []
        changed = self._happen(step) if step is not None else []
        rows = [row for row in held if row[0] not in changed]
        rows += self._take(max_records - len(rows))
        if not rows:
            self._clock.time_s += wait_s
        return records(rows)

    def _take(self, count: int) -> list[tuple[int, int]]:
        rows: list[tuple[int, int]] = []
        if self._paused:
            return rows
        for partition in sorted(self._positions):
            while len(rows) < count and self._positions[partition] < self._cluster.ends[partition]:
                rows.append((partition, self._positions[partition]))
                self._positions[partition] += 1
        return rows

    def _happen(self, step: Step) -> list[int]:
        """Let it happen; returns the partitions whose assignment the client saw change."""
        assert self._listener is not None
        ours = [p for p in step.partitions if p in self._positions]
        if step.kind == "assign":
            new = [p for p in step.partitions if p not in self._positions]
            self._member_id = "member"
            self._generation += 1
            for partition in new:
                self._cluster.another_member_scores(partition, step.others)
                self._cluster.owned.add(partition)
                self._positions[partition] = self._cluster.committed.get(partition, 0)
            self._listener.assigned(new)
            return new
        if step.kind == "revoke":
            self._listener.revoked(ours)
            self._give_away(ours, step.others)
            return ours
        if step.kind == "over":
            ours = sorted(self._positions)
            self._over, self._comes_back = True, ours
        if step.kind in {"lost", "over"}:
            self._cluster.owned -= set(ours)
            for partition in ours:
                self._cluster.another_member_scores(partition, step.others)
            self._listener.lost(ours)
            self._give_away(ours, 0)
            return ours
        if step.kind == "replaced":
            self._generation += 1  # who joins again is never given a name twice
            self._member_id = f"member-{self._generation}"
            for partition in ours:
                self._cluster.another_member_scores(partition, step.others)
            # The broker checks who is a member, not who owns what: it would accept a commit now.
            self._listener.revoked(ours)
            self._give_away(ours, 0)
            return ours
        if step.kind == "unplaced":
            self._listener.revoked(ours)
            self._positions.update({p: self._cluster.committed.get(p, 0) for p in ours})
            self._listener.assigned(ours)
            return ours
        if step.kind == "zombie":
            self._cluster.owned -= set(ours)
            for partition in ours:
                self._cluster.another_member_scores(partition, step.others)
        elif step.kind == "expelled":
            self._member_id, self._generation = "", -1
        return []

    def _give_away(self, partitions: Sequence[int], others: int) -> None:
        for partition in partitions:
            del self._positions[partition]
            self._cluster.owned.discard(partition)
            self._cluster.another_member_scores(partition, others)

    def assignment(self) -> frozenset[int]:
        return frozenset(self._positions)

    @property
    def topic_id(self) -> str:
        return "topic-of-today"

    def membership(self) -> GroupMembership:
        return GroupMembership(self._generation, self._member_id, b"token")

    def seek(self, offsets: Mapping[int, int]) -> None:
        self._positions.update({p: o for p, o in offsets.items() if p in self._positions})

    def rewind(self, fallback: Mapping[int, int]) -> None:
        if self.rewind_failures:
            self.rewind_failures -= 1
            raise RetriableError("no coordinator")
        self.seek({p: self._cluster.committed.get(p, o) for p, o in fallback.items()})

    @property
    def needs_renewal(self) -> bool:
        return self._over

    def renew(self) -> None:
        assert self._listener is not None
        self.renewals += 1
        if self.renewal_failures:
            self.renewal_failures -= 1
            raise RetriableError("no coordinator")
        if self._over:
            self._over = False
            return
        ours = sorted(self._positions)
        self._listener.revoked(ours)
        self._give_away(ours, 1)
        self._comes_back = ours

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False

    def drained(self) -> Mapping[int, int]:
        return {p: o for p, o in self._positions.items() if o >= self._cluster.ends[p]}

    def lag(self) -> Mapping[int, int]:
        return {p: self._cluster.ends[p] - o for p, o in self._positions.items()}

    def close(self) -> None:
        if not self.closed and self._positions:
            assert self._listener is not None
            self._listener.revoked(sorted(self._positions))
        self.closed = True


class FakeSink:
    """A scripted :class:`~stream_app.ports.Sink`; a fault is one word a call.

    ``away`` (only of begin): not now. ``abort``: the unit fails. ``fenced``: the producer is over
    and the unit is not in. ``fenced-after``: the producer is over, and the unit is in.
    """

    def __init__(
        self, cluster: FakeCluster, faults: Iterator[str], begin_faults: Iterator[str]
    ) -> None:
        self._cluster = cluster
        self._faults = faults
        self._begin_faults = begin_faults
        self.commits_tried = 0
        self._pending: list[tuple[int, int]] | None = None
        self._dead = False
        self.denied = False
        self.missing = 0
        self.refuse: set[tuple[int, int]] = set()
        self.letters: list[tuple[int, int]] = []
        self.committed = 0
        self.aborted = 0
        self.rebuilds = 0
        self.renewals = 0
        self.closed = False

    def open(self) -> None:
        self._dead = False

    def begin(self) -> None:
        assert self._pending is None, "the unit before was neither committed nor aborted"
        assert not self._dead, "a dead producer is used"
        self._fail(next(self._begin_faults, ""))
        self._pending = []

    def deliver(self, outputs: OutputBatch) -> npt.NDArray[np.intp]:
        assert self._pending is not None
        if self.denied:
            raise AbortedError("missing ACL", permanent=True)
        if self.missing:
            self.missing -= 1
            raise AbortedError("no such topic", permanent=True, heals=True)
        self._fail(next(self._faults, ""))
        positions = _positions_of(outputs)
        refused = [i for i, position in enumerate(positions) if position in self.refuse]
        if outputs.topic == "letters":
            refused = []
            self.letters += positions
        self._pending += [p for i, p in enumerate(positions) if i not in refused]
        return np.array(refused, dtype=np.intp)

    def commit(
        self, offsets: Mapping[int, NextOffset], membership: GroupMembership, deadline_s: float
    ) -> None:
        del deadline_s
        assert self._pending is not None
        self.commits_tried += 1
        fault = next(self._faults, "")
        if fault != "fenced-after":
            self._fail(fault)
        if not membership.is_member or not offsets.keys() <= self._cluster.owned:
            raise AbortedError("illegal generation")
        self._cluster.outcomes += self._pending
        self._cluster.committed.update({p: o.offset for p, o in offsets.items()})
        self._pending = None
        self.committed += 1
        if fault == "fenced-after":
            self._dead = True
            raise FencedError("the answer was lost, and then the producer was fenced")

    def _fail(self, fault: str) -> None:
        if fault == "abort":
            raise AbortedError("delivery timed out")
        if fault == "away":
            raise RetriableError("no broker")
        if fault == "fenced":
            self._dead = True
            self._pending = None
            raise FencedError("fenced")

    def abort(self) -> None:
        if self._pending is not None:
            self.aborted += 1
            self._pending = None

    def rebuild(self) -> None:
        self.rebuilds += 1
        self._pending = None
        self._dead = False

    def renew(self) -> None:
        assert self._pending is None, "a unit was open"
        self.renewals += 1
        self._dead = False

    def close(self) -> None:
        self.abort()
        self.closed = True


class FakeFiles:
    """Credential files; a word for what they hold at each look, and at the end as before.

    One that begins with "bad" is refused.
    """

    def __init__(self, contents: Iterator[str]) -> None:
        self._contents = contents
        self._now = ""
        self.tried: list[str] = []

    def fingerprint(self) -> str:
        self._now = next(self._contents, self._now)
        return self._now

    def fault(self) -> str | None:
        self.tried.append(self._now)
        return f"refused: {self._now}" if self._now.startswith("bad") else None


def _positions_of(outputs: OutputBatch) -> list[tuple[int, int]]:
    """The echo's records carry their own position as value."""
    pairs = []
    for value in outputs.values:
        assert value is not None
        partition, _, offset = value.decode().partition(":")
        pairs.append((int(partition), int(offset)))
    return pairs


class Echo:
    """A processor whose outcome of a record is its position; may find the world in the way."""

    def __init__(self, troubles: Iterator[bool]) -> None:
        self._troubles = troubles
        self.since_commit = 0
        self.committed_records = 0
        self.restored: list[int] = []
        self.not_yet_restored = 0
        self.has_state = False
        self.full_at = 1 << 30
        self.tells_quiet_of: set[int] = set()
        self.concluded = 0

    def choose(self, batch: RecordBatch) -> None:
        """All of them."""

    def condemn(self, batch: RecordBatch) -> OutputBatch:
        self.since_commit += len(batch)
        return echo_outputs(batch, np.arange(len(batch)), "letters")

    def process(self, batch: RecordBatch) -> Sequence[OutputBatch]:
        if next(self._troubles, False):
            raise RetriableError("the registry does not answer")
        self.since_commit += len(batch)
        return [echo_outputs(batch, np.arange(len(batch)), "outcomes")]

    def redirect(
        self, batch: RecordBatch, outputs: OutputBatch, refused: npt.NDArray[np.intp]
    ) -> OutputBatch:
        return echo_outputs(batch, outputs.rows[refused], "letters")

    def assigned(self, partitions: Sequence[int]) -> None:
        del partitions

    def restore(self, partitions: Sequence[int]) -> bool:
        if self.not_yet_restored:
            self.not_yet_restored -= 1
            return False
        self.restored += partitions
        return True

    def is_full(self) -> bool:
        return self.since_commit >= self.full_at

    def quiet(self, next_offsets: Mapping[int, int]) -> Collection[int]:
        return sorted(set(next_offsets) & self.tells_quiet_of)

    def conclude(self) -> Sequence[OutputBatch]:
        self.concluded += 1
        return []

    def committed(self) -> None:
        self.committed_records += self.since_commit
        self.since_commit = 0
        self.tells_quiet_of.clear()

    def rolled_back(self) -> bool:
        self.since_commit = 0
        return self.has_state

    def revoked(self, partitions: Sequence[int]) -> None:
        del partitions

    def metadata(self, partition: int) -> str:
        return f"partition {partition}"


def echo_outputs(batch: RecordBatch, rows: npt.NDArray[np.intp], topic: str) -> OutputBatch:
    """Records whose value is their source's position."""
    values: list[bytes | None] = [
        f"{batch.partition[row]}:{batch.offset[row]}".encode() for row in rows
    ]
    return OutputBatch(
        topic=topic,
        rows=rows,
        values=BytesColumn.of(values),
        keys=BytesColumn.all_null(len(rows)),
        partition=batch.partition[rows],
        timestamp_ms=batch.timestamp_ms[rows],
    )
