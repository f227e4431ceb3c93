"""What the drift aggregator asks of the world, beside what every processor does (``ports.py``).

Decides the duties; knows no library that fulfils them. Everything here runs on the loop's thread.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from stream_app.core.columns import BytesColumn
from stream_app.core.drift.layout import Layout
from stream_app.core.drift.partial import Partial, Stream
from stream_app.core.drift.window_report import WindowReport
from stream_app.core.faults import Fault
from stream_app.core.positions import NextOffset


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Bytes that are no partial: why, without values from them."""

    fault: Fault
    detail: str


class PartialDecoder(Protocol):
    """From bytes to partials."""

    def decode(self, values: BytesColumn) -> Sequence[Partial | Unreadable]:
        """One answer a row; possible in itself, though its counts may fit no reference."""


class WindowEncoder(Protocol):
    """From reports to the values of window records."""

    def encode(self, report: WindowReport) -> bytes:
        """The value of one record."""


class References(Protocol):
    """The references of all models that there are."""

    def of(self, stream: Stream) -> Layout:
        """How the stream's states lie in memory; the same object each time.

        Raises:
            RetriableError: it is not there; it may come, as versions are rolled out.
        """


@dataclass(frozen=True, slots=True)
class ChangelogPiece:
    """What was read of a changelog.

    Attributes:
        entries: Partition, key and value of each record, each partition in order; a value of
            ``None`` is a tombstone.
        next_offsets: By partition, where to read on.
        ended: Partitions that have nothing more, as of when the reading began.
    """

    entries: Sequence[tuple[int, bytes | None, bytes | None]]
    next_offsets: Mapping[int, int]
    ended: frozenset[int]


class Changelog(Protocol):
    """The topic that holds the aggregator's state, a partition beside each of partials."""

    def read(self, starts: Mapping[int, int], within_s: float) -> ChangelogPiece:
        """Committed records from these offsets on; blocks for about ``within_s`` at most.

        Raises:
            RetriableError: not now.
            FatalError: never; says what to do.
        """

    def committed(self, partitions: Collection[int]) -> Mapping[int, NextOffset | None]:
        """What the group has committed of these partitions of partials, and not only begun to.

        Raises:
            RetriableError: not now; a transaction of somebody else is not ended yet, perhaps.
        """

    def rest(self) -> None:
        """Nothing is read for a while: release the client."""
