"""What runs measured: one run's figures, and what several of them say together.

Decides that a median stands for the runs and the range for their doubt. Arithmetic on given
numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Self

from stream_app.demo.measure import percentile

OTHER = "other"


@dataclass(frozen=True, slots=True)
class Figures:
    """One run, from its first record to its last commit.

    Attributes:
        predictions: Committed.
        dead_letters: Committed.
        seconds: It took.
        cpu_s: Of all threads of the process.
        thread_cpu_s: Of the thread that does the work.
        steps: Seconds by step; the rest of ``seconds`` is under ``other``.
        batches: Micro-batches.
        commits: Successful ones.
        aborts: Transactions undone.
        peak_rss_bytes: Greatest memory of the process.
    """

    predictions: int
    dead_letters: int
    seconds: float
    cpu_s: float
    thread_cpu_s: float
    steps: Mapping[str, float]
    batches: int
    commits: int
    aborts: int
    peak_rss_bytes: int

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Self:
        """As a child told it."""
        names = cls.__dataclass_fields__
        given = {name: value for name, value in answer.items() if name in names}
        steps: dict[str, float] = {n: max(0.0, s) for n, s in given["steps"].items() if s}
        steps[OTHER] = max(0.0, given["seconds"] - sum(steps.values()))
        return cls(**given | {"steps": steps})

    @property
    def records(self) -> int:
        """Outcomes of either kind."""
        return self.predictions + self.dead_letters

    @property
    def per_second(self) -> float:
        """Records."""
        return self.records / self.seconds

    def us_per_record(self, seconds: float) -> float:
        """So many seconds, shared by all records."""
        return 1e6 * seconds / self.records


@dataclass(frozen=True, slots=True)
class Spread:
    """One figure over several runs."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Of at least one value."""
        return cls(median(values), min(values), max(values))

    def to_json(self, digits: int) -> dict[str, float]:
        """Plain values."""
        return {
            "median": round(self.median, digits),
            "least": round(self.least, digits),
            "greatest": round(self.greatest, digits),
        }


@dataclass(frozen=True, slots=True)
class Result:
    """All runs of one contender; at least one."""

    runs: tuple[Figures, ...]

    @property
    def per_second(self) -> Spread:
        """Records."""
        return Spread.of([run.per_second for run in self.runs])

    @property
    def cpu_us(self) -> Spread:
        """Of the process, a record."""
        return Spread.of([run.us_per_record(run.cpu_s) for run in self.runs])

    @property
    def thread_cpu_us(self) -> Spread:
        """Of the working thread, a record."""
        return Spread.of([run.us_per_record(run.thread_cpu_s) for run in self.runs])

    @property
    def cores(self) -> float:
        """Used at a time."""
        return median(run.cpu_s / run.seconds for run in self.runs)

    @property
    def commit_s(self) -> float:
        """Of one commit."""
        return median(run.steps.get("commit", 0.0) / max(1, run.commits) for run in self.runs)

    @property
    def peak_rss_bytes(self) -> int:
        """The greatest."""
        return max(run.peak_rss_bytes for run in self.runs)

    def shares(self) -> dict[str, float]:
        """Of the time of all runs, by step; they add up to 1."""
        total = sum(run.seconds for run in self.runs)
        names = dict.fromkeys(name for run in self.runs for name in run.steps)
        return {name: sum(run.steps.get(name, 0.0) for run in self.runs) / total for name in names}


@dataclass(frozen=True, slots=True)
class Latency:
    """From a record's sending to its outcome's being read, at a steady rate.

    Attributes:
        rate: Records a second, as sent.
        sent: Records.
        ascending_s: Of those whose outcome was seen.
    """

    rate: float
    sent: int
    ascending_s: tuple[float, ...]

    @property
    def unanswered(self) -> int:
        """Sent, and never seen: dead letters, or lost."""
        return self.sent - len(self.ascending_s)

    def at(self, share: float) -> float | None:
        """A percentile, in seconds."""
        return percentile(self.ascending_s, share)


@dataclass(frozen=True, slots=True)
class Latencies:
    """One way's, over several runs; at least one."""

    runs: tuple[Latency, ...]

    @property
    def rate(self) -> float:
        """Records a second, as sent."""
        return median(run.rate for run in self.runs)

    @property
    def sent(self) -> int:
        """Records, in all runs."""
        return sum(run.sent for run in self.runs)

    @property
    def unanswered(self) -> int:
        """Likewise."""
        return sum(run.unanswered for run in self.runs)

    def at(self, share: float) -> Spread | None:
        """A percentile of each run, in seconds; ``None`` when one of them saw no outcome."""
        found = [run.at(share) for run in self.runs]
        known = [seconds for seconds in found if seconds is not None]
        return Spread.of(known) if len(known) == len(found) else None


@dataclass(frozen=True, slots=True)
class PartialBytes:
    """What telling of drift took in one run.

    Attributes:
        contender: Who.
        per_second: Events, as they came or could be carried.
        each: Bytes of partials an event, uncompressed.
    """

    contender: str
    per_second: float
    each: float


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """What the model costs at one batch size.

    Attributes:
        batch: Rows at a time.
        threads: Of ONNX Runtime.
        rows_per_second: Scored.
    """

    batch: int
    threads: int
    rows_per_second: float
