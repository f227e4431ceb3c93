"""What a window counted, as one short name: equal counts have equal hashes, on every machine.

Decides the canonical bytes. Two hashes: of what came in, which depends on the events alone; and
of what models answered, which may differ in the last bits by the size of a batch.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from stream_app.core.columns import Int64Array
from stream_app.core.drift.layout import Layout
from stream_app.core.drift.reference import Role

_DIGITS = 16


@dataclass(frozen=True, slots=True)
class WindowHashes:
    """First 16 hex digits of SHA-256, each.

    Attributes:
        inputs: Of the window's place, rows, dead letters, input columns and their co-moments.
        outputs: Of output columns and scores.
    """

    inputs: str
    outputs: str


def window_hashes(
    layout: Layout,
    state: Int64Array,
    start_ms: int,
    length_ms: int,
    rows: int,
    letters: Mapping[int, int],
) -> WindowHashes:
    """The hashes of a window, or of a roll-up.

    All numbers are written as 8 bytes, little-endian: start, length, rows, how many kinds of dead
    letters, each code and count in the order of codes, then of each input column its section of
    the state, then of the correlated columns how many rows, their sums and their co-moments.
    """
    kinds = sorted((code, count) for code, count in letters.items() if count)
    head = [start_ms, length_ms, rows, len(kinds), *(number for kind in kinds for number in kind)]
    inputs, outputs = hashlib.sha256(_bytes(np.array(head, dtype=np.int64))), hashlib.sha256()
    for column, section in zip(layout.reference.columns, layout.sections, strict=True):
        side = inputs if column.origin.role is Role.INPUT else outputs
        side.update(_bytes(state[section.begin : section.end]))
    inputs.update(_bytes(state[layout.co_rows : layout.scores]))
    outputs.update(_bytes(state[layout.scores :]))
    return WindowHashes(inputs.hexdigest()[:_DIGITS], outputs.hexdigest()[:_DIGITS])


def _bytes(numbers: Int64Array) -> bytes:
    return numbers.astype("<i8").tobytes()
