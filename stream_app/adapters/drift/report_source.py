"""The windows of a report: from the topic or from a file, each in its greatest revision.

Decides which stream is told of when several are found, and how many of its windows at most, so
that neither memory nor a page grows with the age of a topic. Refuses to know what windows say.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import fastavro

from stream_app.adapters.drift.framed_records import FramedRecords
from stream_app.adapters.drift.parts import PRIMARY
from stream_app.adapters.drift.window_codec import WindowCodec
from stream_app.adapters.kafka.admin import KafkaAdmin
from stream_app.adapters.kafka.offsets import end_offsets, start_offsets
from stream_app.adapters.kafka.reader import read_records
from stream_app.core.drift.partial import Stream
from stream_app.core.drift.window_report import WindowHead, WindowReport
from stream_app.drift_report import DriftReport
from stream_app.errors import ConfigError, DataError
from stream_app.ports_drift import Unreadable
from stream_app.settings import Settings

MOST_WINDOWS = 2_000
"""Of a stream; a week of windows of five minutes."""

MOST_CELLS = 20_000
"""Columns times windows."""

FEWEST_WINDOWS = 24
"""However many columns there are."""

Told = Callable[[float, int], None]
"""Is told how much of the source was read, from 0 to 1, and how many records."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which windows.

    Attributes:
        model: Its name; empty: any.
        version: Likewise.
        role: Likewise.
        since_ms: Windows that begin then or later; ``None``: all.
        until_ms: Windows that begin before.
        roll_up_ms: Roll-ups of this length; ``None``: the windows themselves.
    """

    model: str = ""
    version: str = ""
    role: str = ""
    since_ms: int | None = None
    until_ms: int | None = None
    roll_up_ms: int | None = None

    def takes(self, head: WindowHead) -> bool:
        """Whether this window is one."""
        stream, start_ms = head.stream, head.start_ms
        return (
            self.takes_stream(stream)
            and head.length_ms == (self.roll_up_ms or stream.window_ms)
            and (self.since_ms is None or start_ms >= self.since_ms)
            and (self.until_ms is None or start_ms < self.until_ms)
        )

    def takes_stream(self, stream: Stream) -> bool:
        """Whether its windows may be."""
        return (
            self.model in {"", stream.model_name}
            and self.version in {"", stream.model_version}
            and self.role in {"", stream.role}
        )


@dataclass(slots=True)
class _OfStream:
    """What was found of one stream: by start, revision and value of the newest windows."""

    newest: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    starts: set[int] = field(default_factory=set)

    def add(self, head: WindowHead, value: bytes) -> None:
        self.starts.add(head.start_ms)
        revision, _ = self.newest.get(head.start_ms, (0, b""))
        if head.revision > revision:
            self.newest[head.start_ms] = head.revision, value
        if len(self.newest) > 2 * MOST_WINDOWS:
            for start in sorted(self.newest)[:-MOST_WINDOWS]:
                del self.newest[start]


class Shelf:
    """Takes window records in any order, and keeps what a report needs."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._codec = WindowCodec()
        self._streams: dict[Stream, _OfStream] = {}
        self._seen: set[tuple[Stream, int]] = set()
        self.unreadable = 0
        self.reason = ""

    def add(self, value: bytes | None) -> None:
        """One record's value; what is no window is counted, and the first reason kept."""
        window = self._codec.decode(value)
        if isinstance(window, Unreadable):
            self.unreadable += 1
            self.reason = self.reason or f"{window.fault.name}: {window.detail}"
            return
        head = window.head
        self._seen.add((head.stream, head.length_ms))
        if value is not None and self._wanted.takes(head):
            self._streams.setdefault(head.stream, _OfStream()).add(head, value)

    def report(self, where: str) -> DriftReport:
        """Of the stream that is wanted: of several the primary's, and of those the newest.

        Args:
            where: The windows were looked for; stands in messages.

        Raises:
            DataError: there is no window, or none that is wanted.
        """
        if not self._streams:
            raise DataError(self._why_none(where))
        stream = max(self._streams, key=self._preference)
        found = self._streams[stream]
        starts = sorted(found.newest)
        last = self._decoded(found, starts[-1])
        starts = starts[-most_windows(len(last.columns)) :]
        return DriftReport(
            stream=stream,
            length_ms=last.head.length_ms,
            windows=tuple(self._decoded(found, start) for start in starts),
            left_out=len(found.starts) - len(starts),
            others=tuple(
                (other, len(self._streams[other].starts))
                for other in sorted(self._streams, key=Stream.to_key)
                if other != stream
            ),
        )

    def _decoded(self, found: _OfStream, start: int) -> WindowReport:
        window = self._codec.decode(found.newest[start][1])
        if isinstance(window, Unreadable):
            raise TypeError(f"read once, and not again: {window.detail}")
        return window

    def _preference(self, stream: Stream) -> tuple[bool, int, str]:
        return stream.role == PRIMARY, max(self._streams[stream].starts), stream.to_key()

    def _why_none(self, where: str) -> str:
        if not self._seen:
            broken = f" ({self.unreadable:,} records are none: {self.reason})"
            return (
                f"{where} holds no windows{broken if self.unreadable else ''}; they are told of by "
                "`stream-app drift aggregate` once scorers count and the first window is closed"
            )
        streams = {stream for stream, _ in self._seen}
        named = ", ".join(sorted(map(told_stream, streams)))
        if not any(map(self._wanted.takes_stream, streams)):
            return f"{where} holds no windows of that model, version and role, but of {named}"
        length_ms = self._wanted.roll_up_ms
        if length_ms and not any(found == length_ms for _, found in self._seen):
            return (
                f"{where} holds no roll-ups of that length yet: they come when all of their "
                "windows are final; leave --roll-up out"
            )
        return f"{where} holds no windows of {named} in that time; see --since and --until"


def most_windows(columns: int) -> int:
    """How many windows a report has at most."""
    return min(MOST_WINDOWS, max(FEWEST_WINDOWS, MOST_CELLS // max(1, columns)))


def told_stream(stream: Stream) -> str:
    """A stream in words."""
    return (
        f"{stream.model_name} version {stream.model_version} ({stream.role}, reference "
        f"{stream.reference_id}, windows of {stream.window_ms // 1000} s)"
    )


def values_of_topic(settings: Settings, topic: str, told: Told) -> Iterator[bytes | None]:
    """The values of a drift topic's committed records, from its beginning to its present end.

    Raises:
        ConfigError: we may not read it.
        UnavailableError: the topic or the cluster is not there.
    """
    admin = KafkaAdmin(settings.kafka)
    partitions = range(admin.partitions(topic))
    starts, ends = (find(admin, topic, partitions) for find in (start_offsets, end_offsets))
    total = max(1, sum(ends.values()) - sum(starts.values()))
    reached = dict(starts)
    for number, record in enumerate(read_records(settings.kafka, topic, starts, ends), 1):
        yield record.value
        reached[record.partition] = record.offset + 1
        told((sum(reached.values()) - sum(starts.values())) / total, number)


def values_of_file(path: Path, told: Told) -> Iterator[bytes]:
    """The same of an Avro container of window records.

    Raises:
        ConfigError: it cannot be read, or holds something else.
    """
    framed = FramedRecords("drift_window", "another version wrote it")
    try:
        size = max(1, path.stat().st_size)
        with path.open("rb") as opened:
            for number, record in enumerate(fastavro.reader(opened), 1):
                if not isinstance(record, dict):
                    raise ConfigError(f"--from {path}: its records are no windows; give {_WINDOWS}")
                yield framed.write(record)
                told(min(1.0, opened.tell() / size), number)
    except OSError as exc:
        raise ConfigError(f"--from {path}: cannot be read ({exc.strerror})") from exc
    except ConfigError:
        raise
    except Exception as exc:  # the library raises whatever broken bytes, or other records, lead to
        raise ConfigError(
            f"--from {path}: no Avro container of window records, or a broken one "
            f"({type(exc).__name__}); give {_WINDOWS}"
        ) from exc


_WINDOWS = "a file that `stream-app drift run --to` wrote"


def shelved(values: Iterable[bytes | None], wanted: Wanted) -> Shelf:
    """All of them."""
    shelf = Shelf(wanted)
    for value in values:
        shelf.add(value)
    return shelf
