"""What stands in a window record: numbers for people, and for the rules of alerts.

Decides its content, as ``schemas/drift_window.avsc`` describes it. Refuses to know how it is
computed (``report_window.py``) and written (``adapters/drift/window_codec.py``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import nan

from stream_app.core.drift.partial import Stream
from stream_app.core.drift.window_hash import WindowHashes


class Status(StrEnum):
    """Whether a window has enough rows to be judged."""

    OK = "ok"
    INSUFFICIENT = "insufficient"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class WindowHead:
    """Which window, and how much is in it.

    Attributes:
        stream: Whose.
        start_ms: Inclusive.
        length_ms: Of a roll-up that of all its windows.
        revision: From 1; the greatest counts.
        is_final: Whether only late events change it again.
        exact: Whether nothing in it may have been counted twice.
        partitions: Of the input, that the stream was heard of so far.
        rows: Predictions.
        letters: Dead letters, by fault code.
    """

    stream: Stream
    start_ms: int
    length_ms: int
    revision: int
    is_final: bool
    exact: bool
    partitions: int
    rows: int
    letters: Mapping[int, int]

    @property
    def is_roll_up(self) -> bool:
        """Whether it is the sum of windows."""
        return self.length_ms != self.stream.window_ms


@dataclass(frozen=True, slots=True)
class Measured:
    """One statistic.

    Attributes:
        name: Of :class:`Statistic`; each names its formula and convention.
        value: NaN: one side has no rows.
        q99: What 1 in 100 windows of this size exceed without drift; NaN: not calibrated.
        noise: What is expected without drift; NaN: not known.
        score: ``value / q99``; NaN likewise.
        spread: The standard deviation without drift; NaN: not known.
        is_large: Whether the change is large enough to matter, however certain it is.
    """

    name: str
    value: float
    q99: float = nan
    noise: float = nan
    score: float = nan
    spread: float = nan
    is_large: bool = False


@dataclass(frozen=True, slots=True)
class Defect:
    """A sort of value that is counted apart.

    Attributes:
        name: ``null``, ``nan``, ``infinite``, ``clipped``, ``unseen``, ``out_of_range``.
        count: Rows with it.
        share: Of the window's rows; NaN without rows.
        reference_share: Of the reference's.
        p: Probability of so many or more, were they as rare as in the reference.
    """

    name: str
    count: int
    share: float
    reference_share: float
    p: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A bin, or for numeric columns a group of neighbouring bins, as it is drawn.

    Attributes:
        name: Of a category, or of a discrete value; empty for ranges.
        low: Exclusive; NaN: from nowhere, or not a range.
        high: Inclusive; likewise.
        reference: Rows of the reference.
        current: Rows of the window.
    """

    name: str
    low: float
    high: float
    reference: int
    current: int


@dataclass(frozen=True, slots=True)
class ColumnReport:
    """One column.

    Attributes:
        name: As in the reference.
        role: ``input`` or ``output``.
        kind: How its values become bins.
        valid: Rows that are in a bin.
        mean: Of valid values, those far away clipped; NaN for names, and where nothing tells it.
        sd: Likewise.
        reference_mean: Of the reference.
        reference_sd: Likewise.
        statistics: Those that may raise an alert first.
        defects: All sorts that this kind of column can have.
        bars: What is to be drawn.
        top: Of ``bars``, those whose share changed most, the first most; at most three.
        counts: Of all bins, as the reference has them.
        is_stuck: Whether 99 in 100 rows are in one bin, though of the reference's no half is.
    """

    name: str
    role: str
    kind: str
    valid: int
    mean: float
    sd: float
    reference_mean: float
    reference_sd: float
    statistics: tuple[Measured, ...]
    defects: tuple[Defect, ...]
    bars: tuple[Bar, ...]
    top: tuple[int, ...]
    counts: tuple[int, ...]
    is_stuck: bool = False


@dataclass(frozen=True, slots=True)
class CorrelationReport:
    """The pair of columns whose correlation changed most.

    Attributes:
        rows: With a valid value in all correlated columns.
        first: Name of a column;
        second: and of the other.
        current: Their correlation in the window.
        reference: Likewise in the reference.
        statistic: The change.
    """

    rows: int
    first: str
    second: str
    current: float
    reference: float
    statistic: Measured


@dataclass(frozen=True, slots=True)
class AccuracyReport:
    """What to expect of predictions whose labels are not known yet, if scores stay calibrated.

    Attributes:
        rows: With a score.
        accuracy: Estimated share of right ones; NaN without rows.
        reference_accuracy: The share in the reference.
        f1: Of two classes only, else NaN, as the following.
        roc_auc: Likewise.
    """

    rows: int
    accuracy: float
    reference_accuracy: float
    f1: float
    roc_auc: float


@dataclass(frozen=True, slots=True)
class WindowReport:
    """All that is told of a window.

    Attributes:
        head: Which window.
        reference_rows: Of the reference.
        status: Whether it is judged.
        calibration: How chance was measured: ``contiguous``, ``iid``, or ``none``.
        threshold: The score above which there is drift; NaN: not calibrated, or no rows.
        greatest: The greatest score; NaN: there is none.
        worst_column: Whose it is; empty: of none, or of the correlation.
        worst_statistic: Which it is.
        hashes: Of the counts.
        columns: By the reference's order.
        correlation: ``None``: no correlation is watched.
        accuracy: ``None``: the reference has no labels.
    """

    head: WindowHead
    reference_rows: int
    status: Status
    calibration: str
    threshold: float
    greatest: float
    worst_column: str
    worst_statistic: str
    hashes: WindowHashes
    columns: tuple[ColumnReport, ...]
    correlation: CorrelationReport | None
    accuracy: AccuracyReport | None
