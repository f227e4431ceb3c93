"""Batches of given sizes only: on some devices a shape that is new costs seconds.

Decides how rows are filled up to a size, and what becomes of the scores of the filling: nothing.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from stream_app.core.columns import Tensor

Run = Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]]


def run_in_buckets(
    run: Run, tensors: Mapping[str, Tensor], buckets: Sequence[int]
) -> Mapping[str, Tensor]:
    """Run rows in batches of these sizes, ascending; each filled up with copies of its last row.

    More rows than the greatest take several runs. Raises what ``run`` raises.
    """
    rows, most = _rows(tensors), buckets[-1]
    parts = [
        _padded(run, {name: t[begin : begin + most] for name, t in tensors.items()}, buckets)
        for begin in range(0, rows, most)
    ]
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _padded(
    run: Run, tensors: Mapping[str, Tensor], buckets: Sequence[int]
) -> Mapping[str, Tensor]:
    rows = _rows(tensors)
    more = next(bucket for bucket in buckets if rows <= bucket) - rows
    if not more:
        return run(tensors)
    filled = {
        name: np.concatenate([t, np.repeat(t[-1:], more, axis=0)]) for name, t in tensors.items()
    }
    return {name: output[:rows] for name, output in run(filled).items()}


def _rows(tensors: Mapping[str, Tensor]) -> int:
    return len(next(iter(tensors.values())))
