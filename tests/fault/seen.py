"""What a reader saw of an output partition, and how two readings of it differ.

Decides what a record is to a reader, its place and a fingerprint of its bytes, and which
differences break a promise: a record read that is not there later (an aborted read, or lost after
it was read), one that changed, one read twice, one read out of order, one that was never shown.
"""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from stream_app.adapters.verifier.kafka import Ends
from stream_app.verify import Kind

SHOWN = 3
"""Places named for each kind of difference."""


@dataclass
class Seen:
    """What was read of one output partition, in the order of reading; 32 bytes a record.

    Attributes:
        kind: What its records are.
        offsets: Where they lie.
        prints: A hash of key, value and headers.
        source_partition: Of the event that each answers; -1 where it does not say.
        source_offset: Likewise.
    """

    kind: Kind
    offsets: "array[int]" = field(default_factory=lambda: array("q"))
    prints: "array[int]" = field(default_factory=lambda: array("q"))
    source_partition: "array[int]" = field(default_factory=lambda: array("q"))
    source_offset: "array[int]" = field(default_factory=lambda: array("q"))

    def add(self, message: Any, source: tuple[int, int]) -> None:
        self.offsets.append(message.offset())
        self.prints.append(hash((message.key(), message.value(), tuple(message.headers() or ()))))
        self.source_partition.append(source[0])
        self.source_offset.append(source[1])

    def named(self, row: int) -> str:
        """A record, for a message."""
        event = f"input[{self.source_partition[row]}]@{self.source_offset[row]}"
        return f"@{self.offsets[row]} ({self.kind.value} of {event})"


def differences(seen: Seen, fresh: Seen, ends: Ends) -> list[str]:
    """What was seen live of a partition otherwise than a fresh reading of it has it.

    Args:
        seen: Live; records from the stable end on have come since, and are left aside.
        fresh: From the beginning to the stable end.
        ends: Of that reading; what was deleted before its beginning cannot be compared.
    """
    rows = [r for r, offset in enumerate(seen.offsets) if ends.begin <= offset < ends.stable]
    there = dict(zip(fresh.offsets, fresh.prints, strict=True))
    first = {seen.offsets[row]: row for row in reversed(rows)}
    kinds = {
        "read live and not there now (an aborted read, or lost after it was read)": (
            seen.named(row) for row in rows if seen.offsets[row] not in there
        ),
        "another content live than now": (
            seen.named(row)
            for row in rows
            if there.get(seen.offsets[row], seen.prints[row]) != seen.prints[row]
        ),
        "read twice": (seen.named(row) for row in rows if first[seen.offsets[row]] != row),
        "read out of order": (
            seen.named(row)
            for before, row in pairwise(rows)
            if seen.offsets[row] < seen.offsets[before]
        ),
        "there now and never read live": (
            fresh.named(row) for row, offset in enumerate(fresh.offsets) if offset not in first
        ),
    }
    return [line for what, places in kinds.items() for line in _line(what, places)]


def _line(what: str, places: Iterator[str]) -> Iterator[str]:
    found = list(places)
    if found:
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        yield f"{len(found)} {what}: {', '.join(found[:SHOWN])}{more}"
