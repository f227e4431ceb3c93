"""What the path asks of the world, and what each side owes the other.

Decides the duties; knows no library that fulfils them. Everything here runs on one thread, the
loop's, unless a method says otherwise. Errors are those of ``errors.py`` and no others.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from stream_app.core.columns import (
    BytesColumn,
    EventBatch,
    OutputBatch,
    RecordBatch,
    ScoreBatch,
    Tensor,
)
from stream_app.core.positions import GroupMembership, NextOffset
from stream_app.processor import Processor
from stream_app.surroundings import Clock, Telemetry, Watchdog

__all__ = [
    "Clock",
    "Decoder",
    "Encoder",
    "Model",
    "Processor",
    "RebalanceListener",
    "Sink",
    "Source",
    "Telemetry",
    "Watchdog",
]


class RebalanceListener(Protocol):
    """Called by a source's ``fetch``, ``renew`` and ``close``, which raise what this raises."""

    def assigned(self, partitions: Sequence[int]) -> None:
        """These partitions are now ours. Only book-keeping is allowed here: no I/O, no seek."""

    def revoked(self, partitions: Sequence[int]) -> None:
        """These partitions go to another member when this returns: commit or abort now."""

    def lost(self, partitions: Sequence[int]) -> None:
        """These partitions have gone already: abort, never commit."""


class Source(Protocol):
    """One input topic, read as a member of a consumer group."""

    def open(self, listener: RebalanceListener) -> None:
        """Join the group. Partitions come later, through the listener, during ``fetch``.

        Raises:
            RetriableError: not now; may be called again.
            ConfigError: a start policy says that it must not begin by itself.
        """

    def fetch(self, max_records: int, wait_s: float) -> RecordBatch:
        """Bring what is there, at most ``max_records``; wait at most ``wait_s`` for the first.

        Rows that belong to an assignment older than the present one are left out, and come again
        if their partition is still ours. May call the listener, also when it brings nothing; of a
        partition whose place is to be chosen anew too.

        Raises:
            FatalError: the client is dead, or a start policy says "fail"; nothing may be committed
                any more.
        """

    def assignment(self) -> frozenset[int]:
        """The partitions that are ours."""

    @property
    def topic_id(self) -> str:
        """Which topic this is, whatever its name; committed with its offsets. May be empty."""

    def membership(self) -> GroupMembership:
        """Our standing in the group now; cheap, does not block."""

    def seek(self, offsets: Mapping[int, int]) -> None:
        """Fetch these partitions from these offsets next; those not ours are left alone.

        Call only between fetches.
        """

    def rewind(self, fallback: Mapping[int, int]) -> None:
        """Fetch all partitions of ``fallback`` that are ours from their committed offsets next.

        A partition without a committed offset goes to its offset in ``fallback``. Call only
        between fetches. Blocks for a bounded time.

        Raises:
            RetriableError: the committed offsets could not be read; nothing was changed.
        """

    def pause(self) -> None:
        """Bring no records, of coming assignments neither, until ``resume``; do go on fetching."""

    def resume(self) -> None:
        """Bring records again; does nothing when not paused."""

    def drained(self) -> Mapping[int, int]:
        """Of the partitions that are ours and known to have nothing left, the next offset."""

    def lag(self) -> Mapping[int, int]:
        """Records behind the end, by partition, as far as the client knows it; does not block."""

    @property
    def needs_renewal(self) -> bool:
        """Whether the client is over, all told as lost, and a new one may have more luck."""

    def renew(self) -> None:
        """Leave the group and join it again with a new client, whose credentials are read anew.

        Calls ``revoked`` first, or ``lost`` if the client was over; what comes back is told to
        ``assigned`` by a later fetch. Call only between fetches, and with no unit open.

        Raises:
            RetriableError: not now; call again.
        """

    def close(self) -> None:
        """Leave the group; calls ``revoked`` first. Safe to call twice."""


class Sink(Protocol):
    """Where outcomes and offsets go, as one unit: all of it is committed, or none of it.

    The order is ``begin``, any number of ``deliver``, then ``commit`` or ``abort``. After
    ``AbortedError`` from any of them the unit must be aborted before the next ``begin``.
    """

    def open(self) -> None:
        """Connect, and undo what a dead predecessor of the same identity left open.

        Raises:
            RetriableError: not now.
            FatalError: never with these settings or rights.
        """

    def begin(self) -> None:
        """Start a unit."""

    def deliver(self, outputs: OutputBatch) -> npt.NDArray[np.intp]:
        """Hand over all records of ``outputs``; waits while the client's queue is full.

        Returns:
            Indexes into ``outputs`` of the records that are larger than the topic accepts.
            They were not handed over; every other one was.

        Raises:
            AbortedError: the unit failed and must be aborted.
        """

    def commit(
        self,
        offsets: Mapping[int, NextOffset],
        membership: GroupMembership,
        deadline_s: float,
    ) -> None:
        """Commit the unit and ``offsets``; when this returns, both are there for ever.

        An unclear answer is asked for again until it is clear, so that this never returns or
        raises with the outcome unknown, but for ``FencedError``.

        Args:
            offsets: By input partition.
            membership: Taken right after the last fetch, or in ``revoked``.
            deadline_s: On the monotonic clock; past it, give up and raise ``AbortedError`` if
                that can still be done. An outcome that only the brokers know is waited for.

        Raises:
            AbortedError: not committed; must be aborted.
            FencedError: this producer is over. Whether the unit was committed is what the
                committed offsets say.
        """

    def abort(self) -> None:
        """Undo the unit, if one is open. Raises ``FencedError`` as ``commit`` does."""

    def rebuild(self) -> None:
        """Make the producer anew, with the same identity, after ``FencedError``.

        Raises:
            FencedError: this happened too often: a twin uses the same identity.
            RetriableError: not now; call again.
        """

    def renew(self) -> None:
        """Make the producer anew with credentials read anew, as often as they change.

        Raises:
            RetriableError: not now; call again.
        """

    def close(self) -> None:
        """Abort what is open and release the client. Safe to call twice."""


class Decoder(Protocol):
    """From records to model input, in columns."""

    def decode(self, records: RecordBatch) -> EventBatch:
        """Decode every row; a bad one gets a fault, never an exception.

        Raises:
            RetriableError: a writer schema is not known yet and the registry does not answer.
        """


class Model(Protocol):
    """One version of a model, loaded and warm."""

    @property
    def name(self) -> str:
        """The model's name in its repository."""

    @property
    def version(self) -> str:
        """The model's version in its repository."""

    @property
    def content_hash(self) -> str:
        """First 12 hex digits of the SHA-256 of the model's bytes."""

    def run(self, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Score rows.

        Args:
            tensors: By input name; all have the same, positive, number of rows.

        Returns:
            By output name, as many rows.

        Raises:
            ModelRunError: at least one row makes the model fail.
            DeviceOutOfMemoryError: too many rows at once.
            FatalError: the device is lost; only a new process helps.
        """


class Encoder(Protocol):
    """From scores to the values of prediction records."""

    def encode(
        self, records: RecordBatch, events: EventBatch, scores: ScoreBatch
    ) -> tuple[BytesColumn, Mapping[int, str]]:
        """Encode one prediction for each row of ``scores.rows``.

        Returns:
            One value a row of ``scores.rows``, in order (null where it failed); and, by position
            in ``scores.rows``, what was wrong with those that failed, without payload values.
        """
