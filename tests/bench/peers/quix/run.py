"""Quix Streams: an application over one topic, a record at a time, which is its way.

    python -m tests.bench.peers.quix.run exactly-once|at-least-once < order.json

Decoding, scoring and encoding stand in one ``apply``: three would copy the record's context three
times. Commits are seen in the library's own log, since it has no other sign of them.
"""

import logging
import sys
from typing import Any

from quixstreams import Application, message_context

from tests.bench.peers.byhand import Clock, Codec, Model, Order

_COMMITS = "quixstreams.processing.context"


class _Commits(logging.Handler):
    """Hears of each commit."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.done = 0

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().startswith("Committed a checkpoint"):
            self._clock.reached(self.done)


def main() -> None:
    """Score so many records."""
    order, guarantee = Order.read(), sys.argv[1]
    clock, codec, model = Clock(order.records), Codec(order), Model(order)
    commits = _Commits(clock)
    app = Application(
        broker_address=order.servers,
        consumer_group=order.group,
        auto_offset_reset="earliest",
        processing_guarantee=guarantee,
        # As everybody's; after the default of five seconds outputs would wait as long.
        commit_interval=order.transaction_s,
        auto_create_topics=False,
        use_changelog_topics=False,
        state_dir=order.folder,
        loglevel=None,
        producer_extra_config={
            "compression.type": order.compression,
            "linger.ms": order.linger_ms,
        },
    )
    log = logging.getLogger(_COMMITS)
    log.setLevel(logging.DEBUG)
    log.addHandler(commits)
    log.propagate = False

    def score(value: bytes) -> bytes:
        clock.fetched()
        event = codec.decode(value)
        (found,) = model.scores(codec.matrix([event]))
        place = message_context()
        commits.done += 1
        return codec.encode(event, found, place.partition, place.offset)

    raw: Any = {"key_deserializer": "bytes", "value_deserializer": "bytes"}
    written: Any = {"key_serializer": "bytes", "value_serializer": "bytes"}
    frame = app.dataframe(app.topic(order.input, **raw))
    frame.apply(score).to_topic(app.topic(order.output, **written))
    app.run(count=order.records, collect=False)
    clock.answer("quixstreams", "confluent-kafka")


if __name__ == "__main__":
    main()
