"""What lies in the topics, as columns: the only evidence that the verdict may use.

Decides how an input and an output partition are held: positions, never payloads. Refuses to know
how they were read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

Offsets = npt.NDArray[np.int64]

NO_TIME = -1
"""Of an outcome whose event and record have none."""

UNKNOWN_TIME = -2
"""Of an outcome that does not tell its record's."""


class Kind(StrEnum):
    """What an outcome is."""

    PREDICTION = "prediction"
    DEAD_LETTER = "dead_letter"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One record of an output topic; the reader keeps columns, this is for a few and for tests.

    Attributes:
        topic: Output topic.
        partition: Output partition.
        offset: Output offset.
        kind: Prediction or dead letter.
        source_partition: Of the input record that it answers; -1 when it names none of ours.
        source_offset: Likewise.
        code: Fault code of a dead letter.
    """

    topic: str
    partition: int
    offset: int
    kind: Kind
    source_partition: int
    source_offset: int
    code: str = ""

    def __str__(self) -> str:
        source = f"input[{self.source_partition}]@{self.source_offset}"
        if self.source_partition < 0:
            source = "no readable source"
        return f"{self.topic}[{self.partition}]@{self.offset} ({source})"


@dataclass(frozen=True, slots=True)
class InputLog:
    """One partition of the input, re-read.

    Attributes:
        partition: Its number.
        begin: First offset still there.
        offsets: Of all committed records, ascending; gaps are markers and aborted records.
        stable_end: Where reading stopped (exclusive).
        end: The end when everything else had been read; records from ``stable_end`` on exist
            and are not judged.
        committed: The group's offset before outcomes were read, ``begin`` where it has none;
            ``None`` judges all records.
        committed_after: The group's offset after they were read, 0 where it has none.
    """

    partition: int
    begin: int
    offsets: Offsets
    stable_end: int
    end: int
    committed: int | None
    committed_after: int | None

    @property
    def due(self) -> int:
        """What is before it must have been answered when outcomes were read."""
        return self.stable_end if self.committed is None else self.committed


@dataclass(frozen=True, slots=True)
class OutputLog:
    """One partition of an output topic, as columns in the order of its log.

    Attributes:
        topic: Output topic.
        partition: Its number.
        kind: What its records are.
        begin: First offset still there.
        stable_end: Where reading stopped (exclusive): the first offset of the oldest open
            transaction, or the end.
        end: The end of the log when it was first looked at.
        offsets: Output offsets.
        source_partition: By record; -1 when it names no record of this input topic.
        source_offset: By record.
        codes: Number of dead letters by code.
        time_ms: By record, the time of what it answers, or one of those without; this and the
            following are empty unless drift is judged.
        groups: By record, which of ``group_names`` it is of.
        group_names: Model and its version; of dead letters the code too.
    """

    topic: str
    partition: int
    kind: Kind
    begin: int
    stable_end: int
    end: int
    offsets: Offsets
    source_partition: Offsets
    source_offset: Offsets
    codes: Mapping[str, int] = field(default_factory=dict)
    time_ms: Offsets = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    groups: Offsets = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    group_names: Sequence[tuple[str, ...]] = ()

    def outcome(self, row: int) -> Outcome:
        """One record, for a message."""
        return Outcome(
            self.topic,
            self.partition,
            int(self.offsets[row]),
            self.kind,
            int(self.source_partition[row]),
            int(self.source_offset[row]),
        )
