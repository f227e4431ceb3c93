"""Binomial tail: how likely so many defects are, if they are as rare as in the reference.

Convention: the probability of ``count`` or more. The reference's rate is smoothed by half a row on
either side, so that a defect it never had is rare, not impossible. Works on logarithms, with the
saddle-point form of one probability and a sum of ratios for the others: a relative error below
1e-9 up to ten million rows.

Source: C. Loader, Fast and accurate computation of binomial probabilities (2000); the smoothing: H.
Jeffreys, Proc. R. Soc. A 186 (1946).
"""

from math import ceil, exp, inf, lgamma, log, log1p, nan, pi, sqrt

import numpy as np
import numpy.typing as npt

from stream_app.core.drift.reference import Float64Array


def smoothed_rate(count: int, rows: int) -> float:
    """The reference's share of rows with a defect, strictly between 0 and 1."""
    return (count + 0.5) / (rows + 1)


def binomial_tail(count: npt.ArrayLike, rows: npt.ArrayLike, rate: npt.ArrayLike) -> Float64Array:
    """The probability of ``count`` or more among ``rows``.

    >>> round(float(binomial_tail(9, 10, 0.5)), 6)
    0.010742

    Args:
        count: Rows with the defect, from 0 to ``rows``; broadcast with the others.
        rows: All rows.
        rate: Of the defect, between 0 and 1, both exclusive.

    Returns:
        float64; 0 where it is less than a double can hold, NaN without rows.
    """
    cells = np.broadcast(count, rows, rate)
    tails = [exp(log_binomial_tail(int(k), int(n), float(p))) for k, n, p in cells]
    return np.array(tails, np.float64).reshape(cells.shape)


def log_binomial_tail(count: int, rows: int, rate: float) -> float:
    """The natural logarithm of one probability; NaN without rows."""
    if rows <= 0:
        return nan
    if count <= 0:
        return 0.0
    if count > rows:
        return -inf
    if count > rows * rate:
        return _log_upper(count, rows, rate)
    # Below the mean it is nearly certain: what is left out is the smaller sum. By symmetry,
    # fewer than ``count`` with the defect are more than ``rows - count`` without it.
    missing = _log_upper(rows - count + 1, rows, 1.0 - rate)
    return log1p(-exp(missing))


def _log_upper(count: int, rows: int, rate: float) -> float:
    """Of ``count`` or more, for counts that are not below the mean."""
    # Ten standard deviations further on, and fifty rows for rare defects, nothing is left to add.
    most = min(rows - count, ceil(10.0 * sqrt(rows * rate * (1.0 - rate))) + 50)
    steps = np.arange(most, dtype=np.float64)
    ratios = (rows - count - steps) / (count + 1 + steps) * (rate / (1.0 - rate))
    return _log_probability(count, rows, rate) + log1p(float(ratios.cumprod().sum()))


def _log_probability(count: int, rows: int, rate: float) -> float:
    """Of exactly ``count``."""
    if count == rows:
        return rows * log(rate)
    if count == 0:
        return rows * log1p(-rate)
    rest = rows - count
    return (
        _beyond_stirling(rows)
        - _beyond_stirling(count)
        - _beyond_stirling(rest)
        - _deviance(count, rows * rate)
        - _deviance(rest, rows * (1.0 - rate))
        - 0.5 * log(2.0 * pi * count * (rest / rows))
    )


def _beyond_stirling(n: int) -> float:
    """``log(n!)`` less Stirling's formula for it."""
    if n <= 15:
        return lgamma(n + 1.0) - (n + 0.5) * log(n) + n - 0.5 * log(2.0 * pi)
    square = float(n) * n
    tail = 1 / 1260 - (1 / 1680 - 1 / 1188 / square) / square
    return (1 / 12 - (1 / 360 - tail / square) / square) / n


def _deviance(x: float, mean: float) -> float:
    """``x log(x / mean) + mean - x``, with all its digits where the two are close."""
    apart, both = x - mean, x + mean
    if abs(apart) >= 0.1 * both:
        return x * log(x / mean) - apart
    v = apart / both
    total, term, odd = apart * v, 2.0 * x * v, 3
    while True:
        term *= v * v
        longer = total + term / odd
        if longer == total:
            return total
        total, odd = longer, odd + 2
