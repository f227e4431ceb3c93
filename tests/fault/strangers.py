"""Other programs that write to the input in transactions, and a feed that stands it.

Decides what is never to be predicted: events of transactions that are aborted, or never end.
"""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from confluent_kafka import Producer

from tests.car_loan import Event, Feed, encoded, event
from tests.fault.bench import Run
from tests.kafka_fixtures import unique

FOREIGN = 10_000_000
"""Numbers of events that must never be predicted begin here."""


class FeedAmongOthers(Feed):
    """Events between records of others: where each lies is what the broker says."""

    def _hand_over(
        self, value: bytes | None, key: bytes, partition: int, timestamp_ms: int, good: Event | None
    ) -> None:
        def delivered(error: Any, message: Any) -> None:
            assert error is None, error
            self._ends[partition] = max(self._ends[partition], message.offset() + 1)
            if good is not None:
                self._good[partition, message.offset()] = good

        self._produce(
            value, key, partition=partition, timestamp=timestamp_ms, on_delivery=delivered
        )


class Stranger:
    """Another program that writes to the input in transactions."""

    def __init__(self, run: Run, timeout_s: int = 300) -> None:
        self._topic = run.plain.settings.input.topic
        self._sent = FOREIGN
        self._producer = Producer(
            {
                "bootstrap.servers": run.plain.overrides["kafka.bootstrap_servers"],
                "transactional.id": unique("stranger"),
                "transaction.timeout.ms": timeout_s * 1000,
                "log_level": 0,
            }
        )
        self._producer.init_transactions(30)

    def begin(self, records: int = 40) -> None:
        """Open a transaction with good events in every partition."""
        self._producer.begin_transaction()
        for _ in range(records):
            self._sent += 1
            self._producer.produce(
                self._topic, encoded(event(self._sent)), b"foreign", partition=self._sent % 4
            )
        assert self._producer.flush(30) == 0

    def abort(self) -> None:
        """Undo it."""
        self._producer.abort_transaction(30)


@contextmanager
def aborting(run: Run) -> Iterator[None]:
    """A stranger who begins and aborts all the time."""
    stranger, stop = Stranger(run), threading.Event()

    def go_on() -> None:
        while not stop.wait(0.05):
            stranger.begin()
            stranger.abort()

    with ThreadPoolExecutor(1) as pool:
        going = pool.submit(go_on)
        try:
            yield
        finally:
            stop.set()
            going.result(60)
