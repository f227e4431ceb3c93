"""Laws of a window's state: parts add up to the whole, compiled or not, whatever way they come."""

from types import ModuleType

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.core.columns import Int32Array, Int64Array
from stream_app.core.drift import kernels, plain
from stream_app.core.drift.layout import ROWS, SPARSE_BYTES, Sum, row_bytes
from stream_app.core.drift.reference import COARSE_MOST, Apart, Float64Array, Int16Array
from stream_app.core.drift.sources import NUMBERS
from stream_app.core.drift.watch import Values
from tests.drift_kit import SMALL, odd_values, sources_of

BOTH = pytest.mark.parametrize("way", [kernels, plain], ids=["compiled", "plain"])


def cells(
    way: ModuleType, values: Values, dtype: npt.DTypeLike = np.float64
) -> tuple[Int16Array, Int32Array]:
    shape = (6, len(values))
    places, units = np.empty(shape, dtype=np.int16), np.empty(shape, dtype=np.int32)
    for each in sources_of(values):
        with np.errstate(invalid="ignore", over="ignore"):
            tensor = each.tensor.astype(dtype)
        edges, room = SMALL.tables.edges_for(tensor.dtype)
        way.find_cells(tensor, each.kinds, each.which, edges, room, SMALL.tables, places, units)
    return places, units


def add(
    way: ModuleType, values: Values, slots: Int64Array, windows: Int64Array, weight: int = 1
) -> Int64Array:
    states = SMALL.empty(3)
    places, units = cells(way, values)
    way.add_cells(
        places, units, slots, windows, weight,
        SMALL.tables, SMALL.co_rows, SMALL.scores, states,
    )  # fmt: skip
    return states


def pick(values: Values, rows: Int64Array) -> Values:
    return Values(
        np.asfortranarray(values.numbers[rows]), np.asfortranarray(values.kinds[rows]), {}
    )


@given(st.integers(1, 600), st.integers(0, 10_000), st.sampled_from(NUMBERS))
def test_compiled_and_plain_agree_to_the_last_bit(rows: int, seed: int, dtype: type) -> None:
    values, slots = odd_values(rows, seed)
    windows = np.random.default_rng(seed).integers(-1, 3, rows)
    if np.issubdtype(dtype, np.integer):
        np.clip(np.nan_to_num(values.numbers), -1e6, 1e6, out=values.numbers)
    for one, other in zip(cells(kernels, values, dtype), cells(plain, values, dtype), strict=True):
        np.testing.assert_array_equal(one, other)
    for weight in (1, -1):
        np.testing.assert_array_equal(
            add(kernels, values, slots, windows, weight), add(plain, values, slots, windows, weight)
        )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_at_an_edge_and_beside_it_fall_where_searchsorted_has_them(dtype: type) -> None:
    columns = SMALL.reference.columns
    edges = np.concatenate([column.edges for column in columns[:4]])
    with np.errstate(over="ignore"):
        at: Float64Array = edges.astype(dtype)
    around = np.concatenate([np.nextafter(at, dtype(-np.inf)), at, np.nextafter(at, dtype(np.inf))])
    numbers = np.tile(around.astype(np.float64)[:, np.newaxis], 6)
    values = Values(numbers, np.zeros(numbers.shape, dtype=np.uint8), {})
    for way in (kernels, plain):
        places, _ = cells(way, values, dtype)
        for index, column in enumerate(columns[:4]):
            expected = np.searchsorted(column.edges, numbers[:, index], side="left")
            assert (places[index] >> 1).tolist() == expected.tolist()


@given(st.integers(1, 200), st.integers(0, 10_000))
def test_parts_in_any_order_add_up_to_the_whole(rows: int, seed: int) -> None:
    values, slots = odd_values(rows, seed)
    rng = np.random.default_rng(seed)
    windows = rng.integers(-1, 3, rows)
    order, parts = rng.permutation(rows), rng.integers(0, 4, rows)
    total = SMALL.empty(3)
    for part in rng.permutation(4):
        own = order[parts[order] == part]
        total += add(kernels, pick(values, own), slots[own], windows[own])
    np.testing.assert_array_equal(total, add(kernels, values, slots, windows))


@BOTH
@given(st.integers(1, 60), st.integers(0, 10_000))
def test_what_is_taken_out_leaves_no_trace(way: ModuleType, rows: int, seed: int) -> None:
    values, slots = odd_values(rows, seed)
    windows = np.zeros(rows, dtype=np.int64)
    states = add(way, values, slots, windows) + add(way, values, slots, windows, -1)
    assert not states.any()


@BOTH
def test_every_value_is_counted_once_and_what_is_no_value_apart(way: ModuleType) -> None:
    values, slots = odd_values(400, 3)
    state = add(way, values, slots, np.zeros(400, dtype=np.int64))[0]
    assert state[ROWS] == 400
    for column in range(6):
        apart = SMALL.apart(state, column)
        assert SMALL.counts(state, column).sum() + apart[: Apart.CLIPPED].sum() == 400
        nulls = values.kinds[:, column] == 1
        assert apart[Apart.NULL] == nulls.sum() > 0


@BOTH
def test_bins_are_those_of_searchsorted_and_sums_those_of_the_clipped_values(
    way: ModuleType,
) -> None:
    values, slots = odd_values(500, 4)
    state = add(way, values, slots, np.zeros(500, dtype=np.int64))[0]
    for column, of in enumerate(SMALL.reference.columns[:4]):
        assert of.moments is not None
        valid = values.numbers[values.kinds[:, column] == 0, column]
        bins = np.searchsorted(of.edges, valid, side="left")
        np.testing.assert_array_equal(
            SMALL.counts(state, column), np.bincount(bins, minlength=of.bins)
        )
        near = np.clip(valid, of.moments.clip_low, of.moments.clip_high)
        assert SMALL.apart(state, column)[Apart.CLIPPED] == (near != valid).sum()
        if not of.moments.sd:
            assert not SMALL.sums(state, column).any()
            continue
        sums, scale = SMALL.sums(state, column), of.moments.sd / (1 << 20)
        mean = of.moments.mean + scale * sums[Sum.UNITS] / len(valid)
        assert mean == pytest.approx(near.mean(), rel=1e-6)
        squares = int(sums[Sum.SQUARES_LOW]) + (int(sums[Sum.SQUARES_HIGH]) << 32)
        assert squares * scale**2 == pytest.approx(((near - of.moments.mean) ** 2).sum(), rel=1e-6)
        below = near[bins == 0]
        assert sums[Sum.BELOW] * scale == pytest.approx((below - of.moments.mean).sum(), rel=1e-6)


@BOTH
def test_products_of_many_rows_that_are_all_far_away_are_exact(way: ModuleType) -> None:
    values, slots = odd_values(1_500, 5)
    values.kinds[:] = 0
    for column in (0, 1, 3):
        moments = SMALL.reference.columns[column].moments
        assert moments is not None
        values.numbers[:, column] = moments.clip_high
    state = add(way, values, slots, np.zeros(1_500, dtype=np.int64))[0]
    sums = state[SMALL.co_sums : SMALL.co_moments]
    assert sums.max() == 1_500 * COARSE_MOST
    one, other = np.triu_indices(3)
    products = state[SMALL.co_moments : SMALL.scores]
    assert (products * 1_500).tolist() == (sums[one] * sums[other]).tolist()


@BOTH
def test_minus_nought_is_nought(way: ModuleType) -> None:
    values, _ = odd_values(2, 0)
    values.kinds[:] = 0
    values.numbers[:] = 0.0
    values.numbers[:, 1] = [0.0, -0.0]
    places, units = cells(way, values)
    assert places[1, 0] == places[1, 1]
    assert units[1, 0] == units[1, 1]


@BOTH
@given(st.integers(1, 60), st.integers(0, 10_000))
def test_what_was_written_is_read_again(way: ModuleType, rows: int, seed: int) -> None:
    values, slots = odd_values(rows, seed)
    state = add(way, values, slots, np.zeros(rows, dtype=np.int64))[0]
    out = np.empty(SMALL.size * SPARSE_BYTES, dtype=np.uint8)
    size = way.write_sparse(state, out)
    for reader in (kernels, plain):
        again = SMALL.empty(1)[0]
        assert reader.read_sparse(out[:size], again)
        np.testing.assert_array_equal(again, state)
    places, units = cells(way, values)
    chosen = np.arange(0, rows, 2)
    out = np.empty(len(chosen) * row_bytes(6), dtype=np.uint8)
    size = way.write_rows(places, units, slots, chosen, SMALL.tables, out)
    for reader in (kernels, plain):
        shape = (6, len(chosen))
        read_places, read_units = np.empty(shape, dtype=np.int16), np.empty(shape, dtype=np.int32)
        read_slots = np.empty(len(chosen), dtype=np.int64)
        assert reader.read_rows(
            out[:size], SMALL.tables, SMALL.size - SMALL.scores, read_places, read_units, read_slots
        )
        np.testing.assert_array_equal(read_places, places[:, chosen])
        np.testing.assert_array_equal(read_units, units[:, chosen])
        np.testing.assert_array_equal(read_slots, slots[chosen])


@given(st.binary(max_size=60), st.integers(0, 3))
def test_damage_is_refused_by_both_alike_and_never_read_past(data: bytes, rows: int) -> None:
    given_bytes = np.frombuffer(data, dtype=np.uint8)
    answers = []
    for way in (kernels, plain):
        state = SMALL.empty(1)[0]
        sound = way.read_sparse(given_bytes, state)
        shape = (6, rows)
        places, units = np.zeros(shape, dtype=np.int16), np.zeros(shape, dtype=np.int32)
        slots = np.zeros(rows, dtype=np.int64)
        rows_sound = way.read_rows(given_bytes, SMALL.tables, 512, places, units, slots)
        answers.append((sound, state.tolist() if sound else None, rows_sound))
    assert answers[0] == answers[1]


@given(st.lists(st.integers(-2, 9), min_size=13, max_size=13), st.data())
def test_a_state_is_balanced_if_each_part_adds_up_to_its_rows(
    numbers: list[int], data: st.DataObject
) -> None:
    state, bounds = np.array([9, *numbers]), np.array([1, 5, 7, 12])
    if data.draw(st.booleans()):
        state[4] += 9 - state[1:5].sum()
        state[11] += 9 - state[7:12].sum()
    parts = [state[1:5], state[7:12]]
    expected = all(part.sum() == 9 and part.min() >= 0 for part in parts)
    for way in (kernels, plain):
        assert way.is_balanced(state, bounds) == expected
        assert way.is_balanced(state, bounds[:0])


@BOTH
def test_only_a_number_in_a_bin_can_have_been_clipped(way: ModuleType) -> None:
    values, slots = odd_values(1, 1)
    values.kinds[:] = 0
    places, units = cells(way, values)
    null = 2 * SMALL.reference.columns[0].bins
    for column, place, is_sound in (
        (0, 7, True),
        (0, null, True),
        (0, null + 1, False),
        (4, 1, False),
    ):
        changed = places.copy()
        changed[column, 0] = place
        out = np.empty(row_bytes(6), dtype=np.uint8)
        size = way.write_rows(changed, units, slots, np.arange(1), SMALL.tables, out)
        read = np.empty_like(places), np.empty_like(units), np.empty_like(slots)
        assert way.read_rows(out[:size], SMALL.tables, 512, *read) == is_sound
