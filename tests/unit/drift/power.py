"""How often each statistic sees each sort of drift, of windows of 1,000 rows.

As a script it tries all of it, for minutes: ``python -m tests.unit.drift.power``.
"""

import sys
from collections.abc import Callable, Mapping

import numpy as np
from numpy.random import Generator

from stream_app.core.columns import BoolArray, Int64Array
from stream_app.core.drift.reference import Float64Array
from stream_app.core.drift.statistics.groups import grouped
from stream_app.core.drift.statistics.jensen_shannon import jensen_shannon
from stream_app.core.drift.statistics.kolmogorov_smirnov import kolmogorov_smirnov
from stream_app.core.drift.statistics.wasserstein import positions_of, wasserstein
from tests.unit.drift.references import numeric

ROWS = 1_000
LEVEL = 0.999

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


class Measured:
    """One column, and windows of it."""

    def __init__(self, reference: Float64Array) -> None:
        self._column = numeric("x", reference)

    def of(self, windows: Float64Array) -> dict[str, Float64Array]:
        """Each statistic of each window; ``windows`` are raw, shape ``(windows, rows)``."""
        column, moments = self._column, self._column.moments
        assert moments is not None
        counts, low, high = self._counted(windows.clip(moments.clip_low, moments.clip_high))
        groups = column.groups
        return {
            "JS16": jensen_shannon(grouped(column.counts, groups), grouped(counts, groups)),
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


def power(quiet: int, trials: int, seed: int) -> Table:
    """The share of drifted windows above what one in a thousand without drift is above.

    Args:
        quiet: Windows without drift, from which the level is taken.
        trials: Windows of each drift.
        seed: Of all that is drawn.
    """
    generator = np.random.default_rng(seed)
    measured = Measured(generator.normal(size=50_000))
    slices = [measured.of(generator.normal(size=(500, ROWS))) for _ in range(quiet // 500)]
    limits = {
        name: np.quantile(np.concatenate([some[name] for some in slices]), LEVEL)
        for name in slices[0]
    }
    table = {}
    for drift, change in DRIFTS.items():
        windows = generator.normal(size=(trials, ROWS))
        change(windows, generator)
        found = measured.of(windows)
        table[drift] = {name: float((found[name] > limits[name]).mean()) for name in limits}
    return table


if __name__ == "__main__":
    for row, shares in power(quiet=50_000, trials=5_000, seed=1).items():
        cells = "  ".join(f"{name} {share:.2f}" for name, share in shares.items())
        sys.stdout.write(f"{row:14}{cells}\n")
