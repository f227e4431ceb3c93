"""How often each statistic sees each sort of drift, of windows of 1,000 rows.

Decides what sorts of drift there are, and at which level statistics are compared: above it is one
in a thousand windows without drift.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.random import Generator

from stream_app.core.columns import BoolArray, Int64Array
from stream_app.core.drift.reference import Float64Array
from stream_app.core.drift.statistics.groups import grouped
from stream_app.core.drift.statistics.jensen_shannon import jensen_shannon
from stream_app.core.drift.statistics.kolmogorov_smirnov import kolmogorov_smirnov
from stream_app.core.drift.statistics.psi import psi
from stream_app.core.drift.statistics.wasserstein import positions_of, wasserstein
from tests.unit.drift.references import numeric

ROWS = 1_000
REFERENCE_ROWS = 50_000
LEVEL = 0.999
_AT_A_TIME = 500
"""Windows."""

Drift = Callable[[Float64Array, Generator], None]
Table = Mapping[str, Mapping[str, float]]
"""By drift, by statistic: the share of windows above the level."""


def _some(values: Float64Array, share: float, generator: Generator) -> BoolArray:
    chosen: BoolArray = generator.random(values.shape) < share
    return chosen


def _shift(values: Float64Array, generator: Generator) -> None:
    values += 0.1


def _widen(values: Float64Array, generator: Generator) -> None:
    values *= 1.15


def _far(values: Float64Array, generator: Generator) -> None:
    values[_some(values, 0.01, generator)] = 8.0


def _stuck(share: float) -> Drift:
    def stick(values: Float64Array, generator: Generator) -> None:
        values[_some(values, share, generator)] = 0.3

    return stick


def _other_unit(values: Float64Array, generator: Generator) -> None:
    values[_some(values, 0.05, generator)] *= 10.0


DRIFTS: Mapping[str, Drift] = {
    "mean +.1 sd": _shift,
    "sd x1.15": _widen,
    "1 % at +8 sd": _far,
    "3 % stuck": _stuck(0.03),
    "10 % stuck": _stuck(0.1),
    "5 % x10": _other_unit,
}


SEEN: Table = {
    "mean +.1 sd": {"JS16": 0.09, "W1n": 0.51},
    "sd x1.15": {"JS16": 0.75, "W1n": 0.78},
    "1 % at +8 sd": {"JS16": 0.63, "W1n": 0.46},
    "3 % stuck": {"JS16": 0.07, "W1n": 0.00},
    "10 % stuck": {"JS16": 1.00, "W1n": 0.11},
    "5 % x10": {"JS16": 1.00, "W1n": 1.00},
}
"""By the two that may raise an alert: of 5,000 windows, at a level from 50,000."""


class Measured:
    """One column, and windows of it."""

    def __init__(self, reference: Float64Array) -> None:
        self._column = numeric("x", reference)

    def of(self, windows: Float64Array) -> dict[str, Float64Array]:
        """Each statistic of each window; ``windows`` are raw, shape ``(windows, rows)``."""
        column, moments = self._column, self._column.moments
        assert moments is not None
        counts, low, high = self._counted(windows.clip(moments.clip_low, moments.clip_high))
        old, new = grouped(column.counts, column.groups), grouped(counts, column.groups)
        return {
            "JS16": jensen_shannon(old, new),
            "PSI16": psi(old, new),
            "JS64": jensen_shannon(column.counts, counts),
            "KS64": kolmogorov_smirnov(column.counts, counts),
            "W1n": wasserstein(
                column.counts, counts, positions_of(column.means, low, high), moments.sd
            ),
        }

    def _counted(self, windows: Float64Array) -> tuple[Int64Array, Float64Array, Float64Array]:
        bins = self._column.bins
        at = np.searchsorted(self._column.edges, windows, side="left")
        flat = at + bins * np.arange(len(windows))[:, None]
        counts = np.bincount(flat.ravel(), minlength=bins * len(windows)).reshape(-1, bins)

        def mean(end: int) -> Float64Array:
            sums = np.where(at == end, windows, 0.0).sum(axis=1)
            found: Float64Array = sums / np.where(counts[:, end], counts[:, end], np.nan)
            return found

        return counts, mean(0), mean(bins - 1)


def power(
    quiet: int, trials: int, seed: int, show: Callable[[int], None] = lambda done: None
) -> Table:
    """The share of drifted windows above what one in a thousand without drift is above.

    Args:
        quiet: Windows without drift, from which the level is taken.
        trials: Windows of each drift.
        seed: Of all that is drawn.
        show: Is told how many windows are done, of ``quiet + len(DRIFTS) * trials``.
    """
    generator = np.random.default_rng(seed)
    measured, done = Measured(generator.normal(size=REFERENCE_ROWS)), 0

    def tried(windows: int, change: Drift) -> dict[str, Float64Array]:
        nonlocal done
        slices = []
        for first in range(0, windows, _AT_A_TIME):
            values = generator.normal(size=(min(_AT_A_TIME, windows - first), ROWS))
            change(values, generator)
            slices.append(measured.of(values))
            done += len(values)
            show(done)
        return {name: np.concatenate([some[name] for some in slices]) for name in slices[0]}

    without = tried(quiet, lambda values, generator: None)
    limits = {name: float(np.quantile(found, LEVEL)) for name, found in without.items()}
    return {
        drift: {
            name: float((found > limits[name]).mean())
            for name, found in tried(trials, change).items()
        }
        for drift, change in DRIFTS.items()
    }


def unlike(found: Table, tolerance: float) -> list[str]:
    """Where a table is not what was measured before, in words."""
    return [
        f"{drift}, {name}: seen in {found[drift][name]:.2f} of the windows, not in {share:.2f}"
        for drift, shares in SEEN.items()
        for name, share in shares.items()
        if abs(found[drift][name] - share) > tolerance
    ]
