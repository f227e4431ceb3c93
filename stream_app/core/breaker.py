"""The circuit breaker: when so much of the input is bad that the deploy must be to blame.

Decides from counts alone. A wrong model, contract or schema makes every record bad; dead-lettering
them all would empty the topic into the DLQ, so the worker stops instead and a person looks.
Records that come again because their unit was undone count once.
"""

from collections import deque
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class BreakerLimits:
    """When to stop.

    Attributes:
        share: Of bad records among the last ``records``.
        records: How many the share is taken over; nothing is judged before so many were seen.
        run: Bad records one after another.
    """

    share: float
    records: int
    run: int


@dataclass(slots=True)
class Breaker:
    """Counts of good and bad records, newest last."""

    limits: BreakerLimits
    _batches: deque[tuple[int, int]] = field(default_factory=deque)
    _total: int = 0
    _bad: int = 0
    _run: int = 0
    _kept: tuple[tuple[tuple[int, int], ...], int, int, int] = ((), 0, 0, 0)

    def record(self, total: int, bad: int, trailing_run: int) -> str | None:
        """Take one micro-batch into account.

        Args:
            total: Its records.
            bad: Those that became dead letters.
            trailing_run: Bad ones at its end, one after another; ``total`` if all were bad.

        Returns:
            Why to stop, or ``None``.
        """
        self._run = self._run + bad if trailing_run == total else trailing_run
        self._batches.append((total, bad))
        self._total += total
        self._bad += bad
        while self._total - self._batches[0][0] >= self.limits.records:
            old_total, old_bad = self._batches.popleft()
            self._total -= old_total
            self._bad -= old_bad
        return self._verdict()

    def committed(self) -> None:
        """What was taken into account is there to stay."""
        self._kept = (tuple(self._batches), self._total, self._bad, self._run)

    def rolled_back(self) -> None:
        """Forget what came after the last ``committed``: it comes again."""
        batches, self._total, self._bad, self._run = self._kept
        self._batches = deque(batches)

    def _verdict(self) -> str | None:
        if self._run >= self.limits.run:
            return (
                f"the last {self._run} records are all bad "
                f"(dead_letters.breaker_run = {self.limits.run})"
            )
        if self._total >= self.limits.records and self._bad >= self.limits.share * self._total:
            return (
                f"{self._bad} of the last {self._total} records are bad "
                f"(dead_letters.breaker_share = {self.limits.share:g})"
            )
        return None
