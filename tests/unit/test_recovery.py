"""Laws of recovery: what is owed is paid once, in order, and only for partitions that are ours."""

from stream_app.adapters.process.prometheus_telemetry import NullTelemetry
from stream_app.errors import DeniedError
from stream_app.health import WorkerHealth
from stream_app.recovery import Recovery
from tests.fakes import FakeClock, FakeCluster, FakeSink, FakeSource, Step


class Parts:
    """A recovery on a fake source that owns partitions 0 and 1."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.cluster = FakeCluster({0: 9, 1: 9}, committed={0: 4})
        self.source = FakeSource(self.cluster, iter([Step("assign", (0, 1))]), self.clock)
        self.sink = FakeSink(self.cluster, iter(()), iter(()))
        self.health = WorkerHealth(self.clock, 60.0, NullTelemetry())
        self.recovery = Recovery(self.source, self.sink, self.clock, self.health)


def test_a_partition_that_went_to_another_member_is_owed_no_more() -> None:
    parts = Parts()
    parts.recovery.owe_rewind({0: 1, 1: 2})
    parts.recovery.release([1])
    assert parts.recovery.partitions == {0}


def test_the_first_offset_owed_is_the_one_to_go_back_to() -> None:
    parts = Parts()
    parts.recovery.owe_rewind({1: 2})
    parts.recovery.owe_rewind({1: 7})
    parts.source.open(Listener())
    parts.source.fetch(0, 0.0)
    parts.recovery.settle(parts.clock.now_s())
    batch = parts.source.fetch(20, 0.0)
    assert batch.first_offsets() == {0: 4, 1: 2}
    assert parts.recovery.partitions == frozenset()


def test_while_it_waits_nothing_is_paid_and_the_worker_is_not_ready() -> None:
    parts = Parts()
    parts.recovery.owe_rebuild()
    parts.recovery.wait("no broker")
    parts.recovery.settle(parts.clock.now_s())
    assert parts.sink.rebuilds == 0
    assert parts.health.paused
    parts.clock.time_s += 10
    parts.recovery.settle(parts.clock.now_s())
    assert parts.sink.rebuilds == 1
    assert not parts.health.paused


def test_each_trouble_in_a_row_waits_longer_up_to_a_bound() -> None:
    parts = Parts()
    waits = []
    for _ in range(10):
        begin_s = parts.clock.time_s
        parts.recovery.wait("no broker")
        while parts.health.paused:
            parts.clock.time_s += 0.05
            parts.recovery.settle(parts.clock.now_s())
        waits.append(parts.clock.time_s - begin_s)
    assert waits == sorted(waits)
    assert 4.9 < waits[-1] < 5.2
    parts.recovery.succeeded()
    parts.recovery.wait("again")
    parts.clock.time_s += 0.2
    parts.recovery.settle(parts.clock.now_s())
    assert not parts.health.paused


def test_a_unit_that_goes_through_says_nothing_about_what_the_input_misses() -> None:
    parts = Parts()
    parts.health.deny("input", "missing ACL: Read on Topic in")
    parts.recovery.deny("missing ACL: Write on Topic out")
    parts.recovery.succeeded()
    assert "missing ACL: Read on Topic in" in parts.health.ready()[1]
    assert "missing ACL: Write on Topic out" not in parts.health.ready()[1]
    parts.recovery.release([0])
    assert "missing ACL: Read on Topic in" in parts.health.ready()[1]


def test_what_the_input_misses_no_more_says_nothing_about_the_units() -> None:
    parts = Parts()
    parts.recovery.deny("missing ACL: Write on Topic out")
    parts.health.deny("input", "")
    assert "missing ACL: Write on Topic out" in parts.health.ready()[1]


def test_a_debt_that_is_paid_ends_what_hindered_it() -> None:
    parts = Parts()
    parts.sink.rebuild = denied  # type: ignore[method-assign]  # for a moment
    parts.recovery.owe_rebuild()
    parts.recovery.settle(parts.clock.now_s())
    assert "missing ACL: Write on TransactionalId" in parts.health.ready()[1]
    del parts.sink.rebuild
    parts.clock.time_s += 10
    parts.recovery.settle(parts.clock.now_s())
    assert "missing ACL: Write on TransactionalId" not in parts.health.ready()[1]


def denied() -> None:
    raise DeniedError("missing ACL: Write on TransactionalId")


class Listener:
    """Hears nothing."""

    def assigned(self, partitions: object) -> None: ...

    def revoked(self, partitions: object) -> None: ...

    def lost(self, partitions: object) -> None: ...
