"""Laws of the windows of a transaction: however rows come, each counts once in its own window."""

from dataclasses import replace
from types import ModuleType
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.core.columns import NO_TIMESTAMP, Int64Array
from stream_app.core.drift import kernels, plain
from stream_app.core.drift.counter import Arithmetic, Cells, WindowCounter, add_delta
from stream_app.core.drift.layout import Layout
from stream_app.core.drift.partial import Form, WindowDelta
from stream_app.core.drift.watch import Values
from tests.drift_kit import SMALL, odd_values, small_reference, sources_of

WINDOW_MS = 1_000
WAYS = [cast(Arithmetic, kernels), cast(Arithmetic, plain)]
BOTH = pytest.mark.parametrize("way", WAYS, ids=["compiled", "plain"])


def counter(way: Arithmetic = WAYS[0]) -> WindowCounter:
    return WindowCounter(SMALL, WINDOW_MS, way)


def some_cells(made: WindowCounter, rows: int, seed: int, windows: int = 3) -> Cells:
    values, slots = odd_values(rows, seed)
    times = np.random.default_rng(seed).integers(-WINDOW_MS, WINDOW_MS * windows, rows)
    return made.cells(sources_of(values), slots, np.where(times == NO_TIMESTAMP, 0, times))


def states_of(deltas: tuple[WindowDelta, ...], way: Arithmetic = WAYS[0]) -> dict[int, Int64Array]:
    states = {}
    for delta in deltas:
        states[delta.start_ms] = state = SMALL.empty(1)[0]
        assert add_delta(delta, SMALL, way, state)
        assert state[0] == delta.rows
    return states


def are_same(one: dict[int, Int64Array], other: dict[int, Int64Array]) -> bool:
    return one.keys() == other.keys() and all((one[s] == other[s]).all() for s in one)


@given(st.integers(1, 120), st.integers(0, 10_000), st.integers(1, 5))
def test_parts_give_the_same_windows_as_the_whole(rows: int, seed: int, parts: int) -> None:
    whole = counter()
    cells = some_cells(whole, rows, seed)
    whole.add(cells)
    total: dict[int, Int64Array] = {}
    part_of = np.random.default_rng(seed + 1).integers(0, parts, rows)
    for part in range(parts):
        # One transaction each, of two batches.
        own, made = np.flatnonzero(part_of == part), counter()
        for batch in np.array_split(own, 2):
            made.add(cells.take(batch))
        for start, state in states_of(made.take()).items():
            total[start] = total.get(start, SMALL.empty(1)[0]) + state
    assert are_same(total, states_of(whole.take()))


@BOTH
def test_few_rows_are_written_as_rows_and_mean_the_same(way: Arithmetic) -> None:
    made = counter(way)
    made.add(some_cells(made, 4, 1, windows=1))
    (few,) = [delta for delta in made.take() if delta.rows > 1][:1]
    assert few.form is Form.ROWS
    many = counter(way)
    many.add(some_cells(many, 400, 1, windows=1))
    assert {delta.form for delta in many.take()} == {Form.SPARSE}
    # Rows that are taken out are not among those kept: their window is written as numbers.
    made.remove(some_cells(made, 4, 1, windows=1).take(np.array([0], dtype=np.intp)))
    assert sum(delta.rows for delta in made.take()) == 3
    states_of(made.take(), way)


@given(st.integers(2, 80), st.integers(0, 10_000))
def test_what_was_removed_was_never_there(rows: int, seed: int) -> None:
    made, other = counter(), counter()
    cells = some_cells(made, rows, seed)
    kept, gone = np.arange(0, rows, 2), np.arange(1, rows, 2)
    made.add(cells)
    made.remove(cells.take(gone))
    other.add(cells.take(kept))
    left = {s: v for s, v in states_of(made.take()).items() if v.any()}
    assert are_same(left, {s: v for s, v in states_of(other.take()).items() if v.any()})


def test_rows_without_a_time_are_in_no_window_and_are_counted() -> None:
    made = counter()
    cells = some_cells(made, 5, 2)
    times = cells.times_ms.copy()
    times[1:3] = NO_TIMESTAMP
    made.add(replace(cells, times_ms=times))
    assert made.rows_without_time == 2
    assert sum(delta.rows for delta in made.take()) == 3


def test_dead_letters_count_in_their_window_or_in_none() -> None:
    made = counter()
    made.bury(np.array([40, 40, 11], dtype=np.uint16), np.array([1_500, 1_999, NO_TIMESTAMP]))
    (delta,) = made.take()
    assert (delta.start_ms, delta.rows, dict(delta.letters)) == (1_000, 0, {40: 2})
    assert dict(made.letters_without_time) == {11: 1}
    made.clear()
    assert made.take() == ()
    assert not made.letters_without_time


def test_a_window_begins_at_its_start_and_ends_before_its_end() -> None:
    made = counter()
    cells = some_cells(made, 4, 3)
    made.add(replace(cells, times_ms=np.array([0, 999, 1_000, -2], dtype=np.int64)))
    assert {d.start_ms: d.rows for d in made.take()} == {-1_000: 1, 0: 2, 1_000: 1}


def test_a_window_that_is_taken_again_after_a_clear_holds_nothing_of_before() -> None:
    made = counter()
    made.add(some_cells(made, 300, 4, windows=9))
    made.clear()
    cells = some_cells(made, 300, 5, windows=9)
    made.add(cells)
    fresh = counter()
    fresh.add(cells)
    assert are_same(states_of(made.take()), states_of(fresh.take()))


@BOTH
@pytest.mark.parametrize("form", list(Form))
def test_damaged_counts_are_refused(way: ModuleType, form: Form) -> None:
    made = counter()
    made.add(some_cells(made, 3 if form is Form.ROWS else 300, 6, windows=1))
    delta = max(made.take(), key=lambda found: found.rows)
    assert delta.form is form
    damaged = [
        replace(delta, rows=delta.rows + 1),
        replace(delta, rows=delta.rows - 1),
        replace(delta, rows=-1),
        replace(delta, rows=1 << 40),
        replace(delta, counts=delta.counts[:-1] + b"\x80"),
        replace(delta, counts=delta.counts + b"\x02"),
        replace(delta, counts=b""),
    ]
    for each in damaged:
        assert not add_delta(each, SMALL, way, SMALL.empty(1)[0]), each


@BOTH
def test_strings_are_counted_by_their_names_and_others_as_the_reference_has_them(
    way: Arithmetic,
) -> None:
    column = replace(small_reference().columns[5], bin_of_code=np.empty(0, dtype=np.int64))
    layout = Layout(replace(small_reference(), columns=(column,), correlated=(), scores=None))
    made = WindowCounter(layout, WINDOW_MS, way)
    values = Values(
        np.zeros((4, 1), order="F"),
        np.array([[0], [0], [0], [1]], dtype=np.uint8, order="F"),
        {0: ["name 1", "name 0", "never heard of", ""]},
    )
    made.add(
        made.cells(sources_of(values, layout.reference), np.full(4, -1), np.zeros(4, np.int64))
    )
    state = layout.empty(1)[0]
    assert add_delta(made.take()[0], layout, way, state)
    # The reference has names that it does not list, and this may be one of them: OTHER.
    assert layout.counts(state, 0).tolist() == [1, 1, 1, 0]
    assert layout.apart(state, 0)[0] == 1
