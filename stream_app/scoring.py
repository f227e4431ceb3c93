"""From model input to model output, when some rows may make the model fail.

Decides which rows are guilty. A batch that fails is halved until the rows that fail alone are
found; the others keep their scores. What a device does to us (out of memory, dead) is not a
row's fault: the first halves the batch, the second ends the process.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream_app.core.columns import EventBatch, ScoreBatch, Tensor
from stream_app.core.contract import OnNonFinite
from stream_app.core.faults import Fault
from stream_app.errors import DeviceOutOfMemoryError, FatalError, ModelRunError
from stream_app.ports import Model

Rows = npt.NDArray[np.intp]
Outputs = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class ScoringRules:
    """What to do with rows that fail.

    Attributes:
        bisect_limit: Greatest number of failing model runs spent on finding the guilty rows of
            a batch; what is not told apart by then is dead-lettered together.
        on_non_finite_output: For outputs that are NaN or infinite.
        bound_outputs: Names of the outputs that predictions use; others may hold anything.
    """

    bisect_limit: int
    on_non_finite_output: OnNonFinite
    bound_outputs: tuple[str, ...]


def score(model: Model, events: EventBatch, rules: ScoringRules) -> ScoreBatch:
    """Score the good rows of ``events``.

    Raises:
        FatalError: the device is lost, or has no room for a single row.
    """
    good = events.good_rows()
    fault = events.fault.copy()
    detail = dict(events.fault_detail)
    if not len(good):
        return ScoreBatch(good, {}, fault, detail)
    search = _Search(model, events.tensors, rules.bisect_limit)
    parts = search.run(good)
    for row, message in search.guilty.items():
        fault[row] = Fault.MODEL_FAILED
        detail[row] = message
    rows, outputs = _join(parts)
    if rules.on_non_finite_output is OnNonFinite.DEAD_LETTER and len(rows):
        finite = _finite_rows(outputs, rules.bound_outputs)
        for row in rows[~finite].tolist():
            fault[row] = Fault.NON_FINITE_OUTPUT
            detail[row] = "an output bound to the prediction is NaN or infinite"
        if not finite.all():
            rows = rows[finite]
            outputs = {name: values[finite] for name, values in outputs.items()}
    return ScoreBatch(rows, outputs, fault, detail)


class _Search:
    """One batch's hunt: the good parts in row order, the guilty rows aside."""

    def __init__(self, model: Model, tensors: Mapping[str, Tensor], limit: int) -> None:
        self._model = model
        self._tensors = tensors
        self._left = limit
        self.guilty: dict[int, str] = {}

    def run(self, rows: Rows) -> list[tuple[Rows, Outputs]]:
        try:
            return [(rows, self._model.run(_pick(self._tensors, rows)))]
        except ModelRunError as exc:
            self._left -= 1
            if len(rows) == 1 or self._left <= 0:
                self._blame(rows, exc)
                return []
        except DeviceOutOfMemoryError as exc:
            if len(rows) == 1:
                message = f"the device has no memory for a single row: {exc}"
                raise FatalError(message) from exc
        middle = len(rows) // 2
        return self.run(rows[:middle]) + self.run(rows[middle:])

    def _blame(self, rows: Rows, exc: ModelRunError) -> None:
        """Past the limit the rest of a failing part goes with the guilty: kept, not blocking."""
        message = str(exc)
        if len(rows) > 1:
            message = f"one of {len(rows)} rows not told apart (dead_letters.bisect_limit): {exc}"
        self.guilty.update((row, message) for row in rows.tolist())


def _pick(tensors: Mapping[str, Tensor], rows: Rows) -> dict[str, Tensor]:
    """The rows' tensors, without a copy when they are all of them."""
    return {
        name: values if len(rows) == len(values) else values[rows]
        for name, values in tensors.items()
    }


def _join(parts: list[tuple[Rows, Outputs]]) -> tuple[Rows, dict[str, Tensor]]:
    if not parts:
        return np.empty(0, dtype=np.intp), {}
    if len(parts) == 1:
        return parts[0][0], dict(parts[0][1])
    rows = np.concatenate([rows for rows, _ in parts])
    names = parts[0][1].keys()
    return rows, {name: np.concatenate([out[name] for _, out in parts]) for name in names}


def _finite_rows(outputs: Outputs, names: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    finite = np.ones(len(next(iter(outputs.values()))), dtype=np.bool_)
    for name in names:
        values = outputs[name]
        if np.issubdtype(values.dtype, np.floating):
            finite &= np.isfinite(values).reshape(len(values), -1).all(axis=1)
    return finite
