"""Laws of the crash guard: who kills the process is buried alone, and nobody else, ever."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_app.adapters.process.prometheus_telemetry import NullTelemetry
from stream_app.adapters.process.watchdog import NullWatchdog
from stream_app.core.batching import BatchBound, TransactionPolicy
from stream_app.core.columns import OutputBatch, RecordBatch
from stream_app.core.native_deaths import (
    DEATHS_TOGETHER,
    MOST_IN_A_ROW,
    NOBODY,
    Row,
    Rows,
    Suspicion,
)
from stream_app.crash_guard import CrashGuard
from stream_app.credentials import Credentials
from stream_app.errors import DataError
from stream_app.health import WorkerHealth
from stream_app.loop import Loop, LoopConfig
from tests.fakes import (
    Echo,
    FakeClock,
    FakeCluster,
    FakeFiles,
    FakeSink,
    FakeSource,
    Step,
    records,
)

ALL = (0, 1, 2)
EACH = 25
LIMIT = 3
TURNS = 20_000


class Died(BaseException):
    """Stands for a native death: no code of the process runs after it."""


class Memory:
    """A recorder that outlives the process, and to which a dead one writes nothing."""

    place = "memory"

    def __init__(self) -> None:
        self.inside: Rows = NOBODY
        self.suspicion = Suspicion()
        self.dead = False
        self.kept = 0

    def found(self, scope: str) -> tuple[Rows, Suspicion]:
        assert scope == "topic id"
        return self.inside, self.suspicion

    def keep(self, suspicion: Suspicion) -> None:
        self.suspicion, self.inside = suspicion, NOBODY
        self.kept += 1

    def enter(self, records: RecordBatch) -> None:
        self.inside = frozenset(
            zip(records.partition.tolist(), records.offset.tolist(), strict=True)
        )

    def leave(self) -> None:
        if not self.dead:
            self.inside = NOBODY


@dataclass
class World:
    """A cluster and the processes that live in it, one after the other.

    Attributes:
        killers: Records that kill.
        kills: Numbers of the batches, over all lives, at which an operator kills.
        faults: Of the sinks, over all lives; see :class:`FakeSink`.
    """

    killers: frozenset[Row]
    kills: frozenset[int] = frozenset()
    batch: int = 7
    faults: Iterator[str] = field(default_factory=lambda: iter(()))
    memory: Memory = field(default_factory=Memory)
    cluster: FakeCluster = field(default_factory=lambda: FakeCluster(dict.fromkeys(ALL, EACH)))
    buried: list[Row] = field(default_factory=list)
    batches: int = 0
    deaths: int = 0
    turns: int = 0

    def run(self, most_deaths: int) -> None:
        """Start processes until all is committed."""
        while not self.cluster.drained:
            assert self.deaths <= most_deaths, self.memory.suspicion
            try:
                self._live()
            except Died:
                self.deaths += 1
                self.cluster.owned.clear()

    def _live(self) -> None:
        self.memory.dead = False
        clock = FakeClock(step_s=0.002)
        script: Iterator[Step | None] = iter([Step("assign", ALL)])
        guard = CrashGuard(Mortal(self), self.memory, LIMIT, lambda: "topic id")
        loop = Loop(
            LoopConfig(
                TransactionPolicy(0.05, 30),
                BatchBound.starting(self.batch, 1.0),
                60.0,
                1.0,
                1.0,
                120.0,
            ),
            FakeSource(self.cluster, script, clock),
            FakeSink(self.cluster, self.faults, iter(())),
            guard,
            clock,
            NullTelemetry(),
            NullWatchdog(),
            WorkerHealth(clock, 60.0, NullTelemetry()),
            Credentials(FakeFiles(iter(())), clock, NullTelemetry(), every_s=60.0),
        )
        loop.run(self._enough)

    def _enough(self) -> bool:
        self.turns += 1
        assert self.turns < TURNS, "the loop stopped making progress"
        return self.cluster.drained


class Mortal(Echo):
    """A processor that some records, and some operators, kill."""

    def __init__(self, world: World) -> None:
        super().__init__(iter(()))
        self._world = world
        self._open: list[Row] = []

    def process(self, batch: RecordBatch) -> Sequence[OutputBatch]:
        world = self._world
        world.batches += 1
        rows = set(zip(batch.partition.tolist(), batch.offset.tolist(), strict=True))
        if rows & world.killers or world.batches in world.kills:
            world.memory.dead = True
            raise Died
        return super().process(batch)

    def condemn(self, batch: RecordBatch) -> OutputBatch:
        self._open += zip(batch.partition.tolist(), batch.offset.tolist(), strict=True)
        return super().condemn(batch)

    def committed(self) -> None:
        super().committed()
        self._world.buried += self._open
        self._open.clear()

    def rolled_back(self) -> bool:
        self._open.clear()
        return super().rolled_back()


def test_one_killer_is_buried_alone_after_five_deaths() -> None:
    world = World(frozenset({(1, 12)}))
    world.run(most_deaths=5)
    assert world.buried == [(1, 12)]
    assert world.deaths == 2 + LIMIT
    assert world.cluster.repeated_or_lost() == []
    assert world.memory.suspicion.is_none


def test_without_killers_nothing_is_written_down_but_what_is_processed() -> None:
    world = World(frozenset())
    world.run(most_deaths=0)
    assert world.buried == []
    assert world.memory.inside == NOBODY
    assert world.memory.suspicion == Suspicion()


@settings(max_examples=60)
@given(
    killers=st.frozensets(
        st.tuples(st.sampled_from(ALL), st.integers(0, EACH - 1)), max_size=MOST_IN_A_ROW
    ),
    kills=st.frozensets(st.integers(1, 60), max_size=DEATHS_TOGETHER + LIMIT - 1),
    batch=st.integers(1, 12),
    faults=st.lists(st.sampled_from(["", "", "abort", "fenced"]), max_size=60),
)
def test_killers_and_nobody_else_are_buried_whatever_operators_and_brokers_do(
    killers: frozenset[Row], kills: frozenset[int], batch: int, faults: list[str]
) -> None:
    world = World(killers, kills, batch, iter(faults))
    world.run(most_deaths=len(killers) * (DEATHS_TOGETHER + LIMIT) + len(kills))
    assert sorted(world.buried) == sorted(killers)
    assert world.cluster.repeated_or_lost() == []


def test_a_process_that_dies_of_anything_buries_nothing_and_asks_for_a_person() -> None:
    everything = frozenset((p, o) for p in ALL for o in range(EACH))
    world = World(everything)
    with pytest.raises(DataError, match="hardly the records"):
        world.run(most_deaths=100)
    assert world.buried == []
    # Again, if nobody looks; and if somebody mends it, all are scored.
    with pytest.raises(DataError):
        world.run(most_deaths=200)
    mended = World(frozenset(), memory=world.memory, cluster=world.cluster)
    mended.run(most_deaths=0)
    assert mended.buried == []
    assert mended.memory.suspicion.is_none
    assert world.cluster.repeated_or_lost() == []


def test_an_innocent_at_which_operators_killed_is_acquitted_when_it_survives() -> None:
    world = World(frozenset(), kills=frozenset({2, 3, 4, 5, 7, 8, 9, 10}), batch=1)
    world.run(most_deaths=8)
    assert world.buried == []


def test_a_suspect_gets_its_turn_though_each_fetch_brings_others_too() -> None:
    memory = Memory()
    memory.suspicion = Suspicion({(0, 5): DEATHS_TOGETHER})
    guard = CrashGuard(Echo(iter(())), memory, LIMIT, lambda: "topic id")
    turns: list[list[Row]] = []
    for turn in range(4):
        batch = records([(1, 2 * turn), (0, 5), (1, 2 * turn + 1), (0, 6)])
        rows = guard.choose(batch)
        assert rows is not None
        chosen = batch.take(rows)
        turns.append(list(zip(chosen.partition.tolist(), chosen.offset.tolist(), strict=True)))
    assert turns == [[(1, 0), (1, 1)], [(0, 5)], [(1, 4), (1, 5)], [(0, 5)]]


def test_what_lies_before_a_suspect_is_processed_before_it() -> None:
    memory = Memory()
    memory.suspicion = Suspicion({(0, 5): DEATHS_TOGETHER})
    guard = CrashGuard(Echo(iter(())), memory, LIMIT, lambda: "topic id")
    batch = records([(0, 4), (0, 5), (1, 0), (0, 6)])
    for _ in range(3):
        rows = guard.choose(batch)
        assert rows is not None
        assert rows.tolist() == [0, 2]


def test_positions_of_another_topic_accuse_nobody() -> None:
    before = Suspicion({(0, 5): 2})
    assert before.after_death(NOBODY, LIMIT) == before
    assert before.without_passed({0: 6}).is_none
    assert before.without_passed({1: 99}) == before


def test_a_record_that_is_condemned_stays_so_until_its_dead_letter_is_committed() -> None:
    neighbours = World(frozenset({(0, 0), (0, 1)}), batch=1)
    neighbours.run(most_deaths=2 * (DEATHS_TOGETHER + LIMIT))
    assert neighbours.buried == [(0, 0), (0, 1)]
    assert neighbours.cluster.repeated_or_lost() == []


def test_suspects_of_another_member_are_kept_and_cost_nothing() -> None:
    world = World(frozenset())
    elsewhere = Suspicion({(9, 4): 1})
    world.memory.suspicion = elsewhere
    world.run(most_deaths=0)
    assert world.memory.suspicion == elsewhere
    assert world.memory.kept == 1, "written once, at the start"


def test_who_is_condemned_stays_so_when_the_dead_letter_is_undone() -> None:
    quiet = World(frozenset({(0, 0)}), batch=1)
    quiet.run(most_deaths=DEATHS_TOGETHER + LIMIT)
    # Every unit of the last life's first second is undone, the dead letter's among them.
    undone = World(frozenset({(0, 0)}), batch=1, faults=iter(["abort"] * 20))
    undone.run(most_deaths=DEATHS_TOGETHER + LIMIT)
    assert undone.buried == [(0, 0)]
    assert undone.cluster.repeated_or_lost() == []


def test_only_a_record_that_was_there_at_two_deaths_is_processed_alone() -> None:
    first = Suspicion().after_death(frozenset({(0, 1), (0, 2)}), LIMIT)
    assert not first.alone
    again = first.after_death(frozenset({(0, 2), (0, 3)}), LIMIT)
    assert again.alone == {(0, 2)}
    assert not again.after_survival(frozenset({(0, 2)})).alone
