"""Laws of alert rules: of windows alone, in order; told once, and taken back aloud."""

import random
from dataclasses import replace
from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.core.drift.alerts import Alert, Ground, Level, Reason, State
from stream_app.core.drift.rules import judge
from stream_app.core.drift.window_report import Status
from stream_app.core.drift.window_scores import Score, WindowScores

LIMIT = 1.3
SCORES = {"q": 1.0, "l": 2.0, "c": 5.0, "n": nan}
"""Quiet, loud, critical, none."""


def window(at: int, *scores: Score, status: Status = Status.OK, revision: int = 0) -> WindowScores:
    return WindowScores(at * 60_000, revision, 1_000, status, LIMIT, scores)


def score(value: float, *, column: str = "x", large: bool = True) -> Score:
    return Score(column, "w", value, value, large)


def windows_of(pattern: str) -> list[WindowScores]:
    """A window a letter; ``i``: insufficient, though it would be critical."""
    return [
        window(at, score(5.0), status=Status.INSUFFICIENT)
        if letter == "i"
        else window(at, score(SCORES[letter]))
        for at, letter in enumerate(pattern)
    ]


def told(pattern: str) -> list[tuple[int, str, str]]:
    """Of each record: the last window it rests on, its state and level."""
    alerts = judge("m", "drift", windows_of(pattern)).alerts
    return [(a.grounds[-1].window_start // 60_000, a.state, a.level.name) for a in alerts]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("qqqq", []),
        ("ql", [(1, "opened", "WARN")]),
        ("ll", [(0, "opened", "WARN"), (1, "updated", "ALERT")]),
        ("lql", [(0, "opened", "WARN"), (2, "updated", "ALERT")]),
        ("lqql", [(0, "opened", "WARN")]),
        ("c", [(0, "opened", "CRITICAL")]),
        ("llc", [(0, "opened", "WARN"), (1, "updated", "ALERT"), (2, "updated", "CRITICAL")]),
        ("cll", [(0, "opened", "CRITICAL")]),
        ("lqq", [(0, "opened", "WARN")]),
        ("lqqq", [(0, "opened", "WARN"), (3, "closed", "WARN")]),
        ("lqqlqqq", [(0, "opened", "WARN"), (6, "closed", "WARN")]),
        ("lqqqqqq", [(0, "opened", "WARN"), (3, "closed", "WARN")]),
        ("lqqql", [(0, "opened", "WARN"), (3, "closed", "WARN"), (4, "opened", "WARN")]),
        ("iiii", []),
        ("lil", [(0, "opened", "WARN"), (2, "updated", "ALERT")]),
        ("liiqil", [(0, "opened", "WARN"), (5, "updated", "ALERT")]),
        ("lqqii", [(0, "opened", "WARN")]),
        ("lqqiiq", [(0, "opened", "WARN"), (5, "closed", "WARN")]),
        ("lnnnql", [(0, "opened", "WARN"), (5, "updated", "ALERT")]),
        ("lqqn", [(0, "opened", "WARN")]),
    ],
)
def test_levels_follow_the_last_three_windows_that_count(
    pattern: str, expected: list[tuple[int, str, str]]
) -> None:
    assert told(pattern) == expected


def test_a_record_names_the_windows_and_revisions_that_it_rests_on() -> None:
    windows = [replace(w, revision=at + 7) for at, w in enumerate(windows_of("lqlqqq"))]
    opened, updated, closed = judge("m", "drift", windows).alerts
    assert opened.grounds == (Ground(0, 7),)
    assert updated.grounds == (Ground(0, 7), Ground(120_000, 9))
    assert closed.grounds == (Ground(180_000, 10), Ground(240_000, 11), Ground(300_000, 12))
    assert [a.reason for a in (opened, updated, closed)] == [
        Reason.WINDOW, Reason.TWO_OF_THREE, Reason.QUIET,
    ]  # fmt: skip
    assert [a.sequence for a in (opened, updated, closed)] == [0, 1, 2]
    assert len({a.id for a in (opened, updated, closed)}) == 1
    assert (opened.opened, opened.column, opened.statistic, opened.score) == (0, "x", "w", 2.0)


def test_a_score_at_the_threshold_is_quiet_and_at_three_thresholds_not_critical() -> None:
    assert judge("m", "drift", [window(0, score(LIMIT))]).alerts == ()
    (alert,) = judge("m", "drift", [window(0, score(3 * LIMIT))]).alerts
    assert alert.level is Level.WARN


def test_a_change_that_is_too_small_to_matter_is_not_loud_however_certain() -> None:
    assert judge("m", "drift", [window(0, score(99.0, large=False))]).alerts == ()


def test_the_id_is_of_the_stream_the_rule_the_column_and_where_it_opened() -> None:
    def opened(stream: str, rule: str, column: str, at: int, value: float) -> str:
        (alert,) = judge(stream, rule, [window(at, score(value, column=column))]).alerts
        return alert.id

    ids = [
        opened(*place, 2.0)
        for place in (
            ("m", "drift", "x", 1), ("n", "drift", "x", 1), ("m", "quality", "x", 1),
            ("m", "drift", "y", 1), ("m", "drift", "x", 2),
        )
    ]  # fmt: skip
    assert len(set(ids)) == 5
    assert opened("m", "drift", "x", 1, 5.0) == ids[0], "a worse one is the same alert"


def test_columns_do_not_hear_each_other() -> None:
    windows = [
        window(at, score(SCORES[x], column="x"), score(SCORES[y], column="y"))
        for at, (x, y) in enumerate(zip("lqqqq", "qlqqq", strict=True))
    ]
    alerts = judge("m", "drift", windows).alerts
    assert [(a.column, str(a.state)) for a in alerts] == [
        ("x", "opened"), ("y", "opened"), ("x", "closed"), ("y", "closed"),
    ]  # fmt: skip
    one = [replace(w, scores=w.scores[:1]) for w in windows]
    assert judge("m", "drift", one).alerts == tuple(a for a in alerts if a.column == "x")


@pytest.mark.parametrize("later", [0, 60_000])
def test_windows_out_of_order_are_refused(later: int) -> None:
    windows = [replace(window(0, score(1.0)), window_start=start) for start in (60_000, later)]
    with pytest.raises(ValueError, match="is not after"):
        judge("m", "drift", windows)


def deviations(*zs: float, large: bool = True) -> list[WindowScores]:
    """Windows that are never loud, so many standard deviations above the mean."""
    return [
        window(at, Score("x", "w", 0.05 + 0.01 * z, 1.0, large, 0.05, 0.01))
        for at, z in enumerate(zs)
    ]


def sums_told(*zs: float, large: bool = True) -> list[tuple[int, str]]:
    alerts = judge("m", "drift", deviations(*zs, large=large)).alerts
    assert all(a.reason in {Reason.CUSUM, Reason.QUIET} for a in alerts)
    return [(a.grounds[-1].window_start // 60_000, str(a.state)) for a in alerts]


def test_many_windows_a_little_too_far_are_an_alert() -> None:
    windows = deviations(-1.0, *[0.99] * 17)
    (alert,) = judge("m", "drift", windows).alerts
    assert (alert.level, alert.reason) == (Level.ALERT, Reason.CUSUM)
    assert [ground.window_start // 60_000 for ground in alert.grounds] == list(range(1, 18))


def test_one_window_alone_reaches_no_sum_and_windows_without_drift_do_not_add_up() -> None:
    assert sums_told(0.0, 1e9, -0.5, -0.5, -0.5) == []
    assert sums_told(*[0.4] * 1_000) == []
    assert sums_told(6.0, 6.0) == [(1, "opened")]


def test_a_sum_begins_again_at_nought() -> None:
    assert sums_told(*[5.0, -9.0] * 50) == []


def test_what_is_too_small_to_matter_does_not_add_up() -> None:
    assert sums_told(*[6.0] * 50, large=False) == []


def test_a_sum_over_its_limit_keeps_the_alert_open_and_is_over_soon_after_the_drift_is() -> None:
    drifting = [3.0] * 100
    assert sums_told(*drifting) == [(3, "opened")]
    assert sums_told(*drifting, *[0.0] * 20) == [(3, "opened"), (109, "closed")]
    again = sums_told(*drifting, *[0.0] * 20, *drifting)
    assert again == [(3, "opened"), (109, "closed"), (123, "opened")]


def test_the_end_of_a_warning_makes_no_sum_forget() -> None:
    """A drift too small for a window goes on below a warning that came by chance."""

    def at(number: int, of_window: float) -> WindowScores:
        return window(number, Score("x", "w", 1.0, of_window, True, 0.0, 1.0))

    quiet = [at(number, 0.5) for number in range(1, 40)]
    (alone,) = judge("m", "drift", [at(0, 0.5), *quiet]).alerts
    opened, closed, again = judge("m", "drift", [at(0, 2.0), *quiet]).alerts
    assert (opened.level, closed.state) == (Level.WARN, State.CLOSED)
    assert (again.reason, again.opened) == (Reason.CUSUM, alone.opened)


@pytest.mark.parametrize(("mean", "sd"), [(nan, 1.0), (1.0, nan), (0.0, 0.0)])
def test_without_a_known_spread_nothing_is_summed(mean: float, sd: float) -> None:
    windows = [window(at, Score("x", "w", 9.0, 1.0, True, mean, sd)) for at in range(50)]
    assert judge("m", "drift", windows).alerts == ()


def test_an_alert_by_sum_that_turns_critical_is_the_same_alert() -> None:
    windows = [*deviations(*[3.0] * 10), window(10, score(5.0))]
    opened, updated = judge("m", "drift", windows).alerts
    assert opened.id == updated.id
    assert (updated.level, updated.reason) == (Level.CRITICAL, Reason.FAR)


def test_a_statistic_without_a_score_is_neither_loud_nor_quiet() -> None:
    unscored = Score("x", "w", 1.0, nan, True)
    windows = [*windows_of("lqq"), window(3, unscored)]
    assert len(judge("m", "drift", windows).alerts) == 1, "not closed"


@pytest.mark.parametrize("windows", [windows_of("q" * 500), deviations(*[3.0] * 500)])
def test_memory_does_not_grow_with_windows_that_are_alike(windows: list[WindowScores]) -> None:
    (column,) = judge("m", "drift", windows).memory
    assert len(column.quiet) <= 3
    assert sum(len(one.grounds) for one in column.sums) <= 4


some_scores = st.builds(
    Score,
    column=st.sampled_from("xyz"),
    statistic=st.sampled_from(["w", "j"]),
    value=st.just(nan) | st.floats(0, 10),
    score=st.just(nan) | st.sampled_from([0.5, 1.0, 1.5, 2.0, 5.0]),
    large=st.sampled_from([True, True, True, False]),
    mean=st.just(3.0),
    sd=st.sampled_from([1.0, 1.0, nan]),
)
statuses = st.sampled_from([Status.OK] * 8 + [Status.INSUFFICIENT, Status.EMPTY])


@st.composite
def some_windows(draw: st.DrawFn) -> list[WindowScores]:
    each = st.lists(some_scores, max_size=6, unique_by=lambda s: (s.column, s.statistic))
    return [
        replace(window(at, *draw(each), status=draw(statuses)), revision=draw(st.integers(0, 3)))
        for at in range(draw(st.integers(0, 25)))
    ]


@given(some_windows(), st.integers(0, 25))
def test_to_judge_the_whole_is_to_judge_the_parts_with_what_they_remember(
    windows: list[WindowScores], cut: int
) -> None:
    whole = judge("m", "drift", windows)
    first = judge("m", "drift", windows[:cut])
    second = judge("m", "drift", windows[cut:], first.memory)
    assert first.alerts + second.alerts == whole.alerts
    assert second.memory == whole.memory


@given(some_windows(), st.randoms(use_true_random=False))
def test_equal_windows_give_equal_bytes_in_whatever_order_their_scores_are(
    windows: list[WindowScores], shuffler: random.Random
) -> None:
    shuffled = [replace(w, scores=tuple(shuffler.sample(w.scores, len(w.scores)))) for w in windows]
    assert repr(judge("m", "drift", windows)) == repr(judge("m", "drift", shuffled))


@given(some_windows())
def test_windows_that_do_not_count_might_as_well_not_be(windows: list[WindowScores]) -> None:
    counting = [w for w in windows if w.status is Status.OK]
    assert judge("m", "drift", windows) == judge("m", "drift", counting)


@given(some_windows())
def test_each_alert_opens_once_rises_and_closes_once_and_a_column_has_one_at_a_time(
    windows: list[WindowScores],
) -> None:
    open_alert: dict[str, Alert] = {}
    for alert in judge("m", "drift", windows).alerts:
        before = open_alert.pop(alert.column, None)
        if before is None:
            assert (alert.state, alert.sequence) == (State.OPENED, 0)
        else:
            assert (alert.id, alert.sequence) == (before.id, before.sequence + 1)
            risen = alert.state is State.UPDATED and alert.level > before.level
            assert risen or (alert.state is State.CLOSED and alert.level is before.level)
        if alert.state is not State.CLOSED:
            open_alert[alert.column] = alert
        starts = [ground.window_start for ground in alert.grounds]
        assert starts
        assert starts == sorted(set(starts))
        assert alert.opened <= starts[-1]
