"""What drift partials say together, added up while they are read.

Decides which of them count: those whose records are all still there and were committed before
outcomes were read, so that each outcome that they tell of must have been seen. Holds numbers by
window and ranges of the input, never records: 16 bytes a transaction and input partition. Refuses
to know bytes.
"""

from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from stream_app.verify.logs import Offsets
from stream_app.verify.report import Finding

Model = tuple[str, str]
"""Name and version."""

PRIMARY = "primary"
"""The role of those predictions that are in the predictions topic."""

_PARTS_APART = 1_000
"""Transactions of other workers between the parts of one: no more than there are workers."""


@dataclass(frozen=True, slots=True)
class PartialRecord:
    """One record of the partials topic.

    Attributes:
        model: Whose predictions it counted.
        role: What they were for.
        window_ms: Length of its windows.
        part: A transaction with very many windows has several, numbered from 0, with the same
            ranges.
        ranges: Of the input: partition, first and last offset; idle ones are left out.
        rows: Predictions, by start of their window.
        rows_without_time: Predictions in no window.
        letters: Dead letters by code, in windows or in none.
    """

    model: Model
    role: str
    window_ms: int
    part: int
    ranges: tuple[tuple[int, int, int], ...]
    rows: Mapping[int, int]
    rows_without_time: int
    letters: Mapping[str, int]


@dataclass(slots=True)
class Ranges:
    """Of one input partition."""

    first: "array[int]" = field(default_factory=lambda: array("q"))
    last: "array[int]" = field(default_factory=lambda: array("q"))

    def add(self, first: int, last: int) -> None:
        """One more."""
        self.first.append(first)
        self.last.append(last)

    def sorted(self) -> tuple[Offsets, Offsets]:
        """First and last offsets, by the first ones."""
        first = np.array(self.first, dtype=np.int64)
        order = np.argsort(first, kind="stable")
        return first[order], np.array(self.last, dtype=np.int64)[order]


@dataclass(slots=True)
class PartialSums:
    """All partials of a topic.

    Attributes:
        judged: By input partition: from its first record to what was committed before outcomes
            were read, exclusive.
        records: How many partials.
        ranges: By model and input partition: what was covered.
        settled: By input partition: of those partials that count.
        rows: Predictions by model, length and start of the window; these and the following of
            partials that count.
        timeless: Predictions in no window, by model.
        letters: Dead letters, by model and code.
        roles: Partials of other roles, which tell of other predictions.
        unreadable: Records that are no partials.
        deleted: What retention has taken of them; the rest is judged.
        hanging: Partitions with a transaction that nobody ends.
    """

    judged: Mapping[int, range]
    records: int = 0
    ranges: dict[tuple[Model, int], Ranges] = field(default_factory=dict)
    settled: dict[int, Ranges] = field(default_factory=dict)
    rows: Counter[tuple[Model, int, int]] = field(default_factory=Counter)
    timeless: Counter[Model] = field(default_factory=Counter)
    letters: Counter[tuple[Model, str]] = field(default_factory=Counter)
    roles: Counter[str] = field(default_factory=Counter)
    unreadable: Finding = field(default_factory=Finding)
    deleted: str = ""
    hanging: Finding = field(default_factory=Finding)

    @property
    def models(self) -> set[Model]:
        """Those that are counted."""
        return {model for model, _ in self.ranges}

    def take(self, partial: PartialRecord) -> None:
        """One more."""
        self.records += 1
        if partial.role != PRIMARY:
            self.roles[partial.role] += 1
            return
        model = partial.model
        counts = all(self._is_judged(*of) for of in partial.ranges)
        if partial.part and not self._is_known(partial):
            return  # its first part was deleted, or is missed where it lacks
        if partial.part == 0:
            for partition, first, last in partial.ranges:
                self.ranges.setdefault((model, partition), Ranges()).add(first, last)
                if counts:
                    self.settled.setdefault(partition, Ranges()).add(first, last)
        if counts:
            for start, rows in partial.rows.items():
                self.rows[model, partial.window_ms, start] += rows
            self.timeless[model] += partial.rows_without_time
            for code, count in partial.letters.items():
                self.letters[model, code] += count

    def _is_judged(self, partition: int, first: int, last: int) -> bool:
        judged = self.judged.get(partition, range(0))
        return first in judged and last in judged

    def _is_known(self, partial: PartialRecord) -> bool:
        """Whether the first part of its transaction was there."""
        known = [self.ranges.get((partial.model, p), Ranges()) for p, _, _ in partial.ranges]
        return all(
            last in of.last[-_PARTS_APART:]
            for of, (_, _, last) in zip(known, partial.ranges, strict=True)
        )
