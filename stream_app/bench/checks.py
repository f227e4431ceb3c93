"""Whether a run was right: as many outcomes as inputs, and the same ones from everybody.

Decides when a figure may be shown. A contender that loses, repeats or changes records is not fast
but wrong, and fails the bench.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from stream_app.adapters.bench.topics import Content
from stream_app.bench.figures import Figures
from stream_app.core.columns import RecordBatch

ABSOLUTE: Final = 1e-5
RELATIVE: Final = 1e-4
"""Scores may differ in their last bits with the batch that a row was in."""

Position = tuple[int, int]
Prediction = Mapping[str, Any]
Read = Callable[[bytes | None], tuple[tuple[str, int, int], Prediction]]


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a run left in its topics.

    Attributes:
        predictions: Of the predictions topic.
        dead_letters: How many, by partition.
    """

    predictions: Content
    dead_letters: Sequence[int]


def count_faults(who: str, inputs: Content, outputs: Outputs, figures: Figures) -> list[str]:
    """What is wrong with the numbers, one line each."""
    found = []
    both = zip(outputs.predictions.counts, outputs.dead_letters, strict=True)
    for number, (expected, parts) in enumerate(zip(inputs.counts, both, strict=True)):
        if sum(parts) != expected:
            found.append(
                f"{who}: partition {number} has {expected} inputs and {sum(parts)} outcomes "
                f"({parts[0]} predictions, {parts[1]} dead letters)"
            )
    told = (figures.predictions, figures.dead_letters)
    read = (sum(outputs.predictions.counts), sum(outputs.dead_letters))
    if not found and told != read:
        found.append(f"{who}: claims {told} predictions and dead letters, its topics hold {read}")
    return found


def echo_faults(who: str, inputs: Content, outputs: Content) -> list[str]:
    """The first records of each partition must have come unchanged."""
    for number, batches in inputs.sample.items():
        wanted = [row for batch in batches for row in _rows(batch)]
        came = [row for batch in outputs.sample[number] for row in _rows(batch)]
        if wanted != came:
            return [f"{who}: partition {number} does not begin with the input's own records"]
    return []


@dataclass(slots=True)
class Scores:
    """Predictions of the first contender that made some, to hold the others against.

    Attributes:
        compared: Predictions held against another's so far.
    """

    _of: str = ""
    _by_position: dict[Position, Prediction] = field(default_factory=dict)
    compared: int = 0

    def faults(self, who: str, inputs: Content, outputs: Content, read: Read) -> list[str]:
        """What is wrong with the sample of ``who``; at most one line."""
        sources = {
            (number, offset): (key, time_ms)
            for number, batches in inputs.sample.items()
            for batch in batches
            for offset, (key, _, time_ms) in zip(batch.offset.tolist(), _rows(batch), strict=True)
        }
        found: dict[Position, Prediction] = {}
        for batches in outputs.sample.values():
            for key, value, time_ms in (row for batch in batches for row in _rows(batch)):
                (_, partition, offset), prediction = read(value)
                place = (partition, offset)
                if place in sources and sources[place] != (key, time_ms):
                    return [f"{who}: the prediction of {place} has another key or timestamp"]
                found[place] = prediction
        return self._hold(who, found)

    def _hold(self, who: str, found: dict[Position, Prediction]) -> list[str]:
        if not self._of:
            self._of, self._by_position = who, found
            return []
        common = sorted(found.keys() & self._by_position.keys())
        if not common:
            return [f"{who}: none of its first predictions is among those of {self._of}"]
        for place in common:
            self.compared += 1
            name = differing_field(self._by_position[place], found[place])
            if name is not None:
                return [f"{who}: {name} of {place} is another than that of {self._of}"]
        return []


def differing_field(one: Prediction, other: Prediction) -> str | None:
    """The first field in which two predictions differ by more than rounding."""
    for name in one.keys() | other.keys():
        if not _same(one.get(name), other.get(name)):
            return name
    return None


def _same(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        both_nan = math.isnan(one) and math.isnan(other)
        return both_nan or math.isclose(one, other, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return one == other


def _rows(batch: RecordBatch) -> list[tuple[bytes | None, bytes | None, int]]:
    return list(zip(batch.keys, batch.values, batch.timestamp_ms.tolist(), strict=True))
