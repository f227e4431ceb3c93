"""Whether what came out is right: a prediction for each event, and the right one.

Decides when a figure may be shown. Pure: knows two sets of columns, and nothing of where they come
from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tests.bench.peers.catalogue import Claim

Numbers = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]

TOLERANCE: Final = 1e-5
"""Scores may differ in their last bits with the batch that a row was in."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Events or predictions, a row each.

    Attributes:
        number: Of the event, as its id has it.
        score: Of the event.
        origin: By row: the event's time, partition and offset.
    """

    number: Numbers
    score: Scores
    origin: Numbers

    def __len__(self) -> int:
        return len(self.number)


def origins(rows: Sequence[Sequence[int]]) -> Numbers:
    """Times, partitions and offsets as an array, also of no rows."""
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


def faults(expected: Columns, found: Columns, claim: Claim) -> list[str]:
    """What is wrong with a run, one line each; empty for a good one.

    Nothing was killed, so nothing may be missing, whoever it is; only exactly once forbids that
    something comes twice.

    Args:
        expected: Each event once, in the order of its numbers, from 0.
        found: All predictions.
        claim: What is promised.
    """
    known = (found.number >= 0) & (found.number < len(expected))
    told = []
    if not known.all():
        told.append(f"{_count(~known)} predictions of events that there are not")
    number = found.number[known]
    times = np.bincount(number, minlength=len(expected))
    if (times == 0).any():
        told.append(f"{_count(times == 0)} events without a prediction")
    if (times > 1).any() and claim is Claim.EXACTLY_ONCE:
        told.append(f"{_count(times > 1)} events with more than one prediction")
    off = np.abs(found.score[known] - expected.score[number])
    # Not `off > TOLERANCE`: a score that is no number would pass.
    wrong = ~(off <= TOLERANCE * np.maximum(1.0, np.abs(expected.score[number])))
    if wrong.any():
        told.append(f"{_count(wrong)} scores are wrong, by up to {np.nanmax(off):.2g}")
    strange = (found.origin[known] != expected.origin[number]).any(axis=1)
    if strange.any():
        told.append(f"{_count(strange)} predictions name another time, partition or offset")
    return told


def repeated(found: Columns) -> int:
    """Predictions beyond the first of their event."""
    return len(found) - len(np.unique(found.number))


def _count(mask: npt.NDArray[Any]) -> int:
    return int(np.count_nonzero(mask))
