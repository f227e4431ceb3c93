"""Whether a measured quantity grows: the slope of a straight line, and how sure it is.

Decides by least squares. What a process uses now is much like what it used a moment ago, which
makes samples say less than their number: the interval is widened for that, by the correlation of
neighbours (as many independent samples as ``n (1 - r) / (1 + r)``).
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

_TWO_SIDED_95 = 1.96
_LEAST_SAMPLES = 10
_HOUR_S = 3_600.0


class Trend(StrEnum):
    """What can be said against a limit."""

    FLAT = "flat"
    GROWING = "growing"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Slope:
    """Growth of one quantity.

    Attributes:
        per_hour: In units of the quantity.
        plus_minus: Half of the 95 % interval.
        samples: How many there were.
        hours: From the first to the last.
        first: Mean of the first tenth of the samples.
        last: Mean of the last tenth.
    """

    per_hour: float
    plus_minus: float
    samples: int
    hours: float
    first: float
    last: float

    def against(self, limit_per_hour: float) -> Trend:
        """``GROWING`` when it is surely above the limit, ``FLAT`` when it is surely not."""
        if self.per_hour - self.plus_minus > limit_per_hour:
            return Trend.GROWING
        if self.per_hour + self.plus_minus <= limit_per_hour:
            return Trend.FLAT
        return Trend.UNDECIDED


def slope(seconds: npt.ArrayLike, values: npt.ArrayLike) -> Slope | None:
    """Fit a line; ``None`` for fewer samples than can say anything."""
    t = np.asarray(seconds, dtype=np.float64) / _HOUR_S
    n = len(t)
    if n < _LEAST_SAMPLES:
        return None
    y = np.asarray(values, dtype=np.float64)
    centred = t - t.mean()
    spread = float(centred @ centred)
    rise = float(centred @ y) / spread
    left = y - y.mean() - rise * centred
    independent = max(3.0, n * (1 - _neighbours(left)) / (1 + _neighbours(left)))
    variance = float(left @ left) / n * (n / (independent - 2)) / spread
    tenth = max(1, n // 10)
    return Slope(
        per_hour=rise,
        plus_minus=_TWO_SIDED_95 * float(np.sqrt(variance)),
        samples=n,
        hours=float(t[-1] - t[0]),
        first=float(y[:tenth].mean()),
        last=float(y[-tenth:].mean()),
    )


def _neighbours(left: npt.NDArray[np.float64]) -> float:
    """The correlation of each residual with the one before; 0 where there are none."""
    power = float(left @ left)
    if power == 0.0:
        return 0.0
    return min(0.99, max(0.0, float(left[1:] @ left[:-1]) / power))
