"""What many windows of a model say together: which have drift, by which columns, and if by chance.

Decides the verdict and the order of columns, the worst first. Refuses to know where windows come
from (``adapters/drift/report_source.py``) and how they are shown.

A window *has drift* when a score of it is above its threshold and the change is large enough to
matter, as for alerts (``core/drift/rules.py``); it *has defects* when that is so for values that
are missing, unseen or out of range. A score's *ratio* is the score by that threshold.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from math import isnan, nan
from typing import Final

from stream_app.core.drift.alerts import Alert, State
from stream_app.core.drift.partial import Stream
from stream_app.core.drift.rules import FAR
from stream_app.core.drift.score_window import DISTRIBUTION, QUALITY, window_scores
from stream_app.core.drift.statistics.binomial_tail import binomial_tail
from stream_app.core.drift.window_report import Status, WindowReport

TARGET: Final = 0.01
"""Of windows without drift, the share whose greatest score is above the threshold."""

SURE: Final = 0.01
"""If so many windows or more come by chance no more often, chance is no explanation."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One column in one window, by one family of rules.

    Attributes:
        statistic: That is furthest by the measure of chance; empty: none has a score.
        ratio: Its score by the threshold; NaN without.
        is_loud: Whether the window has drift, or defects, by this column.
    """

    statistic: str = ""
    ratio: float = nan
    is_loud: bool = False


NO_CELL: Final = Cell()

_OVER: Final = frozenset({State.CLOSED, State.WITHDRAWN})

Cells = Mapping[str, Cell]
"""By column; those without a score are not there."""


@dataclass(frozen=True, slots=True)
class Rank:
    """A column over all windows.

    Attributes:
        name: Its name.
        role: ``input`` or ``output``.
        kind: ``numeric``, ``discrete`` or ``category``.
        place: In the reference's order.
        drifted: Windows that have drift by it.
        defective: Windows that have defects by it.
        judged: Windows in which it could be judged.
        ratio: The greatest of drift in a judged window; NaN: there is none.
        statistic: Whose; empty without.
        start_ms: Of that window; 0 without.
    """

    name: str
    role: str
    kind: str
    place: int
    drifted: int
    defective: int
    judged: int
    ratio: float
    statistic: str
    start_ms: int


class Verdict(StrEnum):
    """What the windows come to."""

    NOT_JUDGED = "not_judged"
    NONE = "none"
    BY_CHANCE = "by_chance"
    """Some windows, but no more than chance may give, and none of them is far beyond it."""
    DRIFT = "drift"


@dataclass(frozen=True)
class DriftReport:
    """Windows of one stream, all of the same length.

    Attributes:
        stream: Whose.
        length_ms: Of each window; of roll-ups an hour or a day.
        windows: By start, each in its greatest revision; at least one.
        left_out: Older windows that were found and are not among them.
        others: Further streams that were found, and how many windows of each.
        alerts: Every record of the stream's alerts, by id and sequence; ``None``: not known.
        alerts_from: Where alerts come from, or why they are not known.
    """

    stream: Stream
    length_ms: int
    windows: tuple[WindowReport, ...]
    left_out: int = 0
    others: tuple[tuple[Stream, int], ...] = ()
    alerts: tuple[Alert, ...] | None = None
    alerts_from: str = "no alerts were read"

    @property
    def start_ms(self) -> int:
        """Of the first window, inclusive."""
        return self.windows[0].head.start_ms

    @property
    def end_ms(self) -> int:
        """Of the last window, exclusive."""
        return self.windows[-1].head.start_ms + self.length_ms

    @property
    def newest(self) -> WindowReport:
        """The last window."""
        return self.windows[-1]

    @property
    def rows(self) -> int:
        """Predictions in all windows."""
        return sum(window.head.rows for window in self.windows)

    @cached_property
    def letters(self) -> dict[int, int]:
        """Dead letters in all windows, by fault code."""
        found: Counter[int] = Counter()
        for window in self.windows:
            found.update(window.head.letters)
        return dict(sorted(found.items()))

    @cached_property
    def cells(self) -> tuple[Cells, ...]:
        """Of drift, one mapping a window."""
        return tuple(cells_of(window, DISTRIBUTION) for window in self.windows)

    @cached_property
    def defects(self) -> tuple[Cells, ...]:
        """The same of values that are counted apart."""
        return tuple(cells_of(window, QUALITY) for window in self.windows)

    @cached_property
    def judged(self) -> tuple[int, ...]:
        """Places of windows with rows enough, beside a calibrated reference."""
        return tuple(at for at, window in enumerate(self.windows) if is_judged(window))

    @cached_property
    def drifted(self) -> frozenset[int]:
        """Places of windows that have drift."""
        return _loud(self.cells)

    @cached_property
    def defective(self) -> frozenset[int]:
        """Places of windows that have defects."""
        return _loud(self.defects)

    def count(self, status: Status) -> int:
        """Windows of this status."""
        return sum(window.status is status for window in self.windows)

    @property
    def expected(self) -> float:
        """How many windows have drift by chance, on average."""
        return TARGET * len(self.judged)

    @cached_property
    def probability(self) -> float:
        """Of so many windows with drift or more by chance, were windows independent."""
        return float(binomial_tail(len(self.drifted), len(self.judged), TARGET))

    @property
    def verdict(self) -> Verdict:
        """What they come to; of drift alone, not of defects."""
        if not self.judged:
            return Verdict.NOT_JUDGED
        if not self.drifted:
            return Verdict.NONE
        # One window of one comes by chance in one of a hundred; the tail's last bits do not count.
        by_chance = self.probability > SURE + 1e-12 and not self._is_far
        return Verdict.BY_CHANCE if by_chance else Verdict.DRIFT

    @cached_property
    def ranks(self) -> tuple[Rank, ...]:
        """All columns, the worst first: by windows that are loud, then by the greatest ratio."""
        ranks = [self._rank(place) for place in range(len(self.newest.columns))]
        return tuple(sorted(ranks, key=_badness))

    @property
    def _is_far(self) -> bool:
        """Whether one window alone is beyond doubt."""
        return any(
            cell.is_loud and cell.ratio > FAR for cells in self.cells for cell in cells.values()
        )

    @property
    def open_alerts(self) -> tuple[Alert, ...]:
        """The last records of those that are neither closed nor withdrawn, the worst first."""
        return tuple(alert for alert in self.last_alerts if alert.state not in _OVER)

    @property
    def last_alerts(self) -> tuple[Alert, ...]:
        """Of each alert its last record: open ones first, then by level, then the newest."""
        last = {alert.id: alert for alert in self.alerts or ()}
        return tuple(sorted(last.values(), key=_urgency))

    def _rank(self, place: int) -> Rank:
        column = self.newest.columns[place]
        name = column.name
        places = [at for at in self.judged if name in self.cells[at]]
        at = max(places, key=lambda at: self.cells[at][name].ratio, default=None)
        worst = NO_CELL if at is None else self.cells[at][name]
        return Rank(
            name=name,
            role=column.role,
            kind=column.kind,
            place=place,
            drifted=sum(self.cells[at][name].is_loud for at in places),
            defective=sum(cells.get(name, NO_CELL).is_loud for cells in self.defects),
            judged=len(places),
            ratio=worst.ratio,
            statistic=worst.statistic,
            start_ms=0 if at is None else self.windows[at].head.start_ms,
        )


def is_judged(window: WindowReport) -> bool:
    """Whether it has rows enough, and its reference is calibrated."""
    return window.status is Status.OK and not isnan(window.threshold)


def cells_of(window: WindowReport, rule: str) -> Cells:
    """What each column comes to in a window; the correlation is one too.

    Args:
        window: Judged or not; where it is not, no cell is loud.
        rule: The family of rules.
    """
    scores = window_scores(window, rule)
    found: dict[str, Cell] = {}
    for score in scores.scores:
        ratio = score.score / scores.threshold
        if isnan(ratio):
            continue
        is_loud = scores.status is Status.OK and score.large and ratio > 1
        before = found.get(score.column, NO_CELL)
        further = score.statistic, ratio
        if not isnan(before.ratio) and before.ratio >= ratio:
            further = before.statistic, before.ratio
        found[score.column] = Cell(*further, is_loud=is_loud or before.is_loud)
    return found


def _loud(windows: tuple[Cells, ...]) -> frozenset[int]:
    return frozenset(
        at for at, cells in enumerate(windows) if any(cell.is_loud for cell in cells.values())
    )


def _urgency(alert: Alert) -> tuple[bool, int, int, str]:
    return alert.state in _OVER, -alert.level, -alert.opened, alert.column


def _badness(rank: Rank) -> tuple[int, float, int]:
    ratio = 0.0 if isnan(rank.ratio) else rank.ratio
    return -max(rank.drifted, rank.defective), -ratio, rank.place
