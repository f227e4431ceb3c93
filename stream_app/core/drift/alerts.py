"""Alerts as records that never change, and which of them are yet to be written.

Decides what an alert is named by, so that whoever computes it again writes the same record, and
how what was published is corrected: by one more record, never by silence. Refuses to know when
there is one (``rules.py``) and where records go.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from hashlib import blake2b


class Level(IntEnum):
    """How sure and how far; a person reads the name."""

    WARN = 1
    """One window."""
    ALERT = 2
    """Two of three windows, or a sum over many."""
    CRITICAL = 3
    """One window, three times as far as drift begins."""


class State(StrEnum):
    """What the record says of its alert."""

    OPENED = "opened"
    UPDATED = "updated"
    """The level rose, or a window that it rests on has a newer revision."""
    WITHDRAWN = "withdrawn"
    """Newer revisions of its windows do not say so any more."""
    CLOSED = "closed"
    """Three quiet windows in sequence, or none at all for two weeks."""


class Reason(StrEnum):
    """What gave the record its state."""

    WINDOW = "window"
    TWO_OF_THREE = "two_of_three"
    CUSUM = "cusum"
    FAR = "far"
    QUIET = "quiet"
    REVISION = "revision"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Ground:
    """A window that an alert rests on.

    Attributes:
        window_start: In milliseconds.
        revision: That was looked at.
    """

    window_start: int
    revision: int


@dataclass(frozen=True, slots=True)
class Alert:
    """One record; of its id, that with the greatest sequence is how things are.

    Attributes:
        id: See :func:`alert_id`.
        sequence: From 0, without gaps.
        state: What the record says.
        level: The highest so far.
        reason: Of this state.
        stream: Name of the series whose windows they are.
        rule: Which family of rules; of each, a column has at most one open alert.
        column: Its name.
        statistic: The one that is furthest, or whose sum is.
        value: Of it, in the last window in which the level rose.
        score: Of it there.
        threshold: Of that window.
        opened: ``window_start`` of the window in which it opened.
        grounds: The windows that this state rests on, in order.
    """

    id: str
    sequence: int
    state: State
    level: Level
    reason: Reason
    stream: str
    rule: str
    column: str
    statistic: str
    value: float
    score: float
    threshold: float
    opened: int
    grounds: tuple[Ground, ...]

    @property
    def key(self) -> str:
        """Of the record: whoever writes it again writes it to the same place."""
        return f"{self.id}-{self.sequence}"

    def says_the_same(self, other: "Alert") -> bool:
        """Whether nothing new is in the other: one that opened and one that was corrected since."""
        return self._content() == other._content()

    def _content(self) -> "Alert":
        if self.state is State.CLOSED:
            # It stays closed, whichever revision of quiet windows says so.
            grounds = tuple(replace(ground, revision=0) for ground in self.grounds)
            return replace(self, sequence=0, grounds=grounds)
        active = State.OPENED if self.state is State.UPDATED else self.state
        return replace(self, sequence=0, state=active)


def alert_id(stream: str, rule: str, column: str, opened: int) -> str:
    """32 hexadecimal digits. Not of the level: what is worse than it was is the same alert."""
    named = json.dumps([stream, rule, column, opened]).encode()
    return blake2b(named, digest_size=16).hexdigest()


def unpublished(
    computed: Sequence[Alert], published: Iterable[Alert], revisions: dict[int, int], since: int
) -> tuple[Alert, ...]:
    """What is to be written, so that what was published becomes what was computed.

    Args:
        computed: From the windows as they are now, and before those what was open already.
        published: All records of the alerts concerned that were ever written, in any order.
        revisions: Of each stored window, by its start.
        since: Start of the first window that was judged again. What opened before stands.

    Returns:
        Records with the sequences that follow; empty when all was written. Of an alert that was
        published otherwise than it is computed now, only its present state: how it came there was
        never to be seen.
    """
    last: dict[str, Alert] = {}
    for alert in published:
        if alert.id not in last or alert.sequence > last[alert.id].sequence:
            last[alert.id] = alert
    histories: dict[str, list[Alert]] = {}
    for alert in computed:
        histories.setdefault(alert.id, []).append(alert)
    gone = [
        _withdrawn(alert, revisions)
        for alert in sorted(last.values(), key=lambda alert: (alert.opened, alert.id))
        if alert.id not in histories
        and alert.opened >= since
        and alert.state is not State.WITHDRAWN
    ]
    found = [alert for id_, history in histories.items() for alert in _new(history, last.get(id_))]
    return (*gone, *found)


def _new(history: Sequence[Alert], last: Alert | None) -> Iterable[Alert]:
    if last is None:
        return history
    for at in reversed(range(len(history))):
        if history[at].says_the_same(last):
            later = history[at + 1 :]
            break
    else:
        later = history[-1:]
        if later[0].state is State.OPENED and last.state is not State.WITHDRAWN:
            later = [replace(later[0], state=State.UPDATED)]
    return [replace(alert, sequence=last.sequence + 1 + k) for k, alert in enumerate(later)]


def _withdrawn(alert: Alert, revisions: dict[int, int]) -> Alert:
    grounds = tuple(
        Ground(ground.window_start, revisions.get(ground.window_start, ground.revision))
        for ground in alert.grounds
    )
    return replace(
        alert,
        sequence=alert.sequence + 1,
        state=State.WITHDRAWN,
        reason=Reason.REVISION,
        grounds=grounds,
    )
