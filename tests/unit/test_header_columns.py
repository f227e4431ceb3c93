"""Laws of headers side by side: as if each row had kept its own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.core.columns import BytesColumn, Header
from stream_app.core.header_columns import HeaderColumns, rows_with

NAMES = st.sampled_from(["a", "b", "longer", ""])
ROWS = st.lists(st.lists(st.tuples(NAMES, st.none() | st.binary(max_size=5)), max_size=4))


def columns(rows: list[list[Header]]) -> HeaderColumns:
    every = [header for row in rows for header in row]
    return HeaderColumns(
        np.cumsum([0, *map(len, rows)], dtype=np.int64),
        BytesColumn.of([name.encode() for name, _ in every]),
        BytesColumn.of([value for _, value in every]),
        ("unreadable", None),
    )


@given(ROWS, NAMES)
def test_they_are_what_a_dictionary_would_be(rows: list[list[Header]], name: str) -> None:
    plain = {row: tuple(own) for row, own in enumerate(rows) if own}
    found = columns(rows)
    assert dict(found) == plain
    assert len(found) == len(plain)
    assert [row in found for row in range(-1, len(rows) + 1)] == [
        row in plain for row in range(-1, len(rows) + 1)
    ]
    assert list(rows_with(found, name)) == list(rows_with(plain, name))


def test_a_row_without_headers_has_none() -> None:
    with pytest.raises(KeyError):
        columns([[], [("a", None)]])[0]


def test_a_name_that_is_no_text_leaves_a_sign() -> None:
    found = HeaderColumns(
        np.array([0, 1, 2]), BytesColumn.of([b"a", b"\xff"]), BytesColumn.of([b"1", b"2"]),
        ("unreadable", None),
    )  # fmt: skip
    assert dict(found) == {0: (("a", b"1"),), 1: (("unreadable", None),)}
