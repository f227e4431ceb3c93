"""What a soak's samples say of the spared worker: flat, growing, or not known.

Decides when a run was long enough to be judged, and that such a run must know: a slope that may
lie on either side of its limit is neither a success nor a fault. Refuses to run anything.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from typing import Any

from tests.fault.slopes import Slope, Trend

LIMITS_PER_HOUR = {"rss_mib": 4.0, "descriptors": 0.5, "threads": 0.5}
"""What the spared worker may grow by, in an hour."""

JUDGED_HOURS = 0.5
"""A shorter look at a process says nothing about hours: its slopes are told, not judged."""

_NEARLY = 0.9
"""Of the planned time must be in the samples: the first and the last come a little late."""

TOO_FEW = "too few samples"


class Status(IntEnum):
    """How the command ends; 2 is argparse's."""

    RIGHT = 0
    WRONG = 1
    UNDECIDED = 3


@dataclass(frozen=True, slots=True)
class Judgement:
    """Of all quantities.

    Attributes:
        slopes: For the report, by quantity.
        faults: What grows.
        undecided: What a run of this length had to know, and does not.
    """

    slopes: dict[str, dict[str, Any]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    undecided: list[str] = field(default_factory=list)


def judged(slopes: Mapping[str, Slope | None], planned_hours: float) -> Judgement:
    """Hold slopes against their limits.

    Args:
        slopes: By quantity; ``None`` where there were too few samples.
        planned_hours: For which they were to be looked at, without the time to become warm.
    """
    found, must_know = Judgement(), planned_hours >= JUDGED_HOURS
    for quantity, slope in slopes.items():
        limit = LIMITS_PER_HOUR[quantity]
        if slope is None or (must_know and slope.hours < _NEARLY * JUDGED_HOURS):
            found.slopes[quantity] = {"limit_per_hour": limit, "trend": TOO_FEW}
            if must_know:
                found.undecided.append(f"{quantity} of the spared worker: {TOO_FEW}")
            continue
        trend = slope.against(limit)
        told = {"limit_per_hour": limit, "trend": trend.value, "judged": must_know}
        found.slopes[quantity] = asdict(slope) | told
        if must_know and trend is not Trend.FLAT:
            growth = f"{slope.per_hour:.2f} ± {slope.plus_minus:.2f} an hour; {limit:g} are allowed"
            to = found.faults if trend is Trend.GROWING else found.undecided
            to.append(f"{quantity} of the spared worker: {trend.value}, {growth}")
    return found


def status(report: Mapping[str, Any]) -> Status:
    """Of a whole run."""
    if report["faults"]:
        return Status.WRONG
    return Status.UNDECIDED if report["undecided"] else Status.RIGHT
