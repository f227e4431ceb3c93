"""Laws of publishing: what was written becomes what is so, once, and never by silence."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from stream_app.core.drift.alerts import Alert, Reason, State, unpublished
from stream_app.core.drift.rules import Judgement, judge
from stream_app.core.drift.window_scores import WindowScores
from tests.unit.drift.test_rules import windows_of


def pending(windows: list[WindowScores], published: list[Alert]) -> list[Alert]:
    """What is to be written after all ``windows`` were judged."""
    revisions = {w.window_start: w.revision for w in windows}
    computed = judge("m", "drift", windows).alerts
    return list(unpublished(computed, published, revisions, since=0))


def last(records: list[Alert]) -> dict[str, Alert]:
    return {a.id: a for a in sorted(records, key=lambda a: a.sequence)}


def revised(pattern: str, revision: int) -> list[WindowScores]:
    return [replace(w, revision=revision) for w in windows_of(pattern)]


def test_what_was_never_published_is_published_as_it_is() -> None:
    windows = windows_of("llqqql")
    assert pending(windows, []) == list(judge("m", "drift", windows).alerts)


def test_only_what_is_new_is_published() -> None:
    published = pending(windows_of("ll"), [])
    assert len(published) == 2
    assert pending(windows_of("llq"), published) == []
    (closed,) = pending(windows_of("llqqq"), published)
    assert (closed.state, closed.sequence, closed.id) == (State.CLOSED, 2, published[0].id)


def test_an_alert_that_a_newer_revision_does_not_bear_out_is_withdrawn() -> None:
    published = pending(revised("ql", 0), [])
    (withdrawn,) = pending(revised("qq", 3), published)
    assert (withdrawn.state, withdrawn.reason) == (State.WITHDRAWN, Reason.REVISION)
    assert (withdrawn.id, withdrawn.sequence) == (published[0].id, 1)
    assert [ground.revision for ground in withdrawn.grounds] == [3]
    assert pending(revised("qq", 3), [*published, withdrawn]) == []


def test_a_closed_alert_is_withdrawn_too() -> None:
    published = pending(revised("lqqq", 0), [])
    (withdrawn,) = pending(revised("qqqq", 1), published)
    assert (withdrawn.state, withdrawn.sequence) == (State.WITHDRAWN, 2)


def test_a_closed_alert_is_not_told_again_when_quiet_windows_are_revised() -> None:
    published = pending(revised("lqqq", 0), [])
    quiet = revised("lqqq", 0)[:1] + revised("lqqq", 5)[1:]
    assert pending(quiet, published) == []


def test_an_alert_that_is_borne_out_after_all_opens_again_under_its_id() -> None:
    published = pending(revised("l", 0), [])
    published += pending(revised("q", 1), published)
    (again,) = pending(revised("l", 2), published)
    assert (again.state, again.sequence, again.id) == (State.OPENED, 2, published[0].id)


def test_a_newer_revision_that_says_the_same_is_told_once() -> None:
    published = pending(revised("l", 0), [])
    (updated,) = pending(revised("l", 1), published)
    assert (updated.state, updated.sequence) == (State.UPDATED, 1)
    assert updated.grounds[0].revision == 1
    assert pending(revised("l", 1), [*published, updated]) == []


def test_a_level_that_was_too_high_is_corrected() -> None:
    published = pending(revised("c", 0), [])
    (lower,) = pending(revised("l", 1), published)
    assert lower.id == published[0].id
    assert (lower.state, lower.level.name, published[0].level.name) == (
        "updated",
        "WARN",
        "CRITICAL",
    )


def test_what_opened_before_the_first_window_judged_stands() -> None:
    windows = windows_of("llqqqqlq")
    before = judge("m", "drift", windows[:1])
    published = list(before.alerts)
    closed_before = [replace(a, id="0" * 32, opened=-1, state=State.CLOSED) for a in published]
    after = judge("m", "drift", windows[1:], before.memory)
    opened = [m.alert for m in before.memory if m.alert]
    since = windows[1].window_start
    found = unpublished([*opened, *after.alerts], [*published, *closed_before], {}, since=since)
    assert list(found) == list(after.alerts)
    quiet = Judgement((), before.memory)
    assert unpublished([*opened, *quiet.alerts], published, {}, since=since) == ()


def test_a_rise_that_is_not_borne_out_goes_back_to_what_was_open_before() -> None:
    windows = windows_of("ll")
    before = judge("m", "drift", windows[:1])
    published = list(judge("m", "drift", windows).alerts)
    quiet = [replace(w, revision=1) for w in windows_of("qq")[1:]]
    after = judge("m", "drift", quiet, before.memory)
    opened = [m.alert for m in before.memory if m.alert]
    (back,) = unpublished([*opened, *after.alerts], published, {}, since=60_000)
    assert (back.state, back.level.name, back.sequence) == (State.UPDATED, "WARN", 2)


patterns = st.text("qqqlci", max_size=12)


@given(st.lists(st.tuples(patterns, st.integers(0, 2)), max_size=8))
def test_after_any_revisions_what_was_written_says_what_is_so(
    history: list[tuple[str, int]],
) -> None:
    published: list[Alert] = []
    for revision, (pattern, changed) in enumerate(history):
        windows = revised(pattern, 0)
        windows[changed:] = [replace(w, revision=revision) for w in windows[changed:]]
        written = pending(windows, published)
        published += written
        assert pending(windows, published) == [], "publish only what is new"
        computed = last(list(judge("m", "drift", windows).alerts))
        for id_, alert in last(published).items():
            if id_ in computed:
                assert alert.says_the_same(computed[id_])
            else:
                assert alert.state is State.WITHDRAWN
        assert set(computed) <= set(last(published))
    sequences: dict[str, list[int]] = {}
    for alert in published:
        sequences.setdefault(alert.id, []).append(alert.sequence)
    assert all(found == list(range(len(found))) for found in sequences.values())
