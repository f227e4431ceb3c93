"""Cumulative sums: a change that is too small for any window is seen in many.

Convention: of how many standard deviations a statistic is above its mean without drift, less half
of one, never below 0; told above 8. One window adds 6 at most, so that none reaches that alone.

Source: E. Page, Continuous inspection schemes, Biometrika 41 (1954).
"""

from collections.abc import Sequence
from math import isnan
from typing import NamedTuple

from stream_app.core.drift.alerts import Ground
from stream_app.core.drift.window_scores import Score

SLACK = 0.5
LIMIT = 8.0
MOST_Z = 6.0
_MOST = 1.5 * LIMIT
"""Of a sum: what lasted for weeks is not to be heard for weeks after it is over."""


class Sum(NamedTuple):
    """How far one statistic was above its mean, summed over windows.

    Attributes:
        statistic: Its name.
        value: From 0.
        grounds: The windows since it was 0, until it reached the limit.
    """

    statistic: str
    value: float = 0.0
    grounds: tuple[Ground, ...] = ()

    @property
    def over(self) -> bool:
        """Whether there is something to tell."""
        return self.value > LIMIT


def summed(sums: Sequence[Sum], scores: Sequence[Score], here: Ground) -> tuple[Sum, ...]:
    """Each statistic's sum with this window; one that was not measured here stays as it was."""
    after = {one.statistic: one for one in sums}
    for score in scores:
        if score.sd > 0 and not isnan(score.mean):
            before = after.get(score.statistic, Sum(score.statistic))
            after[score.statistic] = _plus(before, score, here)
    return tuple(after[name] for name in sorted(after))


def _plus(before: Sum, score: Score, here: Ground) -> Sum:
    z = min(MOST_Z, (score.value - score.mean) / score.sd)
    if not score.large:
        z = min(z, 0.0)  # what is too small to matter once is so a hundred times
    value = min(_MOST, before.value + z - SLACK)
    if not value > 0.0:
        return Sum(score.statistic)
    if before.over:
        return Sum(score.statistic, value, before.grounds)
    return Sum(score.statistic, value, (*before.grounds, here))
