"""Laws of the store's format: what was kept comes back, and nothing else is taken for it."""

import json
from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.core.drift.kept_windows import key_of, read_kept, value_of
from stream_app.core.drift.rules import judge
from stream_app.core.drift.score_window import RULES
from stream_app.core.drift.watch_series import Forgotten, KeptWindow
from stream_app.core.drift.window_report import Status
from stream_app.core.drift.window_scores import Score, WindowScores
from stream_app.errors import FatalError
from tests.unit.drift.test_rules import some_windows
from tests.unit.drift.test_watch_series import NAME

NUMBERS = st.floats()
INTS = st.integers(-(1 << 53), 1 << 53)
scores = st.builds(Score, st.text(), st.text(), NUMBERS, NUMBERS, st.booleans(), NUMBERS, NUMBERS)


@st.composite
def windows(draw: st.DrawFn) -> KeptWindow:
    start, revision = draw(INTS), draw(st.integers(0, 1 << 31))
    by_rule = {
        rule: WindowScores(
            start,
            revision,
            draw(st.integers(0, 1 << 40)),
            draw(st.sampled_from(Status)),
            draw(NUMBERS),
            tuple(draw(st.lists(scores, max_size=4))),
        )
        for rule in RULES
    }
    return KeptWindow(start, revision, draw(st.booleans()), draw(INTS), by_rule)


def same(first: object, second: object) -> bool:
    """NaN included."""
    return repr(first) == repr(second)


@given(windows(), st.integers(0, 1_000))
def test_a_window_comes_back_as_it_was(window: KeptWindow, partition: int) -> None:
    value = value_of(partition, window)
    assert same(read_kept(key_of(NAME, window), value), (NAME, partition, window))
    assert value_of(partition, window) == value


@given(some_windows(), INTS, st.booleans())
def test_a_memory_comes_back_as_it_was(
    windows: list[WindowScores], through: int, is_over: bool
) -> None:
    memory = {rule: judge(NAME, rule, windows).memory for rule in RULES}
    kept = Forgotten(through, memory, is_over)
    assert same(read_kept(key_of(NAME, kept), value_of(3, kept)), (NAME, 3, kept))


def test_no_revision_and_no_memory_takes_the_place_of_another() -> None:
    of = dict.fromkeys(RULES, WindowScores(0, 1, 5, Status.OK, nan, ()))
    kept: list[KeptWindow | Forgotten] = [
        *(KeptWindow(start, revision, True, 0, of) for start in (0, 60) for revision in (1, 2)),
        *(Forgotten(through, dict.fromkeys(RULES, ())) for through in (0, 60)),
    ]
    assert len({key_of(NAME, each) for each in kept}) == len(kept)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda value: value[:-1],
        lambda value: b"[]",
        lambda value: b"\xff",
        lambda value: value.replace(b'"format":1', b'"format":2'),
        lambda value: value.replace(b'"told_ms":0', b'"told_ms":"0"'),
        lambda value: json.dumps({"format": 1}).encode(),
    ],
)
def test_what_is_damaged_or_of_another_version_is_refused_with_the_remedy(spoil: object) -> None:
    window = KeptWindow(
        0, 1, True, 0, dict.fromkeys(RULES, WindowScores(0, 1, 5, Status.OK, nan, ()))
    )
    with pytest.raises(FatalError, match=r"delete the records of monitor\.changelog_topic"):
        read_kept(key_of(NAME, window), spoil(value_of(0, window)))  # type: ignore[operator]  # a lambda of the list
