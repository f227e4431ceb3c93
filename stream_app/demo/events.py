"""The events of a run: the example's first half, then its second, in which applicants are others.

Decides how many of each, their times, and which broken events come on top. With 30,000 they are
the example's own; with more, each half is repeated as if time had gone on; with fewer, each ends
early. The key is the id, the record's time is the event's, as with ``stream-app produce``.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stream_app.adapters.demo.events import Event, EventWriter, read_events
from stream_app.adapters.kafka.replay import OutgoingEvent
from stream_app.demo.malformed import choose, planted
from stream_app.demo.options import SEED, DemoOptions
from stream_app.demo.settings_file import EXAMPLE
from stream_app.resources import example_dir


@dataclass(frozen=True, slots=True)
class Events:
    """What is sent.

    Attributes:
        all: In the order of sending; broken ones stand behind the event they were made of.
        sound: Those that are not broken, likewise.
        planted: Dead letters that must come back, by code.
        drift_from_ms: Time of the first event of the second half.
        writer: Writes ``sound`` to a file.
    """

    all: tuple[OutgoingEvent, ...]
    sound: tuple[Event, ...]
    planted: Mapping[str, int]
    drift_from_ms: int
    writer: EventWriter

    def write(self, path: Path) -> None:
        """The sound ones, as an Avro container file."""
        self.writer.write(path, self.sound)


def prepare_events(options: DemoOptions) -> Events:
    """The same events each time.

    Raises:
        StreamAppError: the example's files are missing or broken.
    """
    source, writer = read_events(example_dir(EXAMPLE) / "stream.avro")
    half = len(source) // 2
    quiet = options.events - options.events // 2
    first, second = source[:half], source[half:]
    drift_from_ms = _time_of(first, second[0], quiet)
    sound = (
        *_repeated(first, quiet, first[0]["timestamp"], second[0]["timestamp"]),
        *_repeated(second, options.events // 2, drift_from_ms, _after(second)),
    )
    broken = choose(options.events, options.broken_events, SEED)
    prepared = []
    for position, event in enumerate(sound):
        prepared.append(_outgoing(event, writer.encode(event)))
        malformation = broken.get(position)
        if malformation is not None:
            prepared.append(_outgoing(event, malformation.apply(event, writer.encode)))
    return Events(tuple(prepared), sound, planted(broken), drift_from_ms, writer)


def _outgoing(event: Event, value: bytes | None) -> OutgoingEvent:
    return OutgoingEvent(
        value=value, key=event["application_id"].encode(), timestamp_ms=event["timestamp"]
    )


def _repeated(rows: Sequence[Event], count: int, from_ms: int, after_ms: int) -> Iterator[Event]:
    """``count`` events: the rows from ``from_ms`` on, again and again.

    Args:
        rows: In the order of time.
        count: How many.
        from_ms: When the first one is.
        after_ms: When, by the rows' own times, the one after the last would be.
    """
    begin_ms: int = rows[0]["timestamp"]
    for number in range(count):
        turn, at = divmod(number, len(rows))
        shift_ms = from_ms - begin_ms + turn * (after_ms - begin_ms)
        row: dict[str, Any] = dict(rows[at])
        row["timestamp"] += shift_ms
        if turn:
            row["application_id"] += f"-{turn}"
        yield row


def _time_of(rows: Sequence[Event], following: Event, number: int) -> int:
    """When the event of this number is, of rows that are repeated."""
    turn, at = divmod(number, len(rows))
    begin_ms: int = rows[0]["timestamp"]
    own_ms: int = rows[at]["timestamp"]
    after_ms: int = following["timestamp"]
    return own_ms + turn * (after_ms - begin_ms)


def _after(rows: Sequence[Event]) -> int:
    """When one more row would be."""
    begin_ms: int = rows[0]["timestamp"]
    last_ms: int = rows[-1]["timestamp"]
    return last_ms + round((last_ms - begin_ms) / (len(rows) - 1))
