"""Laws of watching: what is written depends on the records alone, not on who reads them or when."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from math import nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_app.core.drift.alerts import Alert, Reason, State
from stream_app.core.drift.rules import judge
from stream_app.core.drift.score_window import RULES
from stream_app.core.drift.watch_series import CHUNK, Forgotten, KeptWindow, WatchedSeries
from stream_app.core.drift.window_report import Status
from stream_app.core.drift.window_scores import Score, WindowScores

NAME = "loans/1/primary/0123456789abcdef/60000/60000"
SCORES = {"q": 1.0, "l": 2.0, "c": 5.0, "n": nan}


def kept(at: int, letters: str, revision: int = 1, *, is_final: bool = True) -> KeptWindow:
    """A column a letter, the same in both families."""
    scores = tuple(
        Score(f"x{n}", "w", SCORES[letter], SCORES[letter], True, 1.0, 0.5)
        for n, letter in enumerate(letters)
    )
    of_rule = WindowScores(at * 60_000, revision, 1_000, Status.OK, 1.3, scores)
    return KeptWindow(at * 60_000, revision, is_final, 0, dict.fromkeys(RULES, of_rule))


@dataclass
class World:
    """The store and the alerts topic, in which nothing is ever lost."""

    store: dict[str, KeptWindow | Forgotten] = field(default_factory=dict)
    topic: list[Alert] = field(default_factory=list)

    def begin(self, keep: int = 10_000) -> WatchedSeries:
        """A monitor that starts: it reads both, and writes what is due."""
        series = WatchedSeries(NAME, keep)
        values = list(self.store.values())
        series.restore(
            [value for value in values if isinstance(value, KeptWindow)],
            [value for value in values if isinstance(value, Forgotten)],
        )
        for alert in self.topic:
            series.wrote(alert)
        for _ in self.publish(series):
            pass
        return series

    def step(self, series: WatchedSeries, window: KeptWindow) -> Iterator[str]:
        """One record; after each ``yield`` the monitor may die."""
        step = series.take(window)
        if step is None:
            return
        self.store[key(window)] = window
        yield "stored"
        yield from self.publish(series)
        if step.replaced is not None:
            self.store.pop(key(step.replaced), None)
            yield "deleted"
        forgetting = series.forget()
        if forgetting is None:
            return
        self.store[key(forgetting.memory)] = forgetting.memory
        yield "remembered"
        over: list[KeptWindow | Forgotten] = [*forgetting.windows]
        if forgetting.before is not None:
            over.append(forgetting.before)
        for old in over:
            self.store.pop(key(old), None)
            yield "forgotten"

    def publish(self, series: WatchedSeries) -> Iterator[str]:
        for alert in series.due():
            self.topic.append(alert)
            yield "written"
            series.wrote(alert)

    def all(self, series: WatchedSeries, windows: Iterable[KeptWindow]) -> None:
        for window in windows:
            for _ in self.step(series, window):
                pass


def key(value: KeptWindow | Forgotten) -> str:
    """No value ever takes another's place, so that who wakes up late overwrites nothing."""
    if isinstance(value, KeptWindow):
        return f"{value.start_ms} {value.revision}"
    return f"memory {value.through_ms}"


def undisturbed(windows: Iterable[KeptWindow], keep: int = 10_000) -> list[Alert]:
    world = World()
    world.all(world.begin(keep), windows)
    return world.topic


def of(rows: Iterable[str]) -> list[KeptWindow]:
    return [kept(at, row) for at, row in enumerate(rows)]


@st.composite
def logs(draw: st.DrawFn) -> list[KeptWindow]:
    """Records of a few columns; some windows are revised, not long after."""
    count = draw(st.integers(1, 40))
    log, revisions = [], dict.fromkeys(range(count), 0)
    for at in range(count):
        again = draw(st.lists(st.integers(max(0, at - 3), at), max_size=2))
        for one in [at, *again]:
            revisions[one] += 1
            letters = draw(st.text("qqqqllcn", min_size=2, max_size=2))
            log.append(kept(one, letters, revisions[one]))
    return log


def records(alerts: Iterable[Alert]) -> dict[str, Alert]:
    """By key; a record written twice must be the same."""
    found: dict[str, Alert] = {}
    for alert in alerts:
        assert found.setdefault(alert.key, alert) == alert, "the same key, another record"
    return found


def test_alerts_are_those_of_the_rules() -> None:
    rows = ["ql", "ll", "qc", "qq", "qq", "qq"]
    found = undisturbed(of(rows))
    expected = [
        alert
        for rule in RULES
        for alert in judge(NAME, rule, [w.scores[rule] for w in of(rows)]).alerts
    ]
    assert expected
    assert sorted(found, key=lambda a: a.key) == sorted(expected, key=lambda a: a.key)


def test_a_window_that_is_not_final_is_kept_and_not_judged() -> None:
    world = World()
    series = world.begin()
    world.all(series, [kept(0, "c", 1, is_final=False)])
    assert (list(series.windows), world.topic) == ([0], [])
    world.all(series, [kept(0, "c", 2)])
    assert {alert.state for alert in world.topic} == {State.OPENED}
    assert list(world.store) == ["0 2"]


def test_a_revision_that_says_otherwise_withdraws() -> None:
    found = undisturbed([kept(0, "l"), kept(0, "q", 2)])
    assert [(a.state, a.sequence) for a in found if a.rule == RULES[0]] == [
        (State.OPENED, 0), (State.WITHDRAWN, 1),
    ]  # fmt: skip


@settings(max_examples=30)
@given(logs(), st.lists(st.integers(0, 200), max_size=6), st.integers(0, 20))
def test_who_dies_anywhere_and_begins_again_some_records_before_writes_the_same(
    log: list[KeptWindow], deaths: list[int], back: int
) -> None:
    expected = records(undisturbed(log))
    world, at, moment = World(), 0, 0
    series = world.begin()
    while at < len(log):
        died = False
        for _ in world.step(series, log[at]):
            moment += 1
            if moment in deaths:
                died = True
                break
        at += 1
        if died:
            series, at = world.begin(), max(0, at - 1 - back)
    assert records(world.topic) == expected


@settings(max_examples=30)
@given(logs(), st.data())
def test_who_wakes_up_late_and_goes_on_beside_another_writes_the_same(
    log: list[KeptWindow], data: st.DataObject
) -> None:
    """Both read all records in order; either may be any number of steps behind."""
    expected = records(undisturbed(log))
    world = World()
    cut = data.draw(st.integers(0, len(log)))
    first = world.begin()
    world.all(first, log[:cut])
    frozen = world.step(first, log[cut]) if cut < len(log) else iter(())
    for _ in range(data.draw(st.integers(0, 3))):
        next(frozen, None)
    second, seconds = world.begin(), iter(log[max(0, cut - 2) :])
    firsts = iter(log[cut + 1 :])
    for turn in data.draw(st.lists(st.booleans(), max_size=60)):
        if turn:
            world.all(second, [w for w in [next(seconds, None)] if w])
        elif next(frozen, None) is None:
            world.all(first, [w for w in [next(firsts, None)] if w])
    world.all(second, seconds)
    assert records(world.topic) == expected
    world.all(world.begin(), [])
    assert records(world.topic) == expected, "nothing is left to be said"


def said_last(alerts: Iterable[Alert]) -> dict[str, Alert]:
    """Of each alert, how things are; that it was corrected is no difference."""
    last = {a.id: a for a in sorted(alerts, key=lambda a: a.sequence)}
    return {
        id_: replace(a, sequence=0, state=State.OPENED if a.state is State.UPDATED else a.state)
        for id_, a in last.items()
    }


@settings(max_examples=30)
@given(logs())
def test_who_has_lost_the_store_and_reads_all_again_comes_to_say_the_same(
    log: list[KeptWindow],
) -> None:
    world = World()
    world.all(world.begin(), log)
    said = list(world.topic)
    world.store.clear()
    world.all(world.begin(), log)
    records(world.topic)
    assert said_last(world.topic) == said_last(said)
    if all(window.revision == 1 for window in log):
        assert world.topic == said


def test_who_has_lost_the_store_and_the_first_windows_takes_nothing_back() -> None:
    world = World()
    world.all(world.begin(), of(["l", "l", "q", "q", "q", "q", "q", "l"]))
    said = list(world.topic)
    world.store.clear()
    world.all(world.begin(), of(["l", "l", "q", "q", "q", "q", "q", "l"])[4:])
    assert world.topic == said


LONG = 3 * CHUNK + 20
patterns = st.lists(st.text("qqqqqqlc", min_size=1, max_size=1), min_size=LONG, max_size=LONG)


@settings(max_examples=12, deadline=None)
@given(patterns, st.integers(0, LONG - 1))
def test_to_forget_old_windows_changes_no_record(rows: list[str], dies_at: int) -> None:
    log = of(rows)
    world = World()
    world.all(world.begin(keep=8), log[:dies_at])
    world.all(world.begin(keep=8), log[dies_at:])
    assert records(world.topic) == records(undisturbed(log))
    assert len(world.store) <= 8 + CHUNK + 1


@pytest.mark.parametrize("lost", ["remembered", "forgotten"])
def test_a_death_amid_forgetting_forgets_the_same(lost: str) -> None:
    log = of("lqqcqqqq" * 20)
    world = World()
    series = world.begin(keep=8)
    for window in log:
        for point in world.step(series, window):
            if point == lost:
                series = world.begin(keep=8)
                break
    assert records(world.topic) == records(undisturbed(log))


def test_what_comes_of_forgotten_windows_is_ignored() -> None:
    world = World()
    series = world.begin(keep=8)
    world.all(series, of("q" * (8 + CHUNK)))
    assert series.take(kept(0, "c", 9)) is None
    assert series.take(kept(CHUNK - 1, "c", 9)) is None
    assert series.take(kept(CHUNK, "c", 9)) is not None


def test_alerts_that_are_over_are_forgotten_with_their_windows() -> None:
    world = World()
    series = world.begin(keep=8)
    world.all(series, of(["c", *"qqq", *("q" * 200)]))
    assert series.published == {}
    assert [a.state for a in world.topic if a.rule == RULES[0]] == [State.OPENED, State.CLOSED]


def test_only_what_is_open_is_open() -> None:
    world = World()
    series = world.begin()
    world.all(series, of(["lqc", "qqq", "qqq", "qql"]))
    assert [(a.rule, a.column) for a in series.open_alerts()] == [(rule, "x2") for rule in RULES]


def test_a_series_that_is_over_closes_what_is_open_and_begins_anew() -> None:
    world = World()
    series = world.begin()
    world.all(series, of(["lq", "cq"]))
    said = len(world.topic)
    ending = series.end()
    assert [window.start_ms for window in ending.windows] == [0, 60_000]
    for _ in world.publish(series):
        pass
    assert [(a.column, a.state, a.reason) for a in world.topic[said:]] == [
        ("x0", State.CLOSED, Reason.SILENT), ("x0", State.CLOSED, Reason.SILENT),
    ]  # fmt: skip
    assert (series.due(), series.told_ms) == ((), None)
    assert series.end().windows == ()
    said = len(world.topic)
    world.store.clear()
    back = world.begin()
    world.all(back, [kept(at + 9, row) for at, row in enumerate(["qq", "lq"])])
    assert [(a.column, a.state) for a in world.topic[said:]] == 2 * [("x0", State.OPENED)]


def test_a_death_amid_an_ending_ends_it_later() -> None:
    world = World()
    series = world.begin()
    world.all(series, of(["ll"]))
    ending = series.end()
    world.store[key(ending.memory)] = ending.memory
    again = world.begin()
    assert again.is_over
    assert again.open_alerts() == ()
    assert [a.reason for a in world.topic[-4:]] == 4 * [Reason.SILENT]
