"""One column of numbers after a look at all: range, mean, spread, and whether few are distinct.

Decides when numbers are names rather than amounts. Nothing depends on the order of the values.
"""

import numpy as np

from stream_app.core.drift.bins import MOST_DISCRETE
from stream_app.core.drift.exact_sums import ExactSums, root_of
from stream_app.core.drift.reference import MOST_UNITS, UNIT, Float64Array, Moments

_LEAST_SD = 1e-290
"""Below it one standard deviation has no inverse to speak of: the column counts as constant."""


class ValueRange:
    """Add values, then ask.

    Attributes:
        count: Values added.
        least: The smallest; infinite without any.
        greatest: The greatest, likewise.
        distinct: Increasing; empty where they are many, or some are not whole.
    """

    def __init__(self) -> None:
        """See nothing yet."""
        self.count = 0
        self.least, self.greatest = np.inf, -np.inf
        self.distinct: Float64Array = np.empty(0)
        self._is_few = True
        self._sum, self._squares = ExactSums(), ExactSums()

    def add(self, numbers: Float64Array) -> None:
        """Add finite values; without minus nought."""
        if not len(numbers):
            return
        self.count += len(numbers)
        self.least = min(self.least, float(numbers.min()))
        self.greatest = max(self.greatest, float(numbers.max()))
        self._sum.add(numbers)
        self._squares.add_squares(numbers)
        if self._is_few:
            self.distinct = np.union1d(self.distinct, numbers)
            is_whole = bool((self.distinct == np.rint(self.distinct)).all())
            self._is_few = is_whole and len(self.distinct) <= MOST_DISCRETE
            if not self._is_few:
                self.distinct = np.empty(0)

    @property
    def is_discrete(self) -> bool:
        """One value is a constant, and has something below and above; none has no range at all."""
        return self._is_few and len(self.distinct) != 1

    def moments(self) -> Moments:
        """Mean and spread, rounded once, from sums that are exact."""
        total = self._sum.total()
        mean = float(total / self.count)
        square = (self._squares.total() * self.count - total * total) / self.count**2
        sd = root_of(square)
        sd = sd if sd >= _LEAST_SD else 0.0
        reach, farthest = self.greatest - self.least, sd * (MOST_UNITS / UNIT)
        return Moments(
            mean=mean,
            sd=sd,
            least=self.least,
            greatest=self.greatest,
            clip_low=max(self.least - reach, mean - farthest),
            clip_high=min(self.greatest + reach, mean + farthest),
        )
