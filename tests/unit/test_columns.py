"""Laws of columns: whatever is done to all rows at once is what would be done to each."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_app.core.columns import BytesColumn
from tests.avro_kit import batch

ROWS = st.lists(st.none() | st.binary(max_size=40), max_size=30)


@st.composite
def rows_and_picks(draw: st.DrawFn) -> tuple[list[bytes | None], list[int]]:
    rows = draw(ROWS)
    picks = draw(st.lists(st.integers(0, len(rows) - 1), max_size=40)) if rows else []
    return rows, picks


@given(rows_and_picks())
def test_taken_rows_are_those_that_were_picked(drawn: tuple[list[bytes | None], list[int]]) -> None:
    rows, picks = drawn
    column = BytesColumn.of(rows)
    taken = column.take(np.array(picks, dtype=np.intp))
    assert list(column) == rows
    assert list(taken) == [rows[pick] for pick in picks]
    assert [taken[row] for row in range(len(taken))] == list(taken)
    assert (taken.nulls is None) == (None not in list(taken))


@given(st.lists(st.integers(0, 6), max_size=60))
def test_offsets_of_a_batch_are_the_least_and_the_one_after_the_greatest(
    partitions: list[int],
) -> None:
    # Partitions come in any order; within one, offsets grow, with gaps.
    offsets = [3 * row + 5 for row in range(len(partitions))]
    records = replace(
        batch([b"v"] * len(partitions)),
        partition=np.array(partitions, dtype=np.int32),
        offset=np.array(offsets, dtype=np.int64),
    )
    own = {p: [o for q, o in zip(partitions, offsets, strict=True) if q == p] for p in partitions}
    assert records.next_offsets() == {p: max(o) + 1 for p, o in own.items()}
    assert records.first_offsets() == {p: min(o) for p, o in own.items()}
