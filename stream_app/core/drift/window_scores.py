"""The scores of one window, as rules take them.

Decides their shape alone. Refuses to know how they came about (``significance.py``) and what
follows from them (``rules.py``).
"""

from dataclasses import dataclass

from stream_app.core.drift.window_report import Status


@dataclass(frozen=True, slots=True)
class Score:
    """One statistic of one column in one window.

    Attributes:
        column: Its name.
        statistic: Its name.
        value: The statistic; NaN: the column has no rows here.
        score: In units of chance; NaN likewise.
        large: Whether the change is large enough to matter.
        mean: Of the statistic without drift, in windows as large as this; and
        sd: its standard deviation. NaN: not known, then nothing is summed.
    """

    column: str
    statistic: str
    value: float
    score: float
    large: bool
    mean: float = float("nan")
    sd: float = float("nan")


@dataclass(frozen=True, slots=True)
class WindowScores:
    """One window, in its newest revision.

    Attributes:
        window_start: In milliseconds.
        revision: Of the window.
        n: Rows.
        status: Only ``ok`` counts.
        threshold: Scores above are loud.
        scores: Of all columns, in any order.
    """

    window_start: int
    revision: int
    n: int
    status: Status
    threshold: float
    scores: tuple[Score, ...]
