"""Counts that laws of drift statistics are tried on."""

import numpy as np
from hypothesis import strategies as st

from stream_app.core.columns import Int64Array


@st.composite
def pairs(draw: st.DrawFn, least_bins: int = 2, most: int = 1_000) -> tuple[Int64Array, Int64Array]:
    """Counts of a reference and of a window over the same bins; both have rows."""
    bins = draw(st.integers(least_bins, 70))
    counts = st.lists(st.integers(0, most), min_size=bins, max_size=bins).filter(any)
    return np.array(draw(counts), np.int64), np.array(draw(counts), np.int64)


def stacked(window: Int64Array, times: int) -> Int64Array:
    """The same window, each time with one more row in one bin, as many windows at once."""
    windows = np.tile(window, (times, 1))
    windows[np.arange(times), np.arange(times) % len(window)] += np.arange(times)
    return windows
