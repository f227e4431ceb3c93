"""What a model run costs by its number of rows, as measured, and the batch that follows from it.

Decides sizes from numbers that it is given; runs nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_FIXED_S = 0.0002
"""Of a micro-batch, whatever its size: calls and checks around the model on the path."""

_AS_GOOD = 1.05
"""Costs a row within this of the least are the same: warm-ups measure no finer, and of equals the
smaller batch answers sooner."""


@dataclass(frozen=True, slots=True)
class CostCurve:
    """Points ``(rows, seconds of one run)``, by rows; at least one."""

    points: tuple[tuple[int, float], ...]

    @classmethod
    def of(cls, measured: Iterable[tuple[int, float]]) -> "CostCurve":
        """From measurements in any order."""
        return cls(tuple(sorted(measured)))

    def run_s(self, rows: int) -> float:
        """Of one run: a straight line between points, and beyond the last in its proportion."""
        before = (0, self.points[0][1])
        for size, seconds in self.points:
            if rows <= size:
                share = (rows - before[0]) / (size - before[0])
                return before[1] + share * (seconds - before[1])
            before = (size, seconds)
        return before[1] * rows / before[0]

    def best_rows(self, most: int, within_s: float = float("inf")) -> int:
        """The batch that costs least a row; of several as good, the smallest.

        Args:
            most: Rows at most.
            within_s: Seconds that a run may take; one row is always allowed.
        """
        sizes = sorted({*(size for size, _ in self.points if size <= most), most})
        allowed = [size for size in sizes if self.run_s(size) <= within_s] or [1]
        cost = {size: (_FIXED_S + self.run_s(size)) / size for size in allowed}
        least = min(cost.values())
        return min(size for size in allowed if cost[size] <= _AS_GOOD * least)


def warm_up_sizes(most: int, buckets: Sequence[int] = ()) -> tuple[int, ...]:
    """Batch sizes to measure: powers of four up to ``most``, its quarter and half, and ``most``.

    With buckets, these: no other size is ever run.
    """
    if buckets:
        return tuple(sorted(buckets))
    sizes = {1, most, max(1, most // 2), max(1, most // 4)}
    size = 4
    while size < most:
        sizes.add(size)
        size *= 4
    return tuple(sorted(sizes))
