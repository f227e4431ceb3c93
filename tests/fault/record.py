"""What tests and runs under faults were, and left behind: the lines of the report.

Decides what is kept of them. Refuses to run anything.
"""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Variant:
    """What a fault is run with; more of it as there is more to vary.

    Attributes:
        seed: Of every choice.
        protocol: Group protocol, ``classic`` or ``consumer``.
        client: Kafka client, ``public`` or ``native``.
    """

    seed: int
    protocol: str
    client: str = "public"

    def __str__(self) -> str:
        return f"{self.client}-{self.protocol}-seed{self.seed}"


@dataclass(slots=True)
class Fired:
    """A fault that was really done to the group.

    Attributes:
        what: In words.
        lag: Consumer lag when it fired, in records; above zero, or it proves nothing.
        recovery_s: From the end of the fault's block until every event that was in the input then
            was committed; ``None`` where the test does not wait for it. A block is over when the
            fault has begun, or when it is healed, as its test needs it: only the runs named
            ``recovery``, whose blocks hold a SIGKILL and nothing else, can be compared.
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
        client: Kafka client.
        fired: Faults, in order.
        committed: Transactions, as the workers last told.
        aborted: Likewise; those that the broker ended after a kill are not among them.
        aborted_outcomes: Outcomes in the log that no reader of committed records sees.
        report: The verifier's.
        live: Differences that the reader beside the run found.
        duration_s: Of the whole run.
        control: How the worker, or its judge, was broken on purpose; the verdict must not be good.
        expected: Kinds of findings that the fault itself brings with it, and why they are no
            fault of the worker's; any other is one.
    """

    fault: str
    test: str
    seed: int
    protocol: str
    client: str = "public"
    fired: list[Fired] = field(default_factory=list)
    committed: int = 0
    aborted: int = 0
    aborted_outcomes: int = 0
    report: dict[str, object] = field(default_factory=dict)
    live: list[str] = field(default_factory=list)
    duration_s: float = 0.0
    control: str = ""
    expected: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Asked:
    """A test of a fault that was to run, and what became of it.

    Attributes:
        fault: ``F1`` …
        test: Its node id.
        seed: Of the run; ``None`` for a test without runs on a cluster.
        outcome: ``passed``, ``failed`` or ``skipped``.
        reason: Why it was skipped.
    """

    fault: str
    test: str
    seed: int | None
    outcome: str = "passed"
    reason: str = ""

    @property
    def function(self) -> str:
        """The test without its parameters."""
        return self.test.partition("[")[0]
