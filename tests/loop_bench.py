"""A loop on a scripted cluster of three partitions, to be run until all is committed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stream_app.adapters.process.prometheus_telemetry import NullTelemetry
from stream_app.adapters.process.watchdog import NullWatchdog
from stream_app.core.batching import BatchBound, TransactionPolicy
from stream_app.credentials import Credentials
from stream_app.health import WorkerHealth
from stream_app.loop import Loop, LoopConfig
from tests.fakes import Echo, FakeClock, FakeCluster, FakeFiles, FakeSink, FakeSource, Step

ALL = (0, 1, 2)
TURNS = 3_000


@dataclass
class Bench:
    """A loop on a scripted cluster."""

    cluster: FakeCluster
    source: FakeSource
    sink: FakeSink
    echo: Echo
    loop: Loop
    turns: int = 0

    def run(self) -> None:
        """Turn until all is committed, and at most ``TURNS`` times."""
        self.loop.run(self._enough)

    def _enough(self) -> bool:
        self.turns += 1
        return self.cluster.drained or self.turns > TURNS


def bench(
    script: Sequence[Step | None],
    faults: Sequence[str] = (),
    troubles: Sequence[bool] = (),
    *,
    begin_faults: Sequence[str] = (),
    files: Sequence[str] = (),
    told_in_the_end: bool = False,
) -> Bench:
    """A loop on three partitions of 40 records each.

    Args:
        script: Of the group.
        faults: Of the sink, one a call.
        troubles: Of the processor, one a batch.
        begin_faults: Of the sink, one a begin.
        files: What the credential files hold, one a look.
        told_in_the_end: After the script, the member learns that it lost all and gets all.
    """
    cluster = FakeCluster(dict.fromkeys(ALL, 40))
    clock = FakeClock(step_s=0.002)
    source = FakeSource(cluster, _then_ours(script) if told_in_the_end else iter(script), clock)
    sink = FakeSink(cluster, iter(faults), iter(begin_faults))
    echo = Echo(iter(troubles))
    loop = Loop(
        LoopConfig(TransactionPolicy(0.05, 30), BatchBound.starting(7, 1.0), 60.0, 1.0, 1.0, 30.0),
        source,
        sink,
        echo,
        clock,
        NullTelemetry(),
        NullWatchdog(),
        WorkerHealth(clock, 60.0, NullTelemetry()),
        Credentials(FakeFiles(iter(files)), clock, NullTelemetry(), every_s=0.02),
    )
    return Bench(cluster, source, sink, echo, loop)


def _then_ours(script: Sequence[Step | None]) -> Iterator[Step | None]:
    yield from script
    yield Step("lost", ALL)
    yield Step("assign", ALL)
