"""When windows are closed, told of again, and forgotten.

Decides from event times alone: the watermark, which windows and roll-ups of them are to be
published now and with which revision, and which are over. Called at the end of a transaction, so
that a window changed often in it is published once. Refuses to know what is published.

A window is final once the watermark has passed its end and the allowed lateness. What comes later
revises it, until the retention is over too; then its state is dropped and a floor keeps it from
ever coming back, since it would come back nearly empty. Where the past is read again, days of
events pass in seconds, and a partition that is read minutes later is not late: hence the floor also
waits by the clock of those who send.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from stream_app.core.columns import NO_TIMESTAMP
from stream_app.core.drift.merge import RollUp, StreamState, Window

HOUR_MS = 3_600_000
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class ClosingRules:
    """What is waited for.

    Attributes:
        allowed_lateness_ms: Of event time, behind the watermark.
        retention_ms: Likewise; at least the allowed lateness.
        input_partitions: How many there are; 0: not known, then none is waited for.
        unseen_wait_ms: How long a stream waits for partitions that it has not heard of yet;
        replay_wait_ms: and windows behind the retention, before they are dropped. Both by when
            partials were sent.
    """

    allowed_lateness_ms: int
    retention_ms: int
    input_partitions: int
    unseen_wait_ms: int
    replay_wait_ms: int


@dataclass(frozen=True, slots=True)
class Publication:
    """A window, or a roll-up, as it is to be published now.

    Attributes:
        start_ms: Inclusive.
        length_ms: Of all its windows together.
        windows: Those that it is made of, by start.
        revision: From 1.
        is_final: Whether only late events change it again.
    """

    start_ms: int
    length_ms: int
    windows: tuple[Window, ...]
    revision: int
    is_final: bool


@dataclass(frozen=True, slots=True)
class Closed:
    """What the end of a transaction brings for one stream.

    Attributes:
        published: By start; roll-ups after the windows.
        kept: Windows whose record in the changelog is to be written.
        roll_ups: Likewise.
        dropped: Starts of windows that are over.
        dropped_roll_ups: Length and start, likewise.
        has_more: Whether more is to be published than was allowed at once.
    """

    published: tuple[Publication, ...]
    kept: tuple[Window, ...]
    roll_ups: tuple[RollUp, ...]
    dropped: tuple[int, ...]
    dropped_roll_ups: tuple[tuple[int, int], ...]
    has_more: bool


def close(state: StreamState, rules: ClosingRules, most: int, *, is_silent: bool = False) -> Closed:
    """Move the watermark, and decide all that follows; the state is changed accordingly.

    Args:
        state: Of the stream.
        rules: What is waited for.
        most: So many publications at once. After a long absence the watermark moves far, and a
            transaction does not live for ever; nothing is dropped before it is published.
        is_silent: Whether nothing was heard of the stream for long, not even that it is idle.
    """
    state.watermark_ms = _watermark(state, rules)
    due_windows = due(state, rules, is_silent=is_silent)
    published = [_published(state, *window) for window in due_windows[:most]]
    changed = {publication.start_ms for publication in published} | state.touched
    state.touched = set()
    final = [publication.start_ms for publication in published if publication.is_final]
    marked = {key for start in final for key in _mark_roll_ups(start, state, rules)}
    due_roll_ups = [] if len(due_windows) > most else _due_roll_ups(state, rules)
    left = most - len(published)
    has_more = len(due_windows) > most or len(due_roll_ups) > left
    marked |= set(due_roll_ups[:left])
    rolled_up = [_rolled_up(state, *key) for key in due_roll_ups[:left]]
    dropped, dropped_roll_ups = ((), ()) if has_more else _drop(state, rules)
    return Closed(
        published=(*published, *rolled_up),
        kept=tuple(state.windows[start] for start in sorted(changed - set(dropped))),
        roll_ups=tuple(state.roll_ups[key] for key in sorted(marked - set(dropped_roll_ups))),
        dropped=dropped,
        dropped_roll_ups=dropped_roll_ups,
        has_more=has_more,
    )


def all_idle(state: StreamState) -> bool:
    """Whether nothing more comes of any partition that was heard of."""
    return bool(state.covered) and all(covered.is_idle for covered in state.covered.values())


def is_over(state: StreamState, newest_sent_ms: int, rules: ClosingRules) -> bool:
    """Whether a stream may be forgotten, windows and all.

    Its last word is older, by the clock of those who send, than any window is kept for, while
    others have spoken since: that version of the model is not in use any more.
    """
    if NO_TIMESTAMP in (newest_sent_ms, state.last_sent_ms):
        return False
    silence_ms = newest_sent_ms - state.last_sent_ms
    return silence_ms > rules.retention_ms + rules.replay_wait_ms


def _watermark(state: StreamState, rules: ClosingRules) -> int | None:
    """It never goes back.

    The least of what active partitions have reached. One that is behind when a stream begins must
    not find its windows closed, so all are waited for; but not for ever, since an owner who has
    nothing to tell says at least that.
    """
    known = [c for c in state.covered.values() if c.greatest_ms != NO_TIMESTAMP]
    waited_ms = state.last_sent_ms - state.first_sent_ms
    unseen = len(state.covered) < rules.input_partitions
    if not known or (unseen and waited_ms < rules.unseen_wait_ms):
        return state.watermark_ms
    active = [covered.greatest_ms for covered in known if not covered.is_idle]
    reached = min(active) if active else max(covered.greatest_ms for covered in known)
    return reached if state.watermark_ms is None else max(reached, state.watermark_ms)


def due(
    state: StreamState, rules: ClosingRules, *, is_silent: bool = False
) -> list[tuple[Window, bool]]:
    """What is to be published, by start, and whether it is closed by that.

    Windows that are final now, that have changed since they were, and open ones while nothing more
    comes.
    """
    width, watermark = state.stream.window_ms, state.watermark_ms
    idle = is_silent or all_idle(state)
    found = []
    for start in sorted(state.windows):
        window = state.windows[start]
        closes = not window.is_final and _has_passed(watermark, start + width, rules)
        if closes or (window.is_changed and (window.is_final or idle)):
            found.append((window, closes))
    return found


def _published(state: StreamState, window: Window, closes: bool) -> Publication:
    window.is_final |= closes
    window.revision += 1
    window.is_changed = False
    return Publication(
        window.start_ms, state.stream.window_ms, (window,), window.revision, window.is_final
    )


def _has_passed(watermark: int | None, end_ms: int, rules: ClosingRules) -> bool:
    return watermark is not None and end_ms + rules.allowed_lateness_ms <= watermark


def _mark_roll_ups(
    start: int, state: StreamState, rules: ClosingRules
) -> Iterator[tuple[int, int]]:
    """Length and start of those that a changed window is part of, which have changed too then."""
    width = state.stream.window_ms
    for length in (HOUR_MS, DAY_MS):
        # Its parts must all still be there when it ends.
        if length <= width or length % width or length > rules.retention_ms:
            continue
        begin = start // length * length
        if state.floor_ms is not None and begin < state.floor_ms:
            continue
        roll_up = state.roll_ups.setdefault((length, begin), RollUp(length, begin))
        roll_up.is_changed = True
        yield length, begin


def _due_roll_ups(state: StreamState, rules: ClosingRules) -> list[tuple[int, int]]:
    return [
        (length, start)
        for length, start in sorted(state.roll_ups)
        if state.roll_ups[length, start].is_changed
        and _has_passed(state.watermark_ms, start + length, rules)
    ]


def _rolled_up(state: StreamState, length: int, start: int) -> Publication:
    roll_up = state.roll_ups[length, start]
    roll_up.is_changed = False
    roll_up.revision += 1
    starts = range(start, start + length, state.stream.window_ms)
    parts = tuple(state.windows[at] for at in starts if at in state.windows)
    return Publication(start, length, parts, roll_up.revision, is_final=True)


def _drop(
    state: StreamState, rules: ClosingRules
) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
    """Forget windows behind the retention, and let none of them come back."""
    if state.watermark_ms is None:
        return (), ()
    width = state.stream.window_ms
    floor_ms = (state.watermark_ms - rules.retention_ms) // width * width
    if state.next_floor_ms is None:
        state.next_floor_ms, state.next_floor_sent_ms = floor_ms, state.last_sent_ms
    if state.last_sent_ms - state.next_floor_sent_ms < rules.replay_wait_ms:
        return (), ()
    floor_ms, state.next_floor_ms = state.next_floor_ms, None
    if state.floor_ms is not None and floor_ms <= state.floor_ms:
        return (), ()
    state.floor_ms = floor_ms
    dropped = tuple(sorted(start for start in state.windows if start < floor_ms))
    for start in dropped:
        del state.windows[start]
    roll_ups = tuple(sorted(key for key in state.roll_ups if key[1] < floor_ms))
    for key in roll_ups:
        del state.roll_ups[key]
    return dropped, roll_ups
