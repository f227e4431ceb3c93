"""One run of one peer: its topics, its process, what it left, all put away.

Decides that nobody's figure counts before everything it wrote was read again.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from stream_app.bench.children import Children
from stream_app.bench.clusters import Cluster
from stream_app.bench.cores import Cores
from stream_app.bench.figures import Figures
from stream_app.bench.options import BenchOptions, BuiltIn, ClusterKind, Contender
from stream_app.bench.orders import Order
from stream_app.bench.screen import Screen
from stream_app.bench.stage import kind_of
from stream_app.bench.workload import Workload, outputs_of, prepare
from stream_app.settings import Settings, load_settings
from tests.bench.peers import byhand, programs
from tests.bench.peers.catalogue import Peer, Runtime
from tests.bench.peers.judging import Columns, faults, repeated
from tests.bench.peers.orders import PeerOrder, order_of
from tests.bench.peers.readback import read_expected, read_found
from tests.bench.peers.standings import Run

_START_S: Final = 120.0
_LEAST_PER_SECOND: Final = 500
"""Slower than this and a run is given up."""


class WrongOutputError(Exception):
    """A run lost, repeated or changed something; says what."""


@dataclass(frozen=True, slots=True)
class Input:
    """What peers read.

    Attributes:
        workload: The topic and the settings under which it is read.
        expected: What must come out.
    """

    workload: Workload
    expected: Columns


@dataclass(frozen=True, slots=True)
class Stage:
    """See the module.

    Attributes:
        name: That topics begin with.
        folder: Of runs; goes in the end.
        commands: How peers of other makes are started.
        inputs: By share.
        cluster: Which is up.
        children: Processes of the bench's own contenders.
        cores: Who runs where.
        screen: Where it is seen.
        held: Keeps signals away.
    """

    name: str
    folder: Path
    commands: Mapping[str, programs.Command]
    inputs: dict[int, Input]
    cluster: Cluster
    children: Children
    cores: Cores
    screen: Screen
    held: Callable[[], AbstractContextManager[None]]

    def fill(self, share: int, records: int) -> None:
        """Write the input for peers of a share, and work out what must come of it."""
        count = records // share
        options = BenchOptions(ClusterKind.REAL, BuiltIn.MLP, (), count, 1, 0.0, 0.0)
        name = f"{self.name}-{share}"
        self.screen.begin("writing the input", count)
        cluster, tell = self.cluster, self.screen.show
        workload = prepare(options, Settings(), {}, None, cluster, name, self.folder, tell)
        self.screen.end()
        self.screen.say(f"scoring {count:,} events to compare with")
        settings = load_settings(None, workload.overrides)
        expected = read_expected(cluster.kafka, _reading(order_of(settings, count, "")))
        self.inputs[share] = Input(workload, expected)

    def run(self, peer: Peer, turn: str) -> tuple[Run, dict[str, str]]:
        """Have a peer score its whole input.

        Returns:
            What it took, and the versions that the peer told.

        Raises:
            WrongOutputError: what came out is not right.
            StreamAppError: it failed.
        """
        workload = self.inputs[peer.share].workload
        run = f"{workload.name}.{peer.name}-{turn}"
        client = Contender(peer.program).client if peer.runtime is Runtime.BENCH else ""
        overrides = {
            **workload.overrides,
            **outputs_of(run),
            **({"kafka.client": client} if client else {}),
            "kafka.group": run,
        }
        settings = load_settings(None, overrides)
        topics = [settings.predictions_topic, settings.dlq_topic]
        folder = self.folder / run
        folder.mkdir()
        order = order_of(settings, workload.records, str(folder))
        self.cluster.make_topics(topics, workload.partitions)
        try:
            if peer.runtime is Runtime.BENCH:
                return self._checked(peer, order, self._of_bench(peer, overrides, order)), {}
            found, versions = self._of_others(peer, order)
            return self._checked(peer, order, found), versions
        finally:
            self.cluster.drop(topics)

    def _of_bench(self, peer: Peer, overrides: dict[str, str], order: PeerOrder) -> Run:
        told = Order(
            kind=kind_of(Contender(peer.program)),
            cores=self.cores.measured,
            overrides=overrides,
            records=order.records,
            limit_s=_limit_s(order.records),
        )
        figures = Figures.of(self.children.run(told, peer.name))
        return Run(figures.predictions, figures.seconds, figures.cpu_s)

    def _of_others(self, peer: Peer, order: PeerOrder) -> tuple[Run, dict[str, str]]:
        answer: Mapping[str, Any] = programs.run(
            self.commands[peer.name],
            order,
            self.cores.measured,
            peer.name,
            _limit_s(order.records),
            self.held,
        )
        return Run.of(answer), dict(answer["versions"])

    def _checked(self, peer: Peer, order: PeerOrder, run: Run) -> Run:
        expected = self.inputs[peer.share].expected
        found = read_found(self.cluster.kafka, _reading(order))
        wrong = [found.fault] if found.fault else []
        wrong += faults(expected, found.columns, peer.claim)
        if run.records < len(expected):
            wrong.append(f"claims {run.records:,} of {len(expected):,} records")
        if wrong:
            raise WrongOutputError("; ".join(wrong))
        return replace(run, records=len(expected), repeated=repeated(found.columns))


def _reading(order: PeerOrder) -> byhand.Order:
    return byhand.Order(**asdict(order))


def _limit_s(records: int) -> float:
    return _START_S + records / _LEAST_PER_SECOND
