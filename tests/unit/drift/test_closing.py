"""Laws of closing: a window is told of when nothing more is waited for, none is half forgotten."""

from dataclasses import replace

from stream_app.core.drift.closing import HOUR_MS, Closed, ClosingRules, close
from stream_app.core.drift.merge import StreamState
from stream_app.core.drift.partial import Coverage, Form, Partial, Stream, WindowDelta
from tests.aggregate_kit import WAY, WINDOW_MS, idle, make_events, transaction
from tests.drift_kit import SMALL

RULES = ClosingRules(
    allowed_lateness_ms=500,
    retention_ms=5_000,
    input_partitions=0,
    unseen_wait_ms=0,
    replay_wait_ms=0,
)
MANY = 1_000
QUARTER = Stream("model", "1", "primary", "0123456789abcdef", HOUR_MS // 4)


class Story:
    """Events of one stream, told one by one."""

    def __init__(self, rules: ClosingRules = RULES, stream: Stream | None = None) -> None:
        self.rules = rules
        self.stream = stream or Stream("model", "1", "primary", "0123456789abcdef", WINDOW_MS)
        self.state = StreamState(self.stream)
        self.next: dict[int, int] = {}
        self.most = MANY

    def event(self, time_ms: int, partition: int = 0, sent_ms: int = 0) -> Closed:
        """One dead letter, whose place in the windows is all that counts here."""
        offset = self.next.get(partition, 0)
        self.next[partition] = offset + 1
        start = time_ms // self.stream.window_ms * self.stream.window_ms
        delta = WindowDelta(start, 0, {11: 1}, Form.SPARSE, b"")
        coverage = (Coverage(partition, offset, offset, time_ms),)
        return self.take(Partial(self.stream, "kit", 0, 1, coverage, (delta,)), sent_ms)

    def idle(self, *partitions: int, sent_ms: int = 0) -> Closed:
        partial = idle({p: self.next.get(p, 0) for p in partitions}, self.stream)
        return self.take(partial, sent_ms)

    def take(self, partial: Partial, sent_ms: int) -> Closed:
        self.state.apply(partial, SMALL, WAY, sent_ms, ahead_ms=1 << 60)
        return close(self.state, self.rules, self.most)


def told(closed: Closed) -> list[tuple[int, int, bool]]:
    """Start, revision and finality of what is published."""
    return [(p.start_ms, p.revision, p.is_final) for p in closed.published]


def test_a_window_is_final_when_the_watermark_has_passed_its_end_and_the_lateness() -> None:
    story = Story()
    assert told(story.event(100)) == []
    assert told(story.event(1_499)) == []
    assert told(story.event(1_500)) == [(0, 1, True)]
    assert told(story.event(1_600)) == []


def test_the_slowest_active_partition_is_waited_for() -> None:
    story = Story()
    story.event(100, partition=0)
    story.event(200, partition=1)
    assert told(story.event(5_000, partition=0)) == []
    assert told(story.event(1_500, partition=1)) == [(0, 1, True)]


def test_an_idle_partition_is_not_waited_for_and_the_watermark_never_goes_back() -> None:
    story = Story()
    story.event(100, partition=0)
    story.event(200, partition=1)
    story.event(2_600, partition=0)
    assert told(story.idle(1)) == [(0, 1, True)]
    assert story.state.watermark_ms == 2_600
    # It comes back with old events: its windows are revised, those of others stay closed.
    assert told(story.event(300, partition=1)) == [(0, 2, True)]
    assert story.state.watermark_ms == 2_600


def test_late_events_make_revisions_within_the_retention_only() -> None:
    story = Story()
    story.event(100)
    assert told(story.event(3_000)) == [(0, 1, True)]
    assert told(story.event(50)) == [(0, 2, True)]
    closed = story.event(6_500)
    assert closed.dropped == (0,)
    assert story.state.floor_ms == 1_000
    assert told(story.event(60)) == []
    assert story.state.counters["late"] == 1
    assert 0 not in story.state.windows


def test_a_window_that_falls_behind_at_once_is_told_of_before_it_is_dropped() -> None:
    story = Story()
    story.event(100)
    closed = story.event(100_000)
    assert told(closed) == [(0, 1, True)]
    assert closed.dropped == (0,)
    assert closed.kept == (story.state.windows[100_000],)


def test_when_nothing_more_comes_open_windows_are_told_of_as_such_and_once() -> None:
    story = Story()
    story.event(100)
    story.event(1_100, partition=1)
    assert told(story.idle(0)) == []
    assert told(story.idle(1)) == [(0, 1, False), (1_000, 1, False)]
    assert told(story.idle(0, 1)) == []
    # An event makes its partition active: the other windows are closed by it.
    assert told(story.event(2_600, partition=1)) == [(0, 2, True), (1_000, 2, True)]


def test_partitions_that_were_not_heard_of_yet_are_waited_for_but_not_for_ever() -> None:
    rules = replace(RULES, input_partitions=2, unseen_wait_ms=60_000)
    story = Story(rules)
    story.event(100, sent_ms=1_000)
    assert told(story.event(9_000, sent_ms=60_999)) == []
    assert told(story.event(9_001, sent_ms=61_000)) == [(0, 1, True)]
    heard = Story(rules)
    heard.event(100, sent_ms=1_000)
    heard.event(9_000, sent_ms=1_000)
    assert told(heard.idle(1, sent_ms=1_000)) == [(0, 1, True)]


def test_a_partition_of_which_no_event_is_known_keeps_nothing_open() -> None:
    story = Story()
    coverage = (Coverage(1, 0, 5),)
    story.take(Partial(story.stream, "kit", 0, 1, coverage, ()), 0)
    story.event(100)
    assert told(story.event(1_500)) == [(0, 1, True)]


def test_an_hour_is_told_of_as_the_sum_of_its_windows_when_all_are_final() -> None:
    rules = replace(RULES, retention_ms=3 * HOUR_MS)
    story = Story(rules, QUARTER)
    width = QUARTER.window_ms
    for at in range(4):
        closed = story.event(at * width)
        assert all(p.length_ms == width for p in closed.published)
    closed = story.event(HOUR_MS + width)
    windows, hours = closed.published[:-1], closed.published[-1]
    assert [p.start_ms for p in windows] == [2 * width, 3 * width]
    assert (hours.start_ms, hours.length_ms, hours.revision) == (0, HOUR_MS, 1)
    assert [w.start_ms for w in hours.windows] == [at * width for at in range(4)]
    late = story.event(width)
    assert [(p.start_ms, p.length_ms, p.revision) for p in late.published] == [
        (width, width, 2),
        (0, HOUR_MS, 2),
    ]
    assert [(r.length_ms, r.start_ms, r.revision) for r in late.roll_ups] == [(HOUR_MS, 0, 2)]


def test_an_hour_of_which_a_window_was_dropped_is_not_told_of_again() -> None:
    rules = replace(RULES, retention_ms=2 * HOUR_MS)
    story = Story(rules, QUARTER)
    width = QUARTER.window_ms
    for at in range(6):
        story.event(at * width)
    closed = story.event(3 * HOUR_MS - 2 * width)
    assert closed.dropped == (0, width)
    assert (HOUR_MS, 0) in closed.dropped_roll_ups
    late = story.event(2 * width)
    assert [p.length_ms for p in late.published] == [width]


def test_only_what_was_touched_or_told_of_is_written_down() -> None:
    story = Story()
    story.event(100)
    closed = story.event(1_100)
    assert [window.start_ms for window in closed.kept] == [1_000]
    closed = story.event(1_600)
    assert [window.start_ms for window in closed.kept] == [0, 1_000]
    assert story.state.touched == set()


def test_rows_are_counted_before_the_window_that_they_close() -> None:
    events = make_events(1, 40, 1)
    state = StreamState(events.stream)
    for partial in transaction(events, {0: (0, 40)}):
        state.apply(partial, SMALL, WAY, 0, 1 << 60)
    rows = {p.start_ms: p.windows[0].rows for p in close(state, RULES, MANY).published}
    assert rows
    assert all(rows[start] == state.windows[start].rows for start in rows)


def test_what_is_too_much_at_once_is_told_of_later_and_dropped_after_that() -> None:
    rules = replace(RULES, retention_ms=4 * HOUR_MS)
    story = Story(rules, QUARTER)
    width = QUARTER.window_ms
    story.most = 0
    for at in range(8):
        assert story.event(at * width).published == ()
    story.most = 3
    told_of = []
    for _ in range(6):
        closed = story.event(10 * HOUR_MS)
        assert not (closed.dropped and closed.has_more)
        told_of += [(p.start_ms, p.length_ms) for p in closed.published]
    quarters = [(at * width, width) for at in range(8)]
    assert told_of == [*quarters, (0, HOUR_MS), (HOUR_MS, HOUR_MS)]
    assert list(story.state.windows) == [10 * HOUR_MS]


def test_an_hour_that_ends_after_its_last_window_is_written_down_when_it_is_told_of() -> None:
    story = Story(replace(RULES, retention_ms=3 * HOUR_MS), QUARTER)
    story.event(0)
    later = [
        story.take(Partial(QUARTER, "kit", 0, 1, (Coverage(0, at, at, time_ms),), ()), 0)
        for at, time_ms in enumerate((QUARTER.window_ms + 500, HOUR_MS + 500), start=1)
    ]
    assert [told(closed) for closed in later] == [[(0, 1, True)], [(0, 1, True)]]
    assert [closed.published[0].length_ms for closed in later] == [QUARTER.window_ms, HOUR_MS]
    assert [len(closed.roll_ups) for closed in later] == [1, 1]
    assert not later[1].roll_ups[0].is_changed


def test_where_the_past_is_read_again_nothing_is_dropped_before_its_time_of_sending() -> None:
    story = Story(replace(RULES, replay_wait_ms=60_000))
    story.event(100, sent_ms=1_000)
    assert story.event(100_000, sent_ms=1_001).dropped == ()
    # A partition that is read a moment later still finds its windows.
    assert told(story.event(200, partition=1, sent_ms=2_000)) == [(0, 2, True)]
    assert story.event(200_000, sent_ms=61_000).dropped == ()
    # What the watermark has reached by now waits from now on.
    assert story.event(200_001, sent_ms=61_001).dropped == ()
    assert story.event(200_002, sent_ms=121_000).dropped == ()
    assert story.event(200_003, sent_ms=121_001).dropped == (0,)
    assert story.state.floor_ms == 95_000
    assert 100_000 in story.state.windows
