"""Laws of what is kept beside a committed offset."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.core.position_notes import PositionNote


@given(st.text(max_size=30), st.text(max_size=300))
def test_what_is_written_is_read_again(topic_id: str, processor: str) -> None:
    note = PositionNote(topic_id, processor)
    assert PositionNote.of(note.to_text()) == note


def test_nothing_to_say_is_an_empty_text() -> None:
    assert PositionNote().to_text() == ""


def test_the_text_has_a_format_and_is_short() -> None:
    assert PositionNote("5jFnrJLFRYSgIr3DUJiNwA").to_text() == (
        '{"v":1,"topic":"5jFnrJLFRYSgIr3DUJiNwA"}'
    )


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "set by hand",
        "[1]",
        "7",
        "[" * 100_000,
        '{"topic":"a"}',
        '{"v":2,"topic":"a"}',
        '{"v":1,"topic":7}',
        '{"v":1,"topic":"a","processor":[]}',
    ],
)
def test_a_text_that_is_not_ours_says_nothing(text: str | None) -> None:
    assert PositionNote.of(text) == PositionNote()


def test_fields_that_are_not_known_are_passed_over() -> None:
    assert PositionNote.of('{"v":1,"topic":"a","model":"3"}') == PositionNote("a")
