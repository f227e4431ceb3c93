"""Laws of what is seen: the two statistics that may alert see every sort of drift between them."""

from functools import cache

import pytest

from tests.unit.drift.power import DRIFTS, Table, power

SEEN = {
    "mean +.1 sd": (0.09, 0.51),
    "sd x1.15": (0.75, 0.78),
    "1 % at +8 sd": (0.63, 0.46),
    "3 % stuck": (0.07, 0.00),
    "10 % stuck": (1.00, 0.11),
    "5 % x10": (1.00, 1.00),
}
"""By Jensen-Shannon of 16 groups and by Wasserstein: of 5,000 windows, at a level from 50,000."""


@cache
def table() -> Table:
    return power(quiet=6_000, trials=200, seed=2)


@pytest.mark.parametrize("drift", sorted(DRIFTS))
def test_each_drift_is_seen_as_often_as_was_measured(drift: str) -> None:
    found = table()[drift]
    assert (found["JS16"], found["W1n"]) == pytest.approx(SEEN[drift], abs=0.17)


def test_either_of_the_two_sees_more_than_kolmogorov_smirnov_does() -> None:
    for drift, found in table().items():
        assert max(found["JS16"], found["W1n"]) >= found["KS64"] - 0.02, drift


def test_groups_see_smooth_changes_sooner_than_bins_do() -> None:
    assert table()["sd x1.15"]["JS16"] > table()["sd x1.15"]["JS64"] + 0.1
