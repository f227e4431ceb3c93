"""Delays before a restart: they grow, end growing, and begin again after a stable run."""

from hypothesis import given
from hypothesis import strategies as st

from stream_app.core.restarts import Backoff, Restarts


def test_the_delay_doubles_up_to_the_greatest() -> None:
    restarts = Restarts(Backoff(first_s=1, most_s=10, stable_s=60))
    assert [restarts.delay_s(0, chance=1) for _ in range(6)] == [1, 2, 4, 8, 10, 10]


def test_a_stable_run_begins_anew() -> None:
    restarts = Restarts(Backoff(first_s=1, most_s=10, stable_s=60))
    for _ in range(5):
        restarts.delay_s(59.9, chance=1)
    assert restarts.delay_s(60, chance=1) == 1


@given(
    ran=st.lists(st.floats(0, 100), min_size=1, max_size=100),
    chance=st.floats(0, 1, allow_nan=False),
)
def test_the_delay_is_never_nothing_and_never_beyond_the_greatest(
    ran: list[float], chance: float
) -> None:
    rule = Backoff(first_s=0.5, most_s=30, stable_s=60)
    restarts = Restarts(rule)
    for ran_s in ran:
        assert rule.first_s / 2 <= restarts.delay_s(ran_s, chance) <= rule.most_s


def test_half_of_the_delay_is_left_to_chance() -> None:
    rule = Backoff(first_s=8, most_s=30, stable_s=60)
    assert Restarts(rule).delay_s(0, chance=0) == 4
    assert Restarts(rule).delay_s(0, chance=1) == 8
