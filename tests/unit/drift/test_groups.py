"""Laws of groups of bins: neighbours, of about equal mass, the outer bins alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.core.drift.statistics.groups import MOST_GROUPS, grouped, groups_of
from stream_app.core.drift.statistics.jensen_shannon import jensen_shannon

inner_counts = st.lists(st.integers(0, 10_000), min_size=1, max_size=200)


def test_sixty_four_bins_of_equal_mass_are_sixteen_groups_of_four_and_the_outer_two() -> None:
    groups = groups_of(np.array([0, *[100] * 64, 0]))
    assert np.bincount(groups).tolist() == [1, *[4] * 16, 1]


@given(inner_counts)
def test_groups_are_neighbours_in_order_and_the_outer_bins_stay_alone(inner: list[int]) -> None:
    groups = groups_of(np.array([0, *inner, 0]))
    assert groups.dtype == np.int64
    assert groups[0] == 0
    assert set(np.diff(groups).tolist()) <= {0, 1}
    assert groups[1] == 1
    assert groups[-1] == groups[-2] + 1 <= MOST_GROUPS + 1


@given(inner_counts)
def test_only_a_group_around_one_large_bin_has_more_than_its_part(inner: list[int]) -> None:
    counts = np.array([0, *inner, 0])
    groups = groups_of(counts)
    for group in np.unique(groups):
        members = counts[groups == group]
        assert members.sum() <= counts.sum() / MOST_GROUPS + members.max()


def test_empty_bins_at_the_end_are_no_group_more() -> None:
    groups = groups_of(np.array([0, *[100] * 64, 0, 0]))
    assert int(groups[-1]) == MOST_GROUPS + 1


def test_a_value_that_is_an_eighth_of_the_data_is_a_group_of_its_own() -> None:
    groups = groups_of(np.array([0, *[10] * 20, 100, *[10] * 50, 0]))
    assert np.count_nonzero(groups == groups[21]) == 1


@pytest.mark.parametrize("constant", [[0, 0], [0, 7, 0]])
def test_a_constant_reference_and_one_without_rows_have_groups_too(constant: list[int]) -> None:
    assert groups_of(np.array(constant)).tolist() == list(range(len(constant)))


@given(inner_counts, st.integers(1, 5))
def test_groups_of_counts_are_sums_of_counts(inner: list[int], times: int) -> None:
    counts = np.array([3, *inner, 5])
    groups = groups_of(counts)
    windows = np.outer(np.arange(1, times + 1), counts)
    expected = [np.bincount(groups, window).astype(int).tolist() for window in windows]
    assert grouped(windows, groups).tolist() == expected


def test_fewer_groups_hear_less_noise() -> None:
    generator = np.random.default_rng(4)
    counts = np.array([0, *[1_000] * 64, 0])
    windows = generator.multinomial(1_000, counts / counts.sum(), size=500)
    groups = groups_of(counts)
    coarse = jensen_shannon(grouped(counts, groups), grouped(windows, groups))
    assert coarse.mean() < 0.6 * jensen_shannon(counts, windows).mean()
