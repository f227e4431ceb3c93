"""Whether a state can be one of its reference's: bytes from elsewhere must add up in themselves.

Decides what always holds of a window's counts. That a state is another one's it cannot see.
"""

from functools import lru_cache

import numpy as np

from stream_app.core.columns import Int64Array
from stream_app.core.drift.counter import Arithmetic
from stream_app.core.drift.layout import Layout
from stream_app.core.drift.reference import Apart


def is_sound(layout: Layout, state: Int64Array, way: Arithmetic) -> bool:
    """Whether every column counts every row once, and no count is negative."""
    return way.is_balanced(state, _bounds(layout))


@lru_cache(maxsize=64)
def _bounds(layout: Layout) -> Int64Array:
    """Of each column, where its bins begin and where the values behind them that are apart end."""
    pairs = [(section.begin, section.apart + Apart.CLIPPED) for section in layout.sections]
    return np.array(pairs, dtype=np.int64).reshape(-1)
