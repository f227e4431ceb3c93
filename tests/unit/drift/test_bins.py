"""Laws of bins: where they are cut, and that every value falls into exactly one."""

from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from stream_app.core.columns import Kind as Cell
from stream_app.core.drift.bins import (
    APART,
    BASE_BINS,
    MOST_NAMES,
    WIDE,
    Binner,
    choose_names,
    numeric_edges,
)
from stream_app.core.drift.profile import Survey, Tally
from stream_app.core.drift.reference import Column, Kind, Origin, Role
from stream_app.core.drift.statistics.wasserstein import positions_of, wasserstein
from stream_app.core.drift.watch import Values, Watched

REALS = st.floats(allow_nan=False, allow_infinity=False, width=64)
FEW = st.sampled_from([-2.5, -0.0, 0.0, 1.0, 1.5, 3.0])


def edges_of(values: np.ndarray) -> np.ndarray:
    plain = values + 0.0
    return numeric_edges(plain, float(plain.min()), float(plain.max()))


def column_of(numbers: np.ndarray, kinds: np.ndarray | None = None, **more: object) -> Column:
    cells = np.zeros(len(numbers), dtype=np.uint8) if kinds is None else kinds
    values = Values(numbers[:, None], cells[:, None], {})
    survey = Survey([Watched("x", Origin(Role.INPUT, "t", 0, feature=0), **more)])  # type: ignore[arg-type]  # categories only
    survey.add(values)
    tally = Tally(survey.blank_columns())
    tally.add(values)
    return tally.columns()[0]


def bins_of(column: Column, numbers: list[float], kinds: list[Cell] | None = None) -> list[int]:
    cells = np.array(kinds or [Cell.VALUE] * len(numbers), dtype=np.uint8)
    values = Values(np.array(numbers)[:, None], cells[:, None], {})
    found: list[int] = Binner([column]).bins(0, values).tolist()
    return found


def test_bins_of_distinct_values_hold_equal_shares() -> None:
    values = np.random.default_rng(1).permutation(np.arange(6_400) + 0.5)
    counts = np.bincount(np.searchsorted(edges_of(values), values))
    assert counts.tolist() == [0] + [100] * BASE_BINS


def test_a_value_that_a_64th_of_rows_has_is_alone_in_its_bin() -> None:
    values = np.concatenate([np.linspace(-1, 1, 630) + 0.0001, np.zeros(10)])
    edges = edges_of(values)
    own = int(np.searchsorted(edges, 0.0))
    assert edges[own] == 0.0
    assert edges[own - 1] == np.nextafter(0.0, -np.inf)
    tiny = np.nextafter(0.0, 1.0)
    assert np.searchsorted(edges, [-tiny, 0.0, tiny]).tolist() == [own - 1, own, own + 1]


def test_a_value_that_fewer_have_shares_a_bin() -> None:
    values = np.concatenate([np.linspace(-1, 1, 641) + 0.0001, np.zeros(9)])
    assert np.nextafter(0.0, -np.inf) not in edges_of(values)


@pytest.mark.parametrize("value", [0.0, -0.0, 3.5, -1e300, 5e-324])
def test_a_constant_has_a_bin_below_it_and_one_above(value: float) -> None:
    edges = edges_of(np.full(300, value))
    around = [np.nextafter(value, -np.inf), value, np.nextafter(value, np.inf)]
    assert np.searchsorted(edges, around).tolist() == [0, 1, 2]
    assert len(edges) == 2


@given(st.lists(REALS | FEW, min_size=1, max_size=400))
def test_edges_increase_and_hold_all_of_the_reference(values: list[float]) -> None:
    numbers = np.array(values)
    edges = edges_of(numbers)
    assert (np.diff(edges) > 0).all()
    found = np.searchsorted(edges, numbers, side="left")
    assert found.min() >= 1
    assert found.max() <= len(edges) - 1
    assert edges[-1] == numbers.max()


@given(st.lists(st.floats(-1e9, 1e9) | FEW, min_size=2, max_size=300))
def test_a_wide_gap_has_bins_of_its_own_and_each_is_narrow(values: list[float]) -> None:
    numbers = np.array(values)
    edges, distinct = edges_of(numbers), np.unique(numbers + 0.0)
    widest = WIDE * np.ptp(distinct)
    for low, high in pairwise(distinct):
        if (high - low) > widest:
            within = edges[(edges >= low) & (edges < high)]
            assert (within[0], within[-1]) == (low, np.nextafter(high, -np.inf))
            assert (np.diff(within) <= widest * (1 + 1e-12)).all()


def halves(generator: np.random.Generator, rows: int, share: float) -> np.ndarray:
    return generator.random(rows) + np.where(generator.random(rows) < share, 0.0, 100.0)


def heaps(generator: np.random.Generator, rows: int, share: float) -> np.ndarray:
    """Twenty, 3 apart."""
    spread = generator.random(rows) ** (2 * share)
    return np.asarray(np.floor(20 * spread) * 4.0 + generator.random(rows))


def far_few(generator: np.random.Generator, rows: int, share: float) -> np.ndarray:
    return generator.random(rows) + np.where(generator.random(rows) < share / 50, 1_000.0, 0.0)


@pytest.mark.parametrize("draw", [halves, heaps, far_few])
@pytest.mark.parametrize("rows", [1_000, 10_000])
def test_beside_wide_gaps_the_distance_is_that_of_scipy(
    draw: Callable[[np.random.Generator, int, float], np.ndarray], rows: int
) -> None:
    generator = np.random.default_rng(5)
    values = draw(generator, 20_000, 0.5)
    column = column_of(values)
    assert column.moments is not None
    for share in (0.5, 0.5, 0.5, 0.45, 0.3):
        window = draw(generator, rows, share)
        counts = np.bincount(bins_of(column, window.tolist()), minlength=column.bins)
        low, high = (window[window < values.min()], window[window > values.max()])
        outer = [np.array(each.mean() if len(each) else np.nan) for each in (low, high)]
        positions = positions_of(column.means, outer[0], outer[1])
        ours = float(wasserstein(column.counts, counts, positions, column.moments.sd))
        exact = stats.wasserstein_distance(values, window) / column.moments.sd
        assert ours == pytest.approx(exact, abs=0.0011)


def test_what_lies_in_a_gap_of_the_reference_is_taken_to_lie_about_there() -> None:
    generator = np.random.default_rng(6)
    values = halves(generator, 20_000, 0.5)
    column = column_of(values)
    assert column.moments is not None
    window = values[:5_000].copy()
    window[:1_000] = generator.uniform(20.0, 40.0, 1_000)
    counts = np.bincount(bins_of(column, window.tolist()), minlength=column.bins)
    ours = wasserstein(column.counts, counts, column.means, column.moments.sd)
    exact = stats.wasserstein_distance(values, window) / column.moments.sd
    assert float(ours) == pytest.approx(exact, abs=0.005)


@given(st.lists(REALS | FEW, min_size=2, max_size=300), REALS | FEW)
def test_every_value_falls_into_exactly_one_bin(values: list[float], other: float) -> None:
    edges = edges_of(np.array(values))
    low = np.concatenate([[-np.inf], edges])
    high = np.concatenate([edges, [np.inf]])
    inside = (low < other) & (other <= high)
    assert inside.sum() == 1
    assert np.flatnonzero(inside)[0] == np.searchsorted(edges, other, side="left")


def test_float32_values_that_are_edges_stay_in_their_bins() -> None:
    """What a model receives is narrower than an edge; the two must meet exactly."""
    narrow = np.random.default_rng(2).normal(size=2_000).astype(np.float32)
    edges = edges_of(narrow.astype(np.float64))
    for edge in edges[1:]:
        assert np.float32(edge) == edge
        assert edges[np.searchsorted(edges, float(np.float32(edge)))] == edge


def test_minus_nought_is_nought() -> None:
    column = column_of(np.array([-0.0, 0.0, 1.0, -1.0] * 100 + [0.5] * 50))
    assert len(set(bins_of(column, [-0.0, 0.0]))) == 1
    discrete = column_of(np.array([-0.0, 1.0] * 200))
    assert discrete.values.tolist() == [0.0, 1.0]
    assert bins_of(discrete, [0.0, -0.0, 1.0]) == [0, 0, 1]


def test_what_is_no_number_is_in_no_bin() -> None:
    column = column_of(np.linspace(0, 1, 300))
    kinds = [Cell.NULL, Cell.NAN, Cell.POSITIVE_INFINITY, Cell.NEGATIVE_INFINITY]
    assert bins_of(column, [0.5, np.nan, np.inf, -np.inf], kinds) == [APART] * 4


def test_few_whole_numbers_are_names_and_anything_else_is_unseen() -> None:
    column = column_of(np.repeat([3.0, 1.0, 7.0], 100))
    assert column.kind is Kind.DISCRETE
    assert column.values.tolist() == [1.0, 3.0, 7.0]
    assert column.counts.tolist() == [100, 100, 100, 0, 0]
    assert bins_of(column, [7.0, 1.0, 2.0, 8.0, -1.0, 3.0]) == [2, 0, 4, 4, 4, 1]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (range(20), Kind.DISCRETE),
        (range(21), Kind.NUMERIC),
        ([1.0, 2.5], Kind.NUMERIC),
        ([4.0], Kind.NUMERIC),
        ([0.0, 1.0], Kind.DISCRETE),
    ],
    ids=["20 whole", "21 whole", "not whole", "constant", "flags"],
)
def test_the_kind_of_numbers_is_decided_by_the_reference(values: list[float], kind: Kind) -> None:
    assert column_of(np.repeat(np.array(list(values), dtype=np.float64), 30)).kind is kind


def test_a_column_without_a_value_has_no_bin_but_the_last_two() -> None:
    column = column_of(np.zeros(300), np.full(300, Cell.NULL, dtype=np.uint8))
    assert column.counts.tolist() == [0, 0]
    assert column.apart.tolist() == [300, 0, 0, 0, 0]
    assert bins_of(column, [1.0]) == [1]


def test_codes_of_categories_that_the_reference_lacks_are_unseen() -> None:
    codes = np.repeat([0.0, 2.0, 4.0], [10, 30, 5])
    kinds = np.where(codes == 4.0, Cell.UNSEEN, Cell.VALUE).astype(np.uint8)
    column = column_of(codes, kinds, categories=("a", "b", "c", "d"))
    assert column.names == ("c", "a")
    assert column.counts.tolist() == [30, 10, 0, 5]
    assert column.bin_of_code.tolist() == [1, 3, 0, 3, 3]
    assert bins_of(column, [2.0, 1.0, 9.0, np.nan], [Cell.VALUE] * 4) == [0, 3, 3, 3]
    assert bins_of(column, [2.0], [Cell.UNSEEN]) == [3]


def test_names_are_by_frequency_and_equals_by_their_bytes() -> None:
    counts = Counter({"z": 5, "é": 5, "a": 5, "rare": 1, "often": 9})
    assert choose_names(counts) == ("often", "a", "z", "é", "rare")
    many = Counter({f"{number:04d}": 1 for number in range(400)})
    assert choose_names(many) == tuple(f"{number:04d}" for number in range(MOST_NAMES))


def texts_of(texts: list[str]) -> Values:
    zeros = np.zeros((len(texts), 1))
    return Values(zeros, zeros.astype(np.uint8), {0: texts})


def column_of_texts(texts: list[str]) -> Column:
    survey = Survey([Watched("x", Origin(Role.INPUT, "t", 0, feature=0))])
    survey.add(texts_of(texts))
    tally = Tally(survey.blank_columns())
    tally.add(texts_of(texts))
    return tally.columns()[0]


def test_composed_and_decomposed_letters_are_one_name() -> None:
    column = column_of_texts(["é"] * 3 + ["é"] * 2 + ["e"])
    assert column.names == ("é", "e")
    assert column.counts.tolist() == [5, 1, 0, 0]
    found = Binner([column]).bins(0, texts_of(["é", "e", "x"]))
    assert found.tolist() == [0, 1, 3]


def test_names_beyond_the_list_are_other_then_and_later() -> None:
    """Which names OTHER stands for is not kept, so a new one cannot be told from them."""
    column = column_of_texts([f"n{number}" for number in range(300)])
    assert len(column.names) == MOST_NAMES
    assert column.counts[-2:].tolist() == [300 - MOST_NAMES, 0]
    assert Binner([column]).bins(0, texts_of(["new"])).tolist() == [column.bins - 2]
