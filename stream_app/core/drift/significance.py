"""How large a statistic is by the measure of chance: scores, and when one of them is drift.

Decides how a calibration, made for some sizes of windows, is read for any other, and which changes
are too small to be told of however certain they are. Refuses to know how it was calibrated
(``calibrate.py``) and what follows over several windows (``rules.py``).

A score is a statistic divided by its 99 % quantile without drift; drift is where the greatest score
of a window is above the window's threshold. So all columns and statistics share one rate of false
alarms, however many there are and however they depend on each other (max-T: P. Westfall and S.
Young, Resampling-based multiple testing, 1993).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream_app.core.columns import BoolArray, Int64Array
from stream_app.core.drift.reference import Calibration, Float64Array, Test
from stream_app.core.drift.statistics.names import Statistic


@dataclass(frozen=True, slots=True)
class Floors:
    """Changes below which nothing is told: at a million rows everything is significant.

    Attributes:
        wasserstein: In reference standard deviations.
        jensen_shannon: Distance, base 2, of a column's groups or bins.
        correlation: The greatest change of a pair's.
    """

    wasserstein: float = 0.05
    jensen_shannon: float = 0.02
    correlation: float = 0.05

    def reached(self, tests: tuple[Test, ...], values: Float64Array) -> BoolArray:
        """Which tests stand on a change that is large enough.

        A column's tests stand together: a change that is large for one of them is large.

        Args:
            tests: As calibrated.
            values: float64, shape ``(tests,)``: the statistics; NaN reaches nothing.

        Returns:
            bool, shape ``(tests,)``.
        """
        least = {
            Statistic.WASSERSTEIN: self.wasserstein,
            Statistic.JENSEN_SHANNON: self.jensen_shannon,
            Statistic.JENSEN_SHANNON_16: self.jensen_shannon,
            Statistic.CORRELATION: self.correlation,
        }
        large = {
            test.column
            for test, value in zip(tests, values, strict=True)
            if value >= least[Statistic(test.statistic)]
        }
        return np.array([test.column in large for test in tests], np.bool_)


def scores(
    calibration: Calibration, values: Float64Array, rows: Int64Array, of: Int64Array, all_rows: int
) -> Float64Array:
    """Each statistic in units of what chance allows; 1 is its 99 % quantile.

    Args:
        calibration: Of the reference.
        values: float64, shape ``(tests,)``: the statistics of a window.
        rows: int64, shape ``(tests,)``: the window's rows with a valid value in the test's column;
            for correlation, those valid in all columns.
        of: int64, shape ``(tests,)``: the reference's, likewise.
        all_rows: The reference's.

    Returns:
        float64, shape ``(tests,)``; NaN where a statistic is.
    """
    return values / limits(calibration, rows, of, all_rows)


def limits(
    calibration: Calibration, rows: Int64Array, of: Int64Array, all_rows: int
) -> Float64Array:
    """The statistics whose score is 1; arguments as :func:`scores`.

    The quantile is that of a window drawn from the reference itself. That the reference is but a
    sample too widens it by ``sqrt(1 + n / m)`` (an index that goes by ``1 / n``: by its square),
    without which large windows all alarm; that neighbours are alike, by ``kappa``.

    Returns:
        float64, shape ``(tests,)``; NaN where a side has no rows.
    """
    ratio = _ratio(rows, of)
    quantiles = _read(calibration, calibration.q99, ratio * all_rows)
    product: Float64Array = quantiles * (1.0 + ratio) ** _powers(calibration) * calibration.kappa
    return product


def expected(
    calibration: Calibration, rows: Int64Array, of: Int64Array, all_rows: int
) -> tuple[Float64Array, Float64Array]:
    """The mean and the standard deviation of each statistic without drift, for sums over windows.

    What a window is off by is another for each; it goes into the spread, as into :func:`limits`.
    What the reference is off by is the same for all, and no sum makes it less: the mean must hold
    the most that it may be, which is what a window as large as the reference may reach without
    drift. The two are independent, so that their squares add up (of an index that goes by
    ``1 / n``: they themselves).

    Args:
        calibration: Of the reference.
        rows: As :func:`scores` has it.
        of: Likewise.
        all_rows: Likewise.

    Returns:
        Twice float64, shape ``(tests,)``; NaN where a side has no rows.
    """
    ratio, powers = _ratio(rows, of), _powers(calibration)
    mean = _read(calibration, calibration.mean, ratio * all_rows)
    own = _read(calibration, calibration.q99, np.where(ratio > 0, float(all_rows), np.nan))
    own *= calibration.kappa * threshold(calibration, all_rows)
    sd = _read(calibration, calibration.sd, ratio * all_rows) * (1.0 + ratio) ** powers
    return (mean ** (1.0 / powers) + own ** (1.0 / powers)) ** powers, sd


def _ratio(rows: Int64Array, of: Int64Array) -> Float64Array:
    """The window's rows over the reference's; NaN where a side has none."""
    some = (rows > 0) & (of > 0)
    found: Float64Array = np.where(some, rows, np.nan) / np.where(some, of, np.nan)
    return found


def _powers(calibration: Calibration) -> Float64Array:
    """By which each statistic grows with the variance of shares."""
    squared = [Statistic(test.statistic).grows_with_variance for test in calibration.tests]
    return np.where(squared, 1.0, 0.5)


def _read(calibration: Calibration, table: Float64Array, sizes: Float64Array) -> Float64Array:
    """What ``table``, shape ``(tests, g)``, says of windows of these sizes, shape ``(tests,)``.

    Windows were drawn with their invalid rows: the size is the one whose valid rows are as many.
    """
    return interpolated(calibration.sizes, table, sizes, -_powers(calibration))


def interpolated(
    sizes: Int64Array, values: Float64Array, size: Float64Array, powers: Float64Array
) -> Float64Array:
    """What statistics reach in windows of any size, from what they reach in some.

    Between sizes, a straight line in the logarithms of both. Beyond the first and the last, the
    line through the two nearest sizes goes on; from one size alone, a power of the size does.

    Args:
        sizes: int64, shape ``(g,)``, increasing.
        values: float64, shape ``(tests, g)``, above 0.
        size: float64, shape ``(tests,)``: of a window, above 0.
        powers: float64, likewise: of the size, by which each goes if only one was calibrated.

    Returns:
        float64, shape ``(tests,)``.
    """
    x, known, logs = np.log(size), np.log(sizes), np.log(values)
    lines = zip(x, logs, strict=True)
    inside = np.array([np.interp(at, known, line) for at, line in lines], np.float64)
    slopes = powers[:, np.newaxis]
    if len(known) > 1:
        slopes = np.diff(logs) / np.diff(known)
    below = np.minimum(x - known[0], 0.0) * slopes[:, 0]
    above = np.maximum(x - known[-1], 0.0) * slopes[:, -1]
    result: Float64Array = np.exp(inside + below + above)
    return result


def threshold(calibration: Calibration, rows: npt.ArrayLike) -> Float64Array:
    """The score above which a window has drift.

    A straight line in the logarithm of the size. Beyond the first and the last size it stays: it
    hardly depends on the size, and a slope would be that of two errors.

    Args:
        calibration: Of the reference.
        rows: Of windows, above 0, shape ``(...)``, valid or not.

    Returns:
        float64, shape ``(...)``.
    """
    at = np.log(np.asarray(rows, np.float64))
    found: Float64Array = np.interp(at, np.log(calibration.sizes), calibration.threshold)
    return found
