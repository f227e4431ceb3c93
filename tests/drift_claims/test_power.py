"""Laws of what is seen: the two statistics that may alert see every sort of drift between them."""

from functools import cache

from tests.drift_claims.power import Table, power, unlike


@cache
def table() -> Table:
    return power(quiet=6_000, trials=200, seed=2)


def test_each_drift_is_seen_as_often_as_was_measured() -> None:
    assert unlike(table(), tolerance=0.17) == []


def test_a_share_that_is_another_is_told() -> None:
    other = {drift: dict(shares) for drift, shares in table().items()}
    other["10 % stuck"]["JS16"] = 0.5
    assert unlike(other, 0.17) == ["10 % stuck, JS16: seen in 0.50 of the windows, not in 1.00"]


def test_either_of_the_two_sees_more_than_kolmogorov_smirnov_does() -> None:
    for drift, found in table().items():
        assert max(found["JS16"], found["W1n"]) >= found["KS64"] - 0.02, drift


def test_groups_see_smooth_changes_sooner_than_bins_do() -> None:
    assert table()["sd x1.15"]["JS16"] > table()["sd x1.15"]["JS64"] + 0.1
