"""What one run under faults left behind: the line of the report that it becomes.

Decides what is kept of a run. Refuses to run anything.
"""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class Fired:
    """A fault that was really done to the group.

    Attributes:
        what: In words.
        lag: Consumer lag when it fired, in records; above zero, or it proves nothing.
        recovery_s: From the fault until every event that was in the input then was committed;
            ``None`` where the test does not measure it.
    """

    what: str
    lag: int
    recovery_s: float | None = None


@dataclass(slots=True)
class RunRecord:
    """One run.

    Attributes:
        fault: ``F1`` …
        test: Its node id.
        seed: Of every choice that it made.
        protocol: Group protocol.
        fired: Faults, in order.
        committed: Transactions, as the workers last told.
        aborted: Likewise; those that the broker ended after a kill are not among them.
        aborted_outcomes: Outcomes in the log that no reader of committed records sees.
        report: The verifier's.
        live: Differences that the reader beside the run found.
        duration_s: Of the whole run.
        control: How the worker, or its judge, was broken on purpose; the verdict must not be good.
    """

    fault: str
    test: str
    seed: int
    protocol: str
    fired: list[Fired] = field(default_factory=list)
    committed: int = 0
    aborted: int = 0
    aborted_outcomes: int = 0
    report: dict[str, object] = field(default_factory=dict)
    live: list[str] = field(default_factory=list)
    duration_s: float = 0.0
    control: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)
