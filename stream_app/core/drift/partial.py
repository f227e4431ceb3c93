"""What one transaction tells of its windows, and what it covers.

Decides the values; refuses to know bytes (``adapters/drift/partial_codec.py``) and how states are
counted (``counter.py``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from stream_app.core.columns import NO_TIMESTAMP

SEPARATOR = "/"


@dataclass(frozen=True, slots=True)
class Stream:
    """Whose windows: those of different streams never meet.

    Attributes:
        model_name: Whose predictions.
        model_version: Likewise.
        role: What its predictions were for: ``primary``, or later ``canary``, ``shadow``.
        reference_id: With whose bins it was counted.
        window_ms: How long its windows are.
    """

    model_name: str
    model_version: str
    role: str
    reference_id: str
    window_ms: int

    def to_key(self) -> str:
        """As the key of its records: all of a stream are in one partition."""
        return SEPARATOR.join(
            [
                self.model_name,
                self.model_version,
                self.role,
                self.reference_id,
                str(self.window_ms),
            ]
        )


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a transaction did of one input partition.

    Attributes:
        partition: Of the input.
        first: Offset of its first record; of an idle partition the next offset.
        last: Of its last record; of an idle partition one less.
        greatest_ms: The latest event time among its good rows; ``NO_TIMESTAMP``: there is none.
        is_idle: Its owner found nothing more for a while: the others need not wait for it.
    """

    partition: int
    first: int
    last: int
    greatest_ms: int = NO_TIMESTAMP
    is_idle: bool = False


class Form(IntEnum):
    """How the counts of a window are written; both give the same state."""

    SPARSE = 0
    """Gap and amount of all numbers of the state that are not nought, as varints."""
    ROWS = 1
    """The cells of each row, as varints: shorter, for a handful of rows."""


@dataclass(frozen=True, slots=True)
class WindowDelta:
    """What a transaction adds to one window.

    Attributes:
        start_ms: Of the window, since 1970, inclusive.
        rows: Predictions in it.
        letters: Dead letters whose event time is known to be in it, by fault code.
        form: Of ``counts``.
        counts: See ``layout.py``; empty if there are no rows.
    """

    start_ms: int
    rows: int
    letters: Mapping[int, int]
    form: Form
    counts: bytes


@dataclass(frozen=True, slots=True)
class Partial:
    """One record of the partials topic.

    Attributes:
        stream: Whose windows.
        instance: Which worker wrote it.
        part: A transaction that touches very many windows writes several, numbered from 0; they
            have the same coverage, and other windows.
        parts: How many.
        coverage: Of every row of the transaction, by input partition in increasing order.
        windows: By start.
        rows_without_time: Predictions whose event time is not known: in no window.
        letters_without_time: Dead letters, likewise, by fault code.
    """

    stream: Stream
    instance: str
    part: int
    parts: int
    coverage: tuple[Coverage, ...]
    windows: tuple[WindowDelta, ...]
    rows_without_time: int = 0
    letters_without_time: Mapping[int, int] = field(default_factory=dict)
