"""The windows of one series as a monitor keeps them, and what is yet to be told of them.

Decides which windows are kept and forgotten, and in which order things become so: a monitor does
one step for each record of the windows topic, in their order, and what it writes depends on the
records up to there alone. So whoever takes over, and whoever wakes up and goes on, writes the same.
Refuses to know where windows are kept and alerts go.

A window that may still change by more than late events is kept and shown, and not judged. Only the
last ones are kept: of those before, all that judging needs is in a memory.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from stream_app.core.drift.alerts import Alert, Reason, State, unpublished
from stream_app.core.drift.rules import ColumnMemory, Judgement, judge
from stream_app.core.drift.score_window import RULES
from stream_app.core.drift.window_scores import WindowScores

CHUNK: Final = 32
"""Windows that are judged, and forgotten, together: a late one then changes no more than these and
those after."""

Memory = Mapping[str, tuple[ColumnMemory, ...]]
"""By rule."""


@dataclass(frozen=True, slots=True)
class KeptWindow:
    """A revision of a window.

    Attributes:
        start_ms: Inclusive.
        revision: The greatest of a window counts.
        is_final: Whether it is judged.
        told_ms: When the aggregator told of it, since 1970.
        scores: By rule.
    """

    start_ms: int
    revision: int
    is_final: bool
    told_ms: int
    scores: Mapping[str, WindowScores]


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What is left of windows that are kept no more.

    Attributes:
        through_ms: Start of the last of them; what comes of these is ignored.
        memory: To judge those after.
        is_over: Nothing comes any more: what is open is to be closed, then this is deleted too.
    """

    through_ms: int
    memory: Memory
    is_over: bool = False


class Step(NamedTuple):
    """What one record changes in the store.

    Attributes:
        window: To be stored, before anything is published.
        replaced: To be deleted after that: an older revision of it.
    """

    window: KeptWindow
    replaced: KeptWindow | None


class Forgetting(NamedTuple):
    """What is to be stored in place of windows.

    Attributes:
        memory: To be stored before they are deleted.
        windows: To be deleted.
        before: The memory in whose place it comes, to be deleted.
    """

    memory: Forgotten
    windows: tuple[KeptWindow, ...]
    before: Forgotten | None


def _ended(alert: Alert) -> Alert:
    return replace(
        alert, sequence=alert.sequence + 1, state=State.CLOSED, reason=Reason.SILENT, grounds=()
    )


@dataclass(slots=True)
class _Judged:
    """Windows that were judged together, beginning with ``memory``."""

    windows: tuple[WindowScores, ...]
    before: Sequence[ColumnMemory]
    came_to: Judgement


@dataclass(slots=True)
class WatchedSeries:
    """State of one series.

    Attributes:
        name: Of the series.
        keep: How many windows are kept at least.
        windows: By start.
        forgotten: What is left of those before, if there were any.
        published: Of each alert that may still change, its last record.
    """

    name: str
    keep: int
    windows: dict[int, KeptWindow] = field(default_factory=dict)
    forgotten: Forgotten | None = None
    published: dict[str, Alert] = field(default_factory=dict)
    _cache: dict[str, list[_Judged]] = field(default_factory=dict)

    def restore(
        self, windows: Sequence[KeptWindow], memories: Sequence[Forgotten]
    ) -> list[KeptWindow | Forgotten]:
        """Begin with what is stored, in whatever state it was left.

        Of several memories the one that reaches furthest counts, and that which says that all is
        over; of a window its last revision.

        Returns:
            The others: they were to be deleted.
        """
        self.forgotten = max(memories, key=lambda m: (m.through_ms, m.is_over), default=None)
        for window in windows:
            self.take(window)
        left: list[KeptWindow | Forgotten] = [m for m in memories if m is not self.forgotten]
        return left + [w for w in windows if self.windows.get(w.start_ms) is not w]

    def take(self, window: KeptWindow) -> Step | None:
        """One more record; ``None``: nothing is new in it."""
        if window.start_ms <= self._through_ms:
            return None
        before = self.windows.get(window.start_ms)
        if before is not None and before.revision >= window.revision:
            return None
        self.windows[window.start_ms] = window
        return Step(window, before)

    def wrote(self, alert: Alert) -> None:
        """A record is in the alerts topic, whoever wrote it."""
        before = self.published.get(alert.id)
        if before is None or before.sequence < alert.sequence:
            self.published[alert.id] = alert

    def due(self) -> tuple[Alert, ...]:
        """What is to be written now, in this order.

        Of a series that is over, the ends of its alerts. Else nothing, where records rest on
        windows that are not here: the store was lost, the topic is read again, and what was said
        stands until they are back.
        """
        if self.is_over:
            return tuple(_ended(alert) for alert in self.open_alerts())
        if self._knows_less():
            return ()
        revisions = {window.start_ms: window.revision for window in self.windows.values()}
        found: list[Alert] = []
        for rule in RULES:
            published = [alert for alert in self.published.values() if alert.rule == rule]
            computed = self._computed(rule)
            found += unpublished(computed, published, revisions, self._since_ms)
        return tuple(found)

    def forget(self) -> Forgetting | None:
        """Remember the oldest windows without keeping them, if there are more than enough.

        To be called with nothing due.
        """
        judged = self._judged_windows()
        if len(judged) < self.keep + CHUNK:
            return None
        memory = {rule: self._judgements(rule)[0].came_to.memory for rule in RULES}
        before, last = self.forgotten, judged[CHUNK - 1].start_ms
        self.forgotten = Forgotten(last, memory)
        over = [window for start, window in self.windows.items() if start <= last]
        for window in over:
            del self.windows[window.start_ms]
        for rule in RULES:
            del self._cache[rule][0]
        self._forget_alerts()
        return Forgetting(self.forgotten, tuple(over), before)

    def end(self) -> Forgetting:
        """Nothing comes of the series any more: keep nothing of it.

        What is due after that ends its alerts. To end it again changes nothing.
        """
        before = None if self.is_over else self.forgotten
        over = tuple(self.windows[start] for start in sorted(self.windows))
        last = max(self.windows, default=self._through_ms)
        self.forgotten = Forgotten(last, dict.fromkeys(RULES, ()), is_over=True)
        self.windows, self._cache = {}, {}
        return Forgetting(self.forgotten, over, before)

    @property
    def is_over(self) -> bool:
        """Whether it was ended."""
        return self.forgotten is not None and self.forgotten.is_over

    @property
    def told_ms(self) -> int | None:
        """When its aggregator last told of a window that is kept; ``None``: none is."""
        return max((window.told_ms for window in self.windows.values()), default=None)

    def open_alerts(self) -> tuple[Alert, ...]:
        """Those that were published and are neither closed nor withdrawn, by column."""
        over = {State.CLOSED, State.WITHDRAWN}
        found = [alert for alert in self.published.values() if alert.state not in over]
        return tuple(sorted(found, key=lambda alert: (alert.rule, alert.column)))

    @property
    def _through_ms(self) -> int:
        return -(1 << 63) if self.forgotten is None else self.forgotten.through_ms

    @property
    def _since_ms(self) -> int:
        """Of what opened before this nothing is known here."""
        return self._through_ms + 1 if self.forgotten else min(self.windows, default=0)

    def _judged_windows(self) -> list[KeptWindow]:
        return [self.windows[start] for start in sorted(self.windows) if self._is_final(start)]

    def _is_final(self, start: int) -> bool:
        return self.windows[start].is_final

    def _computed(self, rule: str) -> list[Alert]:
        """All records that the kept windows give, after what was open before them."""
        found = [column.alert for column in self._remembered(rule) if column.alert is not None]
        return found + [a for part in self._judgements(rule) for a in part.came_to.alerts]

    def _remembered(self, rule: str) -> Sequence[ColumnMemory]:
        return () if self.forgotten is None else self.forgotten.memory[rule]

    def _judgements(self, rule: str) -> list[_Judged]:
        """All kept windows, judged; only chunks that have changed since, and those after."""
        scores = [window.scores[rule] for window in self._judged_windows()]
        cache, memory = self._cache.setdefault(rule, []), self._remembered(rule)
        for at in range(0, len(scores), CHUNK):
            chunk, place = tuple(scores[at : at + CHUNK]), at // CHUNK
            known = cache[place] if place < len(cache) else None
            if known is None or known.windows != chunk or known.before is not memory:
                known = _Judged(chunk, memory, judge(self.name, rule, chunk, memory))
                cache[place:] = [known]
            memory = known.came_to.memory
        del cache[-(-len(scores) // CHUNK) :]
        return cache

    def _knows_less(self) -> bool:
        known = {window.start_ms: window.revision for window in self._judged_windows()}
        last = max(known, default=self._through_ms)
        return not known or any(
            ground.window_start > last or known.get(ground.window_start, 1 << 31) < ground.revision
            for alert in self.published.values()
            for ground in alert.grounds
        )

    def _forget_alerts(self) -> None:
        """Those that opened in windows that are not judged any more, and were over by then."""
        kept = {c.alert.id for rule in RULES for c in self._remembered(rule) if c.alert is not None}
        self.published = {
            alert.id: alert
            for alert in self.published.values()
            if alert.opened > self._through_ms or alert.id in kept
        }
