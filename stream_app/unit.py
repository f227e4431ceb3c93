"""What is open: the rows whose outcomes were delivered but not committed yet.

Decides which offsets a commit carries and where to read again if it never comes. Refuses to know
how either is done.
"""

from dataclasses import dataclass, field

from stream_app.core.batching import OpenUnit
from stream_app.core.columns import NO_TIMESTAMP, RecordBatch
from stream_app.core.positions import GroupMembership


@dataclass(slots=True)
class Unit:
    """One transaction's worth, or one commit's when delivery is at least once.

    Attributes:
        begun_s: On the monotonic clock.
        membership: Of the member that began it.
        records: Whose outcomes were delivered.
        first: By partition, the first offset that it touched: where to read again.
        next: By partition, the offset to commit.
        oldest_ms: Of the records' timestamps.
    """

    begun_s: float
    membership: GroupMembership
    records: int = 0
    first: dict[int, int] = field(default_factory=dict)
    next: dict[int, int] = field(default_factory=dict)
    oldest_ms: int | None = None

    def as_open(self, now_s: float, wall_ms: int) -> OpenUnit:
        """What its end depends on, at this time on both clocks."""
        age_s = None
        if self.oldest_ms is not None:
            age_s = max(0.0, (wall_ms - self.oldest_ms) / 1000.0 - (now_s - self.begun_s))
        return OpenUnit(self.begun_s, self.records, age_s)

    def touch(self, records: RecordBatch) -> None:
        """The outcomes of these are about to be delivered; from now on an abort concerns them."""
        for partition, offset in records.first_offsets().items():
            self.first.setdefault(partition, offset)

    def add(self, records: RecordBatch) -> None:
        """All their outcomes were delivered."""
        self.records += len(records)
        self.next.update(records.next_offsets())
        known = records.timestamp_ms[records.timestamp_ms != NO_TIMESTAMP]
        if len(known):
            oldest = int(known.min())
            self.oldest_ms = oldest if self.oldest_ms is None else min(self.oldest_ms, oldest)
