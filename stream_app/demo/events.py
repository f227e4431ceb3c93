"""The events of a run: the example's, as often as needed, each with an id of its own, some broken.

Decides keys and timestamps: the key is the id, the record's time is the event's, as with
``stream-app produce``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle, islice

from stream_app.adapters.demo.events import read_events
from stream_app.adapters.kafka.replay import OutgoingEvent
from stream_app.demo.malformed import choose, planted
from stream_app.demo.options import MALFORMED_SHARE, SEED
from stream_app.demo.settings_file import EXAMPLE
from stream_app.resources import example_dir


@dataclass(frozen=True, slots=True)
class Events:
    """What is sent.

    Attributes:
        all: In the order of sending.
        planted: Dead letters that must come back, by code.
    """

    all: tuple[OutgoingEvent, ...]
    planted: Mapping[str, int]


def prepare_events(count: int) -> Events:
    """The same ``count`` events each time.

    Raises:
        StreamAppError: the example's files are missing or broken.
    """
    source, encode = read_events(example_dir(EXAMPLE) / "stream.avro")
    broken = choose(count, MALFORMED_SHARE, SEED)
    prepared = []
    for position, original in enumerate(islice(cycle(source), count)):
        turn = position // len(source)
        event_id = f"{original['application_id']}-{turn}" if turn else original["application_id"]
        event = {**original, "application_id": event_id}
        malformation = broken.get(position)
        prepared.append(
            OutgoingEvent(
                value=encode(event) if malformation is None else malformation.apply(event, encode),
                key=event_id.encode(),
                timestamp_ms=event["timestamp"],
            )
        )
    return Events(tuple(prepared), planted(broken))
