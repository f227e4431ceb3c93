"""Is a prediction what the model says of its event? Field by field, within a tolerance.

Decides what may differ. Scores of the same model may differ in their last bits by the size of the
batch and by the device (sums in another order), so they are compared within a tolerance; ids,
times, labels and texts must be equal. Messages name fields and differences, never values.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stream_app.verify.contract import Bound, Contract
from stream_app.verify.logical import in_milliseconds

TOLERANCE = 1e-5
"""Of scores, absolute and relative to the greater ones. Other batch sizes and thread counts made
differences of 1e-7 with float32 on a CPU; a GPU's are greater."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What must be predicted: the event's id and time, and a row of each output used, flattened."""

    id: str
    time_ms: int | None
    outputs: Mapping[str, Sequence[Any]]


def unusable_output(contract: Contract, outputs: Mapping[str, Sequence[Any]]) -> str | None:
    """Why these outputs must not become a prediction, or ``None``."""
    if contract.keeps_non_finite_outputs:
        return None
    for bound in contract.outputs:
        if any(isinstance(v, float) and not math.isfinite(v) for v in outputs[bound.output]):
            return f"output {bound.output!r} is not finite"
    return None


def difference(
    prediction: Mapping[str, Any], answer: Answer, bound: Sequence[Bound], tolerance: float
) -> str | None:
    """What a decoded prediction says otherwise, or ``None``."""
    if prediction.get("event_id") != answer.id:
        return "event_id differs"
    if _time(prediction.get("event_time")) != answer.time_ms:
        return "event_time differs"
    for binding in bound:
        row = answer.outputs[binding.output]
        expected = row if binding.column is None else row[binding.column : binding.column + 1]
        found = prediction.get(binding.field)
        told = _differs(found if isinstance(found, list) else [found], expected, tolerance)
        if told is not None:
            return f"{binding.field} {told}"
    return None


def _differs(found: Sequence[Any], expected: Sequence[Any], tolerance: float) -> str | None:
    if len(found) != len(expected):
        return f"has {len(found)} elements, not {len(expected)}"
    worst = 0.0
    for ours, theirs in zip(expected, found, strict=True):
        if not _are_numbers(ours, theirs):
            if ours != theirs or isinstance(ours, bool) != isinstance(theirs, bool):
                return "differs"
        elif not (math.isnan(ours) and math.isnan(theirs)) and ours != theirs:
            distance = abs(ours - theirs) / max(1.0, abs(ours))
            worst = max(worst, math.inf if math.isnan(distance) else distance)
    return None if worst <= tolerance else f"differs by {worst:.2g} (tolerance {tolerance:g})"


def _are_numbers(ours: Any, theirs: Any) -> bool:
    """Whether they are compared within a tolerance: not where both are whole."""
    both = isinstance(ours, int | float) and isinstance(theirs, int | float)
    exact = isinstance(ours, int) and isinstance(theirs, int)
    return both and not exact and not isinstance(ours, bool) and not isinstance(theirs, bool)


def _time(value: Any) -> Any:
    return in_milliseconds(value) if isinstance(value, datetime) else value
