"""Latency and rate from what was seen: arithmetic on given times.

Decides what the two numbers mean. Refuses to know clocks and clients.
"""

import math
from collections.abc import Mapping, Sequence

Position = tuple[int, int]
"""Partition and offset of an event."""

Sample = tuple[float, int]
"""A moment, and how many outcomes had been seen by then."""


def latencies(
    sent: Mapping[Position, float], seen: Mapping[Position, float], positions: Sequence[Position]
) -> list[float]:
    """Seconds from sending to seeing, for those of ``positions`` that have both, ascending."""
    return sorted(seen[p] - sent[p] for p in positions if p in sent and p in seen)


def percentile(ascending: Sequence[float], share: float) -> float | None:
    """The nearest-rank percentile: the least value that ``share`` of all do not exceed."""
    if not ascending:
        return None
    return ascending[max(1, math.ceil(share * len(ascending))) - 1]


def rate(samples: Sequence[Sample], since: int, until_s: float = math.inf) -> float | None:
    """Outcomes a second from the first outcome beyond ``since`` to the last one by ``until_s``.

    The first sample starts the clock, so what came with it does not count.
    """
    within = [(at, count) for at, count in samples if count > since and at <= until_s]
    if len(within) < 2 or within[-1][0] <= within[0][0]:
        return None
    (first_s, first), (last_s, last) = within[0], within[-1]
    return (last - first) / (last_s - first_s)
