"""What became of each peer: its runs, or why there are none, and how it stands to the others.

Arithmetic on given numbers; the table and the JSON say the same of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final, Self

from stream_app.bench.figures import Spread
from tests.bench.peers.catalogue import NATIVE, PUBLIC, Peer

FORMAT: Final = 1


class State(StrEnum):
    """Of a peer."""

    MEASURED = "measured"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Run:
    """One run, from the first record fetched to the last commit.

    Attributes:
        records: Committed.
        seconds: It took.
        cpu_s: Of all threads of the process.
        warm_per_second: Records a second after the first third; ``None`` where nobody told.
        repeated: Predictions beyond the first of their event.
    """

    records: int
    seconds: float
    cpu_s: float
    warm_per_second: float | None = None
    repeated: int = 0

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Self:
        """As a peer told it."""
        warm_s = answer.get("warm_seconds", 0.0)
        return cls(
            records=answer["records"],
            seconds=answer["seconds"],
            cpu_s=answer["cpu_seconds"],
            warm_per_second=answer["warm_records"] / warm_s if warm_s else None,
        )

    @property
    def per_second(self) -> float:
        """Records."""
        return self.records / self.seconds


@dataclass(slots=True)
class Standing:
    """One peer.

    Attributes:
        peer: Who.
        runs: Good ones.
        state: A figure is shown of a measured one only.
        reason: Why it is not.
        versions: Of what it is made of.
    """

    peer: Peer
    runs: list[Run] = field(default_factory=list)
    state: State = State.MEASURED
    reason: str = ""
    versions: dict[str, str] = field(default_factory=dict)

    def drop(self, state: State, reason: str) -> None:
        """It has no figure from now on."""
        self.state, self.reason = state, reason

    @property
    def measured(self) -> bool:
        """Whether there is a figure."""
        return self.state is State.MEASURED and bool(self.runs)

    @property
    def per_second(self) -> Spread:
        """Records; of a measured one."""
        return Spread.of([run.per_second for run in self.runs])

    @property
    def cpu_us(self) -> Spread:
        """Of a record; of a measured one."""
        return Spread.of([1e6 * run.cpu_s / run.records for run in self.runs])

    @property
    def warm_per_second(self) -> Spread | None:
        """After the first third of a run; ``None`` where nobody told."""
        told = [run.warm_per_second for run in self.runs if run.warm_per_second is not None]
        return Spread.of(told) if told else None


@dataclass(frozen=True, slots=True)
class Report:
    """All of it.

    Attributes:
        date: When it ended, UTC.
        kafka: Which cluster.
        records: That a whole input has.
        rounds: Runs of each.
        settings: In effect, that the figures depend on.
        machine: See ``stream_app/bench/machine.py``.
        versions: Of stream-app and what it is made of.
        pinned: Whether who was measured had a core alone.
        standings: In the table's order.
    """

    date: str
    kafka: str
    records: int
    rounds: int
    settings: Mapping[str, object]
    machine: Mapping[str, object]
    versions: Mapping[str, str]
    pinned: bool
    standings: Sequence[Standing]

    @property
    def ok(self) -> bool:
        """Nobody failed; who was skipped did not."""
        return all(each.state is not State.FAILED for each in self.standings)

    def ratio(self, standing: Standing, to: str) -> float | None:
        """Its median by that of another; ``None`` when either has none."""
        other = next((each for each in self.standings if each.peer.name == to), None)
        if other is None or not other.measured or not standing.measured:
            return None
        return standing.per_second.median / other.per_second.median

    def to_json(self) -> dict[str, object]:
        """Plain values for ``json.dumps``."""
        return {
            "format": FORMAT,
            "ok": self.ok,
            "date": self.date,
            "machine": dict(self.machine),
            "pinned": self.pinned,
            "kafka": self.kafka,
            "records": self.records,
            "rounds": self.rounds,
            "settings": dict(self.settings),
            "versions": dict(self.versions),
            "peers": {each.peer.name: self._peer(each) for each in self.standings},
        }

    def _peer(self, standing: Standing) -> dict[str, object]:
        told: dict[str, object] = {
            "meaning": standing.peer.meaning,
            "claim": standing.peer.claim.value,
            "state": standing.state.value,
            "reason": standing.reason,
            "versions": standing.versions,
            "runs": [asdict(run) for run in standing.runs],
        }
        if standing.measured:
            warm = standing.warm_per_second
            told |= {
                "records": standing.runs[0].records,
                "records_per_second": standing.per_second.to_json(0),
                "warm_records_per_second": warm.to_json(0) if warm else None,
                "cpu_us_per_record": standing.cpu_us.to_json(3),
                "of_public": _rounded(self.ratio(standing, PUBLIC)),
                "of_native": _rounded(self.ratio(standing, NATIVE)),
            }
        return told


def _rounded(ratio: float | None) -> float | None:
    return None if ratio is None else round(ratio, 4)
