"""The values that travel on the path: batches held as structs of arrays.

Decides how a batch lies in memory: one buffer of bytes with row offsets, numpy columns beside
it, one fault code a row. Refuses to know what the bytes mean, where they came from and where
they go. The steps of the path turn one of these into the next:

    RecordBatch --decode--> EventBatch --score--> ScoreBatch --encode--> OutputBatch

Rows keep their index from fetch to encode: row 7 of an ``EventBatch`` is row 7 of the
``RecordBatch`` it was decoded from, faulty rows included. Only tensors handed to a model are
compacted to the good rows, and ``ScoreBatch.rows`` remembers which those were.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Self

import numpy as np
import numpy.typing as npt

Int8Array = npt.NDArray[np.int8]
Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]
UInt8Array = npt.NDArray[np.uint8]
UInt16Array = npt.NDArray[np.uint16]
BoolArray = npt.NDArray[np.bool_]
Tensor = npt.NDArray[np.generic]
"""A model tensor: float32, float64, int64, bool, uint8 or object (Python strings)."""

Header = tuple[str, bytes | None]

NO_TIMESTAMP = -1
"""A record's ``timestamp_ms``, or an event's time, that is not known."""


@dataclass(frozen=True, slots=True)
class BytesColumn:
    """A column of byte strings: row ``i`` is ``data[offsets[i]:offsets[i + 1]]``.

    Attributes:
        data: All rows, one after another.
        offsets: int64, shape ``(n + 1,)``, not decreasing, ``offsets[0] == 0``.
        nulls: bool, shape ``(n,)``, true where the row is null (and then of length 0);
            ``None`` when no row is null.
    """

    data: bytes
    offsets: Int64Array
    nulls: BoolArray | None = None

    @classmethod
    def of(cls, rows: Sequence[bytes | None]) -> Self:
        """Join ``rows``; a ``None`` becomes a null row."""
        filled: Sequence[bytes] = rows  # type: ignore[assignment]  # a None is met at once
        nulls = None
        try:
            # Without looking for nulls first, which would cost half as much as all of this.
            data = b"".join(filled)
        except TypeError:
            nulls = np.fromiter((row is None for row in rows), dtype=np.bool_, count=len(rows))
            filled = [row or b"" for row in rows]
            data = b"".join(filled)
        offsets = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum(np.fromiter(map(len, filled), dtype=np.int64, count=len(rows)), out=offsets[1:])
        return cls(data, offsets, nulls)

    @classmethod
    def all_null(cls, length: int) -> Self:
        """A column of ``length`` null rows, such as the keys of records without keys."""
        return cls(b"", np.zeros(length + 1, dtype=np.int64), np.ones(length, dtype=np.bool_))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> bytes | None:
        if self.nulls is not None and self.nulls[row]:
            return None
        return self.data[self.offsets[row] : self.offsets[row + 1]]

    def __iter__(self) -> Iterator[bytes | None]:
        return self.rows_from(0)

    def rows_from(self, begin: int) -> Iterator[bytes | None]:
        """The rows from ``begin`` on, one by one."""
        bounds = self.offsets[begin:].tolist()
        rows = map(self.data.__getitem__, map(slice, bounds[:-1], bounds[1:]))
        if self.nulls is None:
            return rows
        nulls = self.nulls[begin:].tolist()
        return (None if null else row for row, null in zip(rows, nulls, strict=True))

    @property
    def all_rows_null(self) -> bool:
        """Whether every row is null, which lets a producer skip the column."""
        return self.nulls is not None and bool(self.nulls.all())

    def take(self, rows: npt.NDArray[np.intp]) -> Self:
        """The given rows, in the given order, as a column of their own."""
        starts = self.offsets[rows]
        sizes = self.offsets[rows + 1] - starts
        offsets = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum(sizes, out=offsets[1:])
        # Of each byte taken, where it lies: its row's start, and its place in the row.
        places = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], sizes)
        data = np.frombuffer(self.data, dtype=np.uint8)[places].tobytes()
        nulls = None if self.nulls is None else self.nulls[rows]
        return type(self)(data, offsets, nulls if nulls is not None and nulls.any() else None)


class TimestampType(IntEnum):
    """What a record's timestamp is, with the numbers that Kafka clients use."""

    NOT_AVAILABLE = 0
    CREATE_TIME = 1
    LOG_APPEND_TIME = 2


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """What one fetch brought, in the order of the fetch; all rows are of one topic.

    Attributes:
        topic: The input topic.
        values: The records' values; a null row is a tombstone.
        keys: The records' keys.
        partition: int32, shape ``(n,)``.
        offset: int64, shape ``(n,)``; increasing within a partition, not contiguous.
        timestamp_ms: int64, shape ``(n,)``; ``NO_TIMESTAMP`` where there is none.
        timestamp_type: int8, shape ``(n,)``, of :class:`TimestampType`.
        headers: Only the rows that have headers.
    """

    topic: str
    values: BytesColumn
    keys: BytesColumn
    partition: Int32Array
    offset: Int64Array
    timestamp_ms: Int64Array
    timestamp_type: Int8Array
    headers: Mapping[int, Sequence[Header]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.offset)

    def next_offsets(self) -> dict[int, int]:
        """For each partition seen, the offset to commit: the greatest offset + 1."""
        return {p: last + 1 for p, last in _last_of_each(self.partition, self.offset).items()}

    def first_offsets(self) -> dict[int, int]:
        """For each partition seen, the offset to seek to so that this batch comes again."""
        return _last_of_each(self.partition[::-1], self.offset[::-1])

    def take(self, rows: npt.NDArray[np.intp]) -> "RecordBatch":
        """The given rows as a batch of their own."""
        picked = rows.tolist() if self.headers else ()
        return RecordBatch(
            topic=self.topic,
            values=self.values.take(rows),
            keys=self.keys.take(rows),
            partition=self.partition[rows],
            offset=self.offset[rows],
            timestamp_ms=self.timestamp_ms[rows],
            timestamp_type=self.timestamp_type[rows],
            headers={
                new: self.headers[old] for new, old in enumerate(picked) if old in self.headers
            },
        )


def _last_of_each(partition: Int32Array, offset: Int64Array) -> dict[int, int]:
    """By partition, the offset in its last row."""
    if not len(partition):
        return {}
    last = np.full(int(partition.max()) + 1, -1, dtype=np.int64)
    last[partition] = offset  # of several rows the last stays
    seen = np.flatnonzero(last >= 0)
    return dict(zip(seen.tolist(), last[seen].tolist(), strict=True))


class Kind(IntEnum):
    """What a cell held before it became a number: the model may see NaN for several of these."""

    VALUE = 0
    NULL = 1
    NAN = 2
    POSITIVE_INFINITY = 3
    NEGATIVE_INFINITY = 4
    UNSEEN = 5


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Decoded events; row ``i`` comes from row ``i`` of the ``RecordBatch``.

    Attributes:
        tensors: By model input name, shape ``(n, ...)``. Rows with a fault hold anything.
        kinds: uint8, shape ``(n, features)``, of :class:`Kind`; the columns are the contract's
            features in its order (``Contract.feature_names``).
        event_time_ms: int64, shape ``(n,)``; ``NO_TIMESTAMP`` where the contract names no time.
        ids: The events' ids as UTF-8; an id that is a number is written in decimal.
        schema: int32, shape ``(n,)``: the writer schema, an index into ``schema_names``;
            -1 where the record did not get that far.
        schema_names: What dead letters and logs call each writer schema: a registry's id or GUID,
            or a fingerprint.
        fault: uint16, shape ``(n,)``, of :class:`~stream_app.core.faults.Fault`; 0 is good.
        fault_detail: For faulty rows, what was wrong, never with a value from the payload.
    """

    tensors: Mapping[str, Tensor]
    kinds: UInt8Array
    event_time_ms: Int64Array
    ids: BytesColumn
    schema: Int32Array
    schema_names: Sequence[str]
    fault: UInt16Array
    fault_detail: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.fault)

    @classmethod
    def undecoded(cls, fault: UInt16Array, fault_detail: Mapping[int, str]) -> Self:
        """Events of which nothing is known but why there are none."""
        count = len(fault)
        return cls(
            tensors={},
            kinds=np.zeros((count, 0), dtype=np.uint8),
            event_time_ms=np.full(count, NO_TIMESTAMP, dtype=np.int64),
            ids=BytesColumn.all_null(count),
            schema=np.full(count, -1, dtype=np.int32),
            schema_names=(),
            fault=fault,
            fault_detail=fault_detail,
        )

    def good_rows(self) -> npt.NDArray[np.intp]:
        """Indexes of the rows without a fault, in order."""
        return np.flatnonzero(self.fault == 0)


@dataclass(frozen=True, slots=True)
class ScoreBatch:
    """What the model made of an ``EventBatch``.

    Attributes:
        rows: intp, shape ``(k,)``: the event rows that the output rows belong to, in order.
        outputs: By model output name, shape ``(k, ...)``.
        fault: uint16, shape ``(n,)``: the events' faults and those found while scoring; ``rows``
            are exactly the rows where it is 0.
        fault_detail: As in ``EventBatch``, for both.
    """

    rows: npt.NDArray[np.intp]
    outputs: Mapping[str, Tensor]
    fault: UInt16Array
    fault_detail: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OutputBatch:
    """Records to deliver to one topic, each caused by one row of a ``RecordBatch``.

    Attributes:
        topic: The output topic.
        rows: intp, shape ``(k,)``: for each record, the input row that it is the outcome of.
        values: The records' values.
        keys: The records' keys.
        partition: int32, shape ``(k,)``; -1 lets the partitioner choose by key.
        timestamp_ms: int64, shape ``(k,)``; ``NO_TIMESTAMP`` means now.
        headers: Only the records that have headers, by index into this batch.
    """

    topic: str
    rows: npt.NDArray[np.intp]
    values: BytesColumn
    keys: BytesColumn
    partition: Int32Array
    timestamp_ms: Int64Array
    headers: Mapping[int, Sequence[Header]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)
