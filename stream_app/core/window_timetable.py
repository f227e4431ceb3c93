"""When the windows of a file are complete, known after its times were looked through once.

Decides, chunk by chunk of rows, up to where nothing more comes. So windows can be told of while
the file is still read if its rows are in the order of time, and all are right if they are not; one
row with a time that cannot be closes nothing. Refuses to know what is counted in windows.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from stream_app.core.columns import NO_TIMESTAMP, Int64Array

FOR_EVER_MS: Final = 1 << 62
"""Beyond every time: nothing comes any more."""


@dataclass(frozen=True, slots=True)
class Step:
    """What is known of a chunk before it is counted.

    Attributes:
        is_wanted: Whether a row of it is in a window that is wanted.
        complete_ms: Wanted windows that end by then are complete once the chunk is counted.
    """

    is_wanted: bool
    complete_ms: int


class Timetable:
    """Gathers the times of a file's chunks, then tells of each what is complete after it.

    Args:
        window_ms: Length of a window.
        since_ms: Windows that start before are not wanted; ``None``: all are, from the first.
        until_ms: Windows that end after are not wanted; ``None``: all are, to the last.
    """

    def __init__(self, window_ms: int, since_ms: int | None, until_ms: int | None) -> None:
        self._window_ms = window_ms
        self._since_ms = since_ms
        self._until_ms = until_ms
        self._last: dict[int, int] = {}
        self._wanted: list[bool] = []

    @property
    def windows(self) -> int:
        """Wanted ones so far."""
        return len(self._last)

    def wants(self, start_ms: int, length_ms: int) -> bool:
        """Whether a window, or a roll-up, lies wholly in what is wanted."""
        since = self._since_ms is None or start_ms >= self._since_ms
        return since and (self._until_ms is None or start_ms + length_ms <= self._until_ms)

    def note(self, times_ms: Int64Array) -> None:
        """The next chunk.

        Args:
            times_ms: int64, of its sound rows; those of ``NO_TIMESTAMP`` are in no window.
        """
        known = times_ms[times_ms != NO_TIMESTAMP]
        starts = np.unique(known // self._window_ms * self._window_ms).tolist()
        wanted = [start for start in starts if self.wants(start, self._window_ms)]
        self._last |= dict.fromkeys(wanted, len(self._wanted))
        self._wanted.append(bool(wanted))

    def steps(self) -> list[Step]:
        """All chunks, in order."""
        earliest = [FOR_EVER_MS] * len(self._wanted)
        for start, chunk in self._last.items():
            earliest[chunk] = min(earliest[chunk], start)
        steps: list[Step] = []
        complete_ms = FOR_EVER_MS
        # What is open after a chunk is whatever comes in a later one for the last time.
        for is_wanted, start in zip(reversed(self._wanted), reversed(earliest), strict=True):
            steps.append(Step(is_wanted, complete_ms))
            complete_ms = min(complete_ms, start)
        return steps[::-1]
