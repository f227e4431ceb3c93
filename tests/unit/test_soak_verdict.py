"""What a soak's samples say, and with which status it ends: no run succeeds by knowing nothing."""

import pytest

from tests.fault.slopes import Slope
from tests.fault.soak_verdict import LIMITS_PER_HOUR, Status, judged, status

LONG, SHORT = 8.0, 0.1


def grows(per_hour: float, plus_minus: float, hours: float = LONG) -> Slope:
    return Slope(per_hour, plus_minus, samples=1_000, hours=hours, first=1.0, last=1.0)


def ended(rss: Slope | None, planned_hours: float) -> Status:
    """With the other quantities flat."""
    flat = grows(0.0, 0.1, planned_hours)
    found = judged({"rss_mib": rss, "descriptors": flat, "threads": flat}, planned_hours)
    assert set(found.slopes) == set(LIMITS_PER_HOUR)
    return status({"faults": found.faults, "undecided": found.undecided})


@pytest.mark.parametrize(
    ("rss", "expected"),
    [
        (grows(0.0, 1.0), Status.RIGHT),
        (grows(10.0, 1.0), Status.WRONG),
        (grows(4.0, 1.0), Status.UNDECIDED),
        (grows(0.0, 0.1, hours=0.2), Status.UNDECIDED),
        (None, Status.UNDECIDED),
    ],
    ids=["flat", "growing", "either", "samples_that_stop", "no_samples"],
)
def test_a_long_run_succeeds_only_when_everything_is_surely_flat(
    rss: Slope | None, expected: Status
) -> None:
    assert ended(rss, LONG) is expected


@pytest.mark.parametrize("rss", [grows(0.0, 1.0, SHORT), grows(10.0, 1.0, SHORT), None])
def test_a_run_too_short_to_judge_tells_slopes_and_judges_none(rss: Slope | None) -> None:
    assert ended(rss, SHORT) is Status.RIGHT


def test_a_fault_counts_more_than_what_is_not_known() -> None:
    assert status({"faults": ["lost"], "undecided": ["threads"]}) is Status.WRONG
