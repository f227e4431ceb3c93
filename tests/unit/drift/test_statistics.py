"""Laws of drift statistics: they are what others compute, for many windows as for one."""

from collections.abc import Callable
from math import isnan, log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial import distance

from stream_app.core.columns import Int64Array
from stream_app.core.drift.reference import Float64Array
from stream_app.core.drift.statistics.chi_square import chi_square
from stream_app.core.drift.statistics.hellinger import hellinger
from stream_app.core.drift.statistics.jensen_shannon import jensen_shannon
from stream_app.core.drift.statistics.kolmogorov_smirnov import kolmogorov_smirnov
from stream_app.core.drift.statistics.l_infinity import l_infinity
from stream_app.core.drift.statistics.psi import psi, psi_noise
from stream_app.core.drift.statistics.total_variation import total_variation
from stream_app.core.drift.statistics.wasserstein import positions_of, wasserstein
from tests.unit.drift.counts import pairs, stacked

Pair = tuple[Int64Array, Int64Array]


def unit_wasserstein(reference: Int64Array, current: Int64Array) -> Float64Array:
    return wasserstein(reference, current, np.arange(reference.shape[-1], dtype=float), 1.0)


def chi_square_alone(reference: Int64Array, current: Int64Array) -> Float64Array:
    return chi_square(reference, current)[0]


DISTANCES = [
    jensen_shannon, hellinger, l_infinity, total_variation,
    kolmogorov_smirnov, unit_wasserstein, psi,
]  # fmt: skip
STATISTICS = [*DISTANCES, chi_square_alone]
every = pytest.mark.parametrize("statistic", STATISTICS)
Statistic = Callable[[Int64Array, Int64Array], Float64Array]


def shares(counts: Int64Array) -> Float64Array:
    return np.asarray(counts / counts.sum(), np.float64)


@given(pairs())
def test_jensen_shannon_is_the_distance_of_scipy_to_base_2(pair: Pair) -> None:
    reference, current = pair
    p, q = shares(reference), shares(current)
    if np.abs(p - q).max() > 1e-6:  # closer than that scipy takes the root of rounding errors
        expected = distance.jensenshannon(p, q, base=2)
        assert jensen_shannon(reference, current) == pytest.approx(expected, abs=1e-9)


def test_of_the_four_conventions_jensen_shannon_is_the_root_to_base_2() -> None:
    reference, current = np.array([500, 500]), np.array([645, 355])
    ours = float(jensen_shannon(reference, current))
    p, q = shares(reference), shares(current)
    assert ours == pytest.approx(0.125, abs=5e-4), "distance, base 2"
    assert ours * sqrt(log(2)) == pytest.approx(0.104, abs=5e-4), "distance, base e"
    assert ours**2 == pytest.approx(0.016, abs=5e-4), "divergence, base 2"
    assert ours**2 * log(2) == pytest.approx(0.011, abs=5e-4), "divergence, base e"
    assert ours * sqrt(log(2)) == pytest.approx(distance.jensenshannon(p, q), abs=1e-12)


@given(pairs(), st.floats(0.01, 100), st.data())
def test_wasserstein_is_that_of_scipy_on_the_positions(
    pair: Pair, sd: float, data: st.DataObject
) -> None:
    reference, current = pair
    steps = st.lists(st.floats(0.001, 100), min_size=len(reference), max_size=len(reference))
    positions = np.cumsum(data.draw(steps))
    expected = stats.wasserstein_distance(positions, positions, reference, current)
    ours = wasserstein(reference, current, positions, sd)
    assert ours == pytest.approx(expected / sd, rel=1e-9, abs=1e-12 * positions[-1] / sd)


@given(pairs(most=50))
def test_kolmogorov_smirnov_is_that_of_scipy_where_every_value_is_a_bin(pair: Pair) -> None:
    rows = [np.repeat(np.arange(len(counts)), counts) for counts in pair]
    expected = stats.ks_2samp(*rows, method="asymp").statistic
    assert kolmogorov_smirnov(*pair) == pytest.approx(expected, abs=1e-12)


@given(pairs())
def test_total_variation_and_l_infinity_are_minkowski_distances_of_scipy(pair: Pair) -> None:
    p, q = map(shares, pair)
    assert total_variation(*pair) == pytest.approx(distance.cityblock(p, q) / 2, abs=1e-12)
    assert l_infinity(*pair) == pytest.approx(distance.chebyshev(p, q), abs=1e-12)


@given(pairs())
def test_hellinger_is_the_euclidean_distance_of_the_roots(pair: Pair) -> None:
    p, q = map(shares, pair)
    assert hellinger(*pair) == pytest.approx(
        distance.euclidean(np.sqrt(p), np.sqrt(q)) / sqrt(2), abs=1e-12
    )


@given(pairs())
def test_psi_is_both_relative_entropies_of_scipy_after_half_a_row_more_in_each_bin(
    pair: Pair,
) -> None:
    p, q = (counts + 0.5 for counts in pair)
    expected = stats.entropy(p, q) + stats.entropy(q, p)
    assert psi(*pair) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_psi_of_no_drift_is_its_noise_on_average() -> None:
    generator = np.random.default_rng(5)
    reference = np.full(10, 100_000)
    windows = generator.multinomial(1_000, np.full(10, 0.1), size=4_000)
    noise = float(psi_noise(10, reference.sum(), 1_000))
    assert noise == pytest.approx(0.009, abs=1e-4)
    assert psi(reference, windows).mean() == pytest.approx(noise, rel=0.03)


def test_psi_of_fifty_rows_is_not_made_by_what_is_added_to_empty_bins() -> None:
    generator = np.random.default_rng(6)
    reference = np.full(20, 5_000)
    windows = generator.multinomial(50, np.full(20, 0.05), size=20_000)
    assert np.quantile(psi(reference, windows), 0.999) < 0.75, "1.95 with 0.0001 in their place"


@given(pairs(most=300))
def test_chi_square_is_that_of_scipy_without_yates_after_small_bins_are_one(pair: Pair) -> None:
    table = np.array(pair)
    expected = table.sum(axis=0) * table.sum(axis=1).min() / table.sum()
    small = expected < 5
    merged = np.column_stack([table[:, ~small], table[:, small].sum(axis=1)])
    merged = merged[:, merged.sum(axis=0) > 0]
    statistic, freedom = chi_square(*pair)
    assert freedom == merged.shape[1] - 1
    if freedom:
        oracle = stats.chi2_contingency(merged, correction=False)
        assert statistic == pytest.approx(oracle.statistic, abs=1e-9)
        assert freedom == oracle.dof
    else:
        assert statistic == pytest.approx(0, abs=1e-9)


def test_one_unseen_row_is_not_significant_by_chi_square() -> None:
    statistic, freedom = chi_square(np.array([500, 500, 0]), np.array([500, 499, 1]))
    assert stats.chi2.sf(statistic, freedom) > 0.1


@every
@given(pair=pairs())
def test_many_windows_at_once_are_each_window_alone(statistic: Statistic, pair: Pair) -> None:
    reference, current = pair
    windows = stacked(current, 6)
    together = statistic(reference, windows.reshape(2, 3, -1))
    assert together.shape == (2, 3)
    assert together.dtype == np.float64
    alone = [float(statistic(reference, window)) for window in windows]
    assert together.ravel().tolist() == pytest.approx(alone, rel=1e-12, abs=1e-12)


@every
@given(pair=pairs(), times=st.integers(1, 1_000))
def test_a_window_like_the_reference_is_at_no_distance(
    statistic: Statistic, pair: Pair, times: int
) -> None:
    reference = pair[0]
    if statistic is psi:  # half a row is less of more rows
        times = 1
    assert statistic(reference, reference * times) == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("statistic", DISTANCES)
@given(pair=pairs())
def test_distances_are_symmetric_and_not_negative(statistic: Statistic, pair: Pair) -> None:
    there, back = statistic(*pair), statistic(*pair[::-1])
    assert there == pytest.approx(float(back), rel=1e-12, abs=1e-12)
    assert there >= 0
    if statistic not in {unit_wasserstein, psi}:
        assert there <= 1


@given(st.integers(1, 10**9), st.integers(2, 66), st.data())
def test_nearly_equal_shares_are_a_distance_and_not_the_root_of_a_rounding_error(
    count: int, bins: int, data: st.DataObject
) -> None:
    reference = np.full(bins, count)
    current = reference.copy()
    current[data.draw(st.integers(0, bins - 1))] += 1
    assert 0 <= jensen_shannon(reference, current) <= 1
    assert 0 <= hellinger(reference, current) <= 1


@pytest.mark.parametrize("statistic", [jensen_shannon, hellinger, total_variation, l_infinity])
def test_nothing_is_further_apart_than_1(statistic: Statistic) -> None:
    generator = np.random.default_rng(12)
    for bins in (66, 175, 257):
        reference, windows = (
            generator.integers(1, 50, bins),
            generator.integers(0, 50, (8_000, bins)),
        )
        reference[::2] = windows[:, 1::2] = 0
        assert statistic(reference, windows).max() <= 1


@every
def test_a_side_without_rows_is_no_number_and_no_other_window_minds(statistic: Statistic) -> None:
    reference, windows = np.array([3, 4, 5]), np.array([[0, 0, 0], [3, 4, 5]])
    empty, full = statistic(reference, windows)
    assert isnan(empty)
    assert full == pytest.approx(0, abs=1e-12)
    assert isnan(statistic(windows[0], reference))
    assert isnan(statistic(windows[0], windows[0]))


def test_without_rows_there_is_neither_psi_noise_nor_freedom() -> None:
    assert np.isnan(psi_noise(10, 100, np.array([0, 10]))).tolist() == [True, False]
    assert isnan(chi_square(np.array([1, 2]), np.array([0, 0]))[1])


def test_of_a_constant_reference_the_same_value_is_0_and_another_is_1() -> None:
    below_atom_above = np.array([0, 900, 0])
    assert jensen_shannon(below_atom_above, np.array([0, 7, 0])) == 0
    assert jensen_shannon(below_atom_above, np.array([0, 0, 7])) == 1
    positions = np.array([5.0, 5.0, 5.0])
    assert isnan(wasserstein(below_atom_above, np.array([0, 0, 7]), positions, 0.0))


def test_a_constant_window_is_a_window_like_others() -> None:
    reference, stuck = np.array([0, 25, 25, 25, 25, 0]), np.array([0, 0, 0, 90, 0, 0])
    for statistic in STATISTICS:
        assert 0 < statistic(reference, stuck) < np.inf


def test_rows_out_of_range_are_carried_from_their_own_mean() -> None:
    reference = np.array([0, 50, 50, 0])
    means = np.array([0.0, 0.0, 1.0, 1.0])
    windows = np.array([[10, 40, 50, 0], [0, 50, 50, 0], [0, 50, 40, 10]])
    low, high = np.array([-9.0, np.nan, np.nan]), np.array([np.nan, np.nan, 21.0])
    positions = positions_of(means, low, high)
    assert wasserstein(reference, windows, positions, 2.0) == pytest.approx([0.45, 0.0, 1.0])
    alone = positions_of(means, np.array(-9.0), np.array(np.nan))
    assert wasserstein(reference, windows[0], alone, 2.0) == pytest.approx(0.45)


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("kind", ["normal", "lognormal", "zeros"])
def test_wasserstein_of_bins_is_close_to_that_of_values(kind: str, shift: float) -> None:
    generator = np.random.default_rng(11)
    values = generator.normal(size=110_000)
    if kind == "lognormal":
        values = np.exp(values)
    elif kind == "zeros":
        values = np.maximum(values, 0.0)
    reference, current = values[:100_000], values[100_000:] + shift * values[:100_000].std()
    inner = np.unique(np.quantile(reference, np.arange(1, 64) / 64))
    edges = np.concatenate([[np.nextafter(reference.min(), -np.inf)], inner, [reference.max()]])
    edges = np.unique(edges)
    bins = len(edges) + 1

    def counted(rows: Float64Array) -> tuple[Int64Array, Float64Array]:
        at = np.searchsorted(edges, rows, side="left")
        counts = np.bincount(at, minlength=bins)
        with np.errstate(invalid="ignore"):
            return counts, np.bincount(at, rows, minlength=bins) / counts

    counts, means = counted(reference)
    means[0], means[-1] = reference.min(), reference.max()
    windows, own = counted(current)
    positions = positions_of(means, own[0], own[-1])
    ours = wasserstein(counts, windows, positions, float(reference.std()))
    exact = stats.wasserstein_distance(reference, current) / reference.std()
    assert ours == pytest.approx(exact, abs=0.01)
