"""The decorator of compiled kernels.

Decides how they are compiled: without the interpreter's lock, without liberties in arithmetic.
Where a kernel is in a hurry it indexes with ``np.uintp``: what cannot be negative need not be
counted from the end, which is otherwise asked at every access.
Refuses to know where their machine code is kept; it is where numba was told a folder for it.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numba

_Function = TypeVar("_Function", bound=Callable[..., Any])


def was_compiled(dispatcher: Any) -> bool:
    """Whether a kernel was compiled in this process, and not loaded."""
    return bool(dispatcher.stats.cache_misses) or not dispatcher.stats.cache_hits


def kernel(function: _Function) -> _Function:
    """Compile ``function`` for the types that it is called with, when it first is."""
    compiled: _Function = numba.njit(function, nogil=True, cache=bool(numba.config.CACHE_DIR))
    return compiled
