"""Counts that laws of drift statistics are tried on."""

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from stream_app.core.columns import Int64Array


@st.composite
def pairs(draw: st.DrawFn, most: int = 1_000) -> tuple[Int64Array, Int64Array]:
    """Counts of a reference and of a window over the same bins; both have rows."""
    bins = draw(st.integers(2, 70))
    return _counts(draw, bins, most), _counts(draw, bins, most)


def _counts(draw: st.DrawFn, bins: int, most: int) -> Int64Array:
    """From bytes, which are drawn at once; of some, more bins are empty than of others."""
    numbers = np.frombuffer(draw(st.binary(min_size=2 * bins, max_size=2 * bins)), np.uint16)
    counts = numbers.astype(np.int64) % (most + 1)
    counts[numbers % 11 < draw(st.integers(0, 10))] = 0
    assume(counts.any())
    return counts


def stacked(window: Int64Array, times: int) -> Int64Array:
    """The same window, each time with one more row in one bin, as many windows at once."""
    windows = np.tile(window, (times, 1))
    windows[np.arange(times), np.arange(times) % len(window)] += np.arange(times)
    return windows
