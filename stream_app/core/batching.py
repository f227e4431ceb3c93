"""When a micro-batch is full and when a transaction is due: arithmetic on given times.

Decides sizes and moments. Refuses to know clocks, clients and records; the loop tells it what
time it is and what happened.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

_LEAST_COMMIT_GAP_S = 0.005
"""Between commits of a drained input: without a gap each lone record costs a transaction."""

_LEAST_COST_S = 1e-12
"""Of a record; a clock that did not move between two looks measures nought."""

_WEIGHT = 0.3
"""Of the newest measurement in the running averages."""


@dataclass(frozen=True, slots=True)
class TransactionPolicy:
    """When to commit.

    Under load a transaction ends by time or by size. When nothing is left to fetch there is
    nothing to wait for, so it ends at once, but never so often that commits are all we do.

    With a target for latency it ends in time for its oldest record. Of a backlog that was older
    than the target when it was fetched, no commit is in time: then only time and size count, which
    is the soonest way through it.

    Where outcomes are visible before they are committed, nobody waits for a commit, while records
    that arrive during one do: then only time and size count.

    Attributes:
        max_time_s: From begin to commit, under load.
        max_records: In one transaction.
        target_s: From a record's timestamp to its commit; 0: no target.
        reveals: Whether it is the commit that makes outcomes visible.
    """

    max_time_s: float
    max_records: int
    target_s: float = 0.0
    reveals: bool = True

    def wait_s(self, unit: "OpenUnit", last_commit: "CommitPace", now_s: float) -> float:
        """How long an open transaction may wait for one more record; 0 is "look, do not wait"."""
        latest_s = unit.begun_s + self.max_time_s
        if self.reveals:
            # When nothing came until a commit is allowed, the input is drained: no later.
            latest_s = min(latest_s, last_commit.next_allowed_s)
        return max(0.0, latest_s - now_s)

    def due(
        self, unit: "OpenUnit", *, drained: bool, last_commit: "CommitPace", now_s: float
    ) -> "Due | None":
        """Why to commit now, or ``None``: not yet.

        Args:
            unit: What is open.
            drained: The last fetch brought nothing.
            last_commit: How the commits before went.
            now_s: The time.
        """
        if unit.records >= self.max_records:
            return Due.SIZE
        if now_s >= unit.begun_s + self.max_time_s:
            return Due.TIME
        if not self.reveals or now_s < last_commit.next_allowed_s:
            return None
        if now_s >= self._latest_s(unit, last_commit):
            return Due.TARGET
        return Due.DRAINED if drained else None

    def _latest_s(self, unit: "OpenUnit", last_commit: "CommitPace") -> float:
        """When to commit at the latest."""
        latest_s = unit.begun_s + self.max_time_s
        if not self.target_s or unit.age_s is None or unit.age_s >= self.target_s:
            return latest_s
        # Twice: commits differ, and the target is for the slow ones.
        spare_s = self.target_s - unit.age_s - 2.0 * last_commit.duration_s
        return min(latest_s, unit.begun_s + spare_s)


class Due(StrEnum):
    """Why a transaction is committed."""

    TIME = "time"
    SIZE = "size"
    TARGET = "target"
    DRAINED = "drained"


@dataclass(frozen=True, slots=True)
class OpenUnit:
    """What is open, as far as its end depends on it.

    Attributes:
        begun_s: When it began.
        records: How many it holds.
        age_s: Of its oldest record when it began; ``None``: records have no times.
    """

    begun_s: float
    records: int
    age_s: float | None = None


@dataclass(frozen=True, slots=True)
class CommitPace:
    """How long commits take, and so how soon the next one may come.

    Attributes:
        ended_s: When the last one ended.
        duration_s: Running average.
    """

    ended_s: float = float("-inf")
    duration_s: float = 0.0

    @property
    def next_allowed_s(self) -> float:
        """When a drained input may be committed again."""
        return self.ended_s + max(_LEAST_COMMIT_GAP_S, 2.0 * self.duration_s)

    def after(self, started_s: float, ended_s: float) -> "CommitPace":
        """The pace with one more commit in it."""
        took_s = ended_s - started_s
        average = took_s if not self.duration_s else _mix(self.duration_s, took_s)
        return CommitPace(ended_s, average)


@dataclass(frozen=True, slots=True)
class BatchBound:
    """The greatest micro-batch that still ends far inside the group's and the broker's patience.

    A model that turns slow shrinks it at once; a model that turns fast doubles it at most, since
    the cost of a larger batch than any seen is a guess.

    Attributes:
        max_records: By setting.
        budget_s: Time that one micro-batch may take.
        records: The bound now, from 1 to ``max_records``.
        seconds_per_record: Running average; 0 before the first measurement.
    """

    max_records: int
    budget_s: float
    records: int
    seconds_per_record: float = 0.0

    @classmethod
    def starting(
        cls, max_records: int, budget_s: float, seconds_per_record: float = 0.0
    ) -> "BatchBound":
        """The first bound, from what warm-up measured (0: nothing was)."""
        start = cls(max_records, budget_s, min(max_records, 64))
        if seconds_per_record <= 0:
            return start
        fits = max(1, min(max_records, int(budget_s / seconds_per_record)))
        return replace(start, records=fits, seconds_per_record=seconds_per_record)

    def after(self, records: int, seconds: float) -> "BatchBound":
        """The bound with one more micro-batch measured."""
        if records <= 0:
            return self
        newest = seconds / records
        average = newest if not self.seconds_per_record else _mix(self.seconds_per_record, newest)
        # The slower of the two: a sudden slowdown counts in full, a sudden speed-up slowly.
        cost = max(newest, average)
        fits = int(self.budget_s / max(cost, _LEAST_COST_S))
        bound = max(1, min(self.max_records, fits, 2 * self.records))
        return replace(self, records=bound, seconds_per_record=average)


def _mix(average: float, newest: float) -> float:
    return (1.0 - _WEIGHT) * average + _WEIGHT * newest
