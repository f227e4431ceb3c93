"""Sums of doubles without any rounding, so that no order of adding can be told from the result.

Decides how: a double is a whole number of 53 bits times a power of two, so sums of those numbers,
one for each power, are exact in integers. The reference's mean and spread come from here: the same
rows in other chunks, or on another machine, give the same bits.
"""

from fractions import Fraction
from math import isqrt, ldexp

import numpy as np
import numpy.typing as npt

from stream_app.core.columns import Int64Array
from stream_app.core.drift.reference import Float64Array

_LOW_BITS = 26
_BITS = 53
_MOST_ROWS = 1 << 25
"""Of one call: sums of halves of 27 bits stay exact as doubles."""
_SPLITTER = float((1 << 27) + 1)
_ROOT_BITS = 128


class ExactSums:
    """Sums by group; add as often as wanted, ask at the end."""

    def __init__(self, groups: int = 1) -> None:
        """All are nought."""
        self._groups = groups
        self._high: dict[int, Int64Array] = {}
        self._low: dict[int, Int64Array] = {}

    def add(self, values: Float64Array, groups: npt.NDArray[np.intp] | None = None) -> None:
        """Add finite ``values``, each to its group; without ``groups`` to the first."""
        powers = np.zeros(len(values), dtype=np.int64)
        self._add(values, powers, groups)

    def add_squares(self, values: Float64Array) -> None:
        """Add the squares of finite ``values`` to the first group.

        A square needs 106 bits; it is taken as two doubles whose sum is exact (Dekker, "A
        floating-point technique for extending the available precision", 1971).
        """
        part, power = np.frexp(values)
        wide = _SPLITTER * part
        high = wide - (wide - part)
        low = part - high
        square = part * part
        rest = ((high * high - square) + 2.0 * high * low) + low * low
        powers = 2 * power.astype(np.int64)
        self._add(square, powers, None)
        self._add(rest, powers, None)

    def total(self, group: int = 0) -> Fraction:
        """The sum of a group."""
        return sum(
            (
                Fraction((int(high[group]) << _LOW_BITS) + int(self._low[power][group]))
                * Fraction(2) ** (power - _BITS)
                for power, high in self._high.items()
            ),
            Fraction(0),
        )

    def _add(
        self, values: Float64Array, powers: Int64Array, groups: npt.NDArray[np.intp] | None
    ) -> None:
        for begin in range(0, len(values), _MOST_ROWS):
            part = slice(begin, begin + _MOST_ROWS)
            self._add_part(values[part], powers[part], None if groups is None else groups[part])

    def _add_part(
        self, values: Float64Array, powers: Int64Array, groups: npt.NDArray[np.intp] | None
    ) -> None:
        fraction, own = np.frexp(values)
        whole = np.ldexp(fraction, _BITS)
        high = np.floor(np.ldexp(whole, -_LOW_BITS))
        low = whole - np.ldexp(high, _LOW_BITS)
        exponents = own + powers
        least = int(exponents.min())
        span = int(exponents.max()) - least + 1
        cells = exponents - least
        if groups is not None:
            cells = cells + groups * span
        size = span * self._groups
        for sums, weights in ((self._high, high), (self._low, low)):
            # Whole numbers below 2**53: the sums that look like floats are exact.
            found = np.bincount(cells, weights=weights, minlength=size)
            table = found.astype(np.int64).reshape(self._groups, span)
            for place in np.flatnonzero(table.any(axis=0)).tolist():
                zeros = np.zeros(self._groups, dtype=np.int64)
                sums[least + place] = sums.get(least + place, zeros) + table[:, place]
                other = self._low if sums is self._high else self._high
                other.setdefault(least + place, zeros)


def root_of(square: Fraction) -> float:
    """The square root of a number that may be too great, or too small, for a double."""
    if square <= 0:
        return 0.0
    excess = square.numerator.bit_length() - square.denominator.bit_length()
    shift = max(0, _ROOT_BITS - excess)
    shift += shift % 2
    root = isqrt((square.numerator << shift) // square.denominator)
    return ldexp(root, -shift // 2)
