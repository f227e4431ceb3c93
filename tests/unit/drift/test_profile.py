"""Laws of the profile: exact, and the same however the rows are cut into chunks."""

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.core.columns import Kind as Cell
from stream_app.core.drift.bins import APART
from stream_app.core.drift.exact_sums import ExactSums, root_of
from stream_app.core.drift.profile import MOST_CORRELATED, Survey, Tally, rows_to_draw
from stream_app.core.drift.reference import COARSE_UNIT, Apart, Kind, Origin, Role
from stream_app.core.drift.row_sample import RowSample, rows_to_keep, splitmix64, take_rows
from stream_app.core.drift.watch import Values, Watched

REALS = st.floats(allow_nan=False, allow_infinity=False)
ROWS = 3_000


def watched(count: int) -> list[Watched]:
    return [Watched(f"c{n}", Origin(Role.INPUT, "x", n, feature=n)) for n in range(count)]


@pytest.fixture(scope="module")
def mixed() -> Values:
    random = np.random.default_rng(7)
    numbers = np.stack(
        [
            random.normal(size=ROWS),
            np.exp(3 * random.normal(size=ROWS)),
            random.poisson(2, ROWS).astype(float),
            np.where(random.random(ROWS) < 0.3, 0.0, random.normal(size=ROWS)),
            np.full(ROWS, 3.5),
            np.zeros(ROWS),
        ],
        axis=1,
    )
    kinds = np.where(random.random(numbers.shape) < 0.1, Cell.NULL, Cell.VALUE).astype(np.uint8)
    texts = random.choice(["a", "bb", "ccc"], ROWS).tolist()
    return Values(numbers, kinds, {5: texts})


def chunks(values: Values, cuts: Sequence[int]) -> Iterator[Values]:
    bounds = [0, *sorted(cuts), len(values)]
    for begin, end in pairwise(bounds):
        yield take_rows(values, np.arange(begin, end))


def profile(values: Values, cuts: Sequence[int], sample_rows: int = 0) -> Tally:
    survey = Survey(watched(values.numbers.shape[1]), sample_rows)
    for chunk in chunks(values, cuts):
        survey.add(chunk)
    tally = Tally(survey.blank_columns())
    for chunk in chunks(values, cuts):
        tally.add(chunk)
    return tally


def same(one: Tally, other: Tally) -> None:
    assert one.rows == other.rows
    for mine, theirs in zip(one.columns(), other.columns(), strict=True):
        for field in fields(mine):
            expected = getattr(theirs, field.name)
            np.testing.assert_array_equal(getattr(mine, field.name), expected, field.name)
    np.testing.assert_array_equal(one.co_moments(), other.co_moments())
    np.testing.assert_array_equal(one.co_sums, other.co_sums)
    assert (one.co_rows, one.correlated) == (other.co_rows, other.correlated)


@pytest.mark.parametrize("sample_rows", [0, 500], ids=["all rows", "a sample"])
@pytest.mark.parametrize("cuts", [[1], list(range(0, ROWS, 97)), [0, 0, 2_999]])
def test_chunks_do_not_matter(mixed: Values, cuts: list[int], sample_rows: int) -> None:
    same(profile(mixed, cuts, sample_rows), profile(mixed, [], sample_rows))


@pytest.mark.parametrize("sample_rows", [0, 300], ids=["all rows", "a sample"])
def test_every_row_is_counted_once_in_every_column(mixed: Values, sample_rows: int) -> None:
    for column in profile(mixed, [], sample_rows).columns():
        assert column.valid + column.apart[: Apart.CLIPPED].sum() == ROWS
        if column.kind is Kind.NUMERIC:
            assert column.counts[[0, -1]].tolist() == [0, 0]
            assert (np.diff(column.means) >= 0).all()


def test_moments_are_those_of_numpy(mixed: Values) -> None:
    columns = profile(mixed, [5]).columns()
    for index in (0, 1, 3):
        good = mixed.numbers[mixed.kinds[:, index] == Cell.VALUE, index]
        moments = columns[index].moments
        assert moments is not None
        assert moments.mean == pytest.approx(good.mean(), rel=1e-12)
        assert moments.sd == pytest.approx(good.std(), rel=1e-12)
        assert (moments.least, moments.greatest) == (good.min(), good.max())
        total = (columns[index].counts * columns[index].means).sum()
        assert total == pytest.approx(good.sum(), rel=1e-9)


def test_a_constant_spreads_nothing_and_correlates_with_nothing(mixed: Values) -> None:
    tally = profile(mixed, [])
    constant = tally.columns()[4]
    assert constant.moments is not None
    assert constant.moments.sd == 0.0
    assert tally.correlated == (0, 1, 3)


def test_co_moments_are_over_rows_in_which_all_are_valid(mixed: Values) -> None:
    tally = profile(mixed, [11, 700])
    chosen = list(tally.correlated)
    complete = (mixed.kinds[:, chosen] == Cell.VALUE).all(axis=1)
    assert tally.co_rows == complete.sum()
    square = np.zeros((3, 3))
    square[np.triu_indices(3)] = tally.co_moments()
    first = tally.columns()[0].moments
    assert first is not None
    z = (mixed.numbers[complete, 0] - first.mean) / first.sd
    assert square[0, 0] / COARSE_UNIT**2 == pytest.approx((z**2).sum(), rel=1e-3)
    assert tally.co_sums[0] / COARSE_UNIT == pytest.approx(z.sum(), abs=len(z) / COARSE_UNIT)


def test_at_most_64_columns_are_correlated() -> None:
    random = np.random.default_rng(3)
    values = Values(random.normal(size=(300, 70)), np.zeros((300, 70), dtype=np.uint8), {})
    tally = profile(values, [])
    assert tally.correlated == tuple(range(MOST_CORRELATED))
    assert len(tally.co_moments()) == 64 * 65 // 2


def test_what_is_drawn_from_is_what_was_counted(mixed: Values) -> None:
    tally = profile(mixed, [])
    columns = tally.columns()
    bins, coarse = rows_to_draw(columns, tally.correlated, mixed)
    for index, column in enumerate(columns):
        own = bins[bins[:, index] != APART, index]
        np.testing.assert_array_equal(np.bincount(own, minlength=column.bins), column.counts)
    whole = (bins[:, list(tally.correlated)] != APART).all(axis=1)
    products = coarse[whole].T @ coarse[whole]
    np.testing.assert_array_equal(products[np.triu_indices(3)], tally.co_moments())
    np.testing.assert_array_equal(coarse[whole].sum(axis=0), tally.co_sums)


def test_a_value_far_away_is_clipped_and_told() -> None:
    """A value can only be as far as this in data of millions of rows: here, in the bounds."""
    numbers = np.concatenate([np.linspace(0, 1, 999), [1e9]])
    values = Values(numbers[:, None], np.zeros((1_000, 1), dtype=np.uint8), {})
    survey = Survey(watched(1))
    survey.add(values)
    (blank,) = survey.blank_columns()
    assert blank.moments is not None
    assert blank.moments.clip_high == pytest.approx(2e9, rel=1e-6)
    tally = Tally([replace(blank, moments=replace(blank.moments, clip_high=10.0))])
    tally.add(values)
    (column,) = tally.columns()
    assert column.apart.tolist() == [0, 0, 0, 0, 1]
    assert column.valid == 1_000


@given(st.lists(REALS, min_size=1, max_size=50), st.randoms())
def test_sums_are_exact_and_have_no_order(values: list[float], order: object) -> None:
    sums = ExactSums()
    for value in values:
        sums.add(np.array([value]))
    at_once = ExactSums()
    at_once.add(np.array(values[::-1]))
    assert sums.total() == at_once.total() == sum(map(Fraction, values), Fraction(0))


@given(st.lists(st.floats(-1e150, 1e150), min_size=1, max_size=50))
def test_squares_are_exact(values: list[float]) -> None:
    sums = ExactSums()
    sums.add_squares(np.array(values))
    exact = sum((Fraction(value) ** 2 for value in values), Fraction(0))
    # A square of a number near the least double is smaller than any.
    assert abs(sums.total() - exact) <= exact / 2**104


def test_groups_are_summed_apart() -> None:
    sums = ExactSums(3)
    sums.add(np.array([1.0, 1e300, 2.0, -1e300]), np.array([0, 2, 0, 2]))
    assert [sums.total(group) for group in range(3)] == [3, 0, 0]


@given(st.fractions(min_value=0))
def test_a_root_squared_is_the_number(square: Fraction) -> None:
    assert root_of(square) == pytest.approx(float(square) ** 0.5, rel=1e-15)


@pytest.mark.parametrize("power", [-2_000, 2_040])
def test_a_root_may_be_of_more_than_a_double_holds(power: int) -> None:
    assert root_of(Fraction(2) ** power) == 2.0 ** (power // 2)


# -- the sample ------------------------------------------------------------------------------------


def rows_of(count: int) -> Values:
    return Values(
        np.arange(count, dtype=np.float64)[:, None],
        np.zeros((count, 1), dtype=np.uint8),
        {1: [str(n) for n in range(count)]},
    )


def sampled(count: int, limit: int, step: int) -> Values:
    sample = RowSample(limit)
    for chunk in chunks(rows_of(count), range(0, count, step)):
        sample.add(chunk)
    assert sample.is_whole == (count <= limit)
    return sample.values()


def test_of_few_rows_the_sample_is_all_in_order() -> None:
    np.testing.assert_array_equal(sampled(100, 100, 7).numbers[:, 0], np.arange(100))


def test_the_sample_is_of_the_smallest_hashes_in_the_order_of_rows() -> None:
    hashes = splitmix64(np.arange(5_000, dtype=np.uint64))
    expected = np.sort(np.argsort(hashes)[:300])
    for step in (1, 64, 5_000):
        found = sampled(5_000, 300, step)
        np.testing.assert_array_equal(found.numbers[:, 0], expected)
        assert found.texts[1] == [str(n) for n in expected.tolist()]


def test_the_hash_is_the_published_one() -> None:
    """The first number of the published generator that starts at 0."""
    assert int(splitmix64(np.array([0], dtype=np.uint64))[0]) == 0xE220A8397B1DCDAF


def test_wide_rows_are_kept_in_smaller_numbers() -> None:
    assert [rows_to_keep(columns) for columns in (1, 100, 200, 10_000)] == [
        200_000,
        200_000,
        100_000,
        20_000,
    ]
