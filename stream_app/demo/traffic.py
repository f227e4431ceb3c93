"""The two ways of sending: evenly, to measure latency, and all at once, to measure throughput.

Decides when an event is sent and when all are answered. It keeps looking at the workers while it
waits, and gives up when nothing moves any more.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final

from stream_app.adapters.demo.clients import EventSender, OutcomeReader
from stream_app.adapters.kafka.replay import OutgoingEvent
from stream_app.demo.fleet import Fleet
from stream_app.demo.screen import Screen, Standing
from stream_app.errors import RetriableError

PATIENCE_S: Final = 60.0
"""Without any progress; longer than any take-over of a dead worker's partitions."""

_TICK_S: Final = 0.005
_IDLE_TICK_S: Final = 0.02
_LOOK_EVERY_S: Final = 0.02
_BURST_CHUNK: Final = 500
_RATE_WINDOW_S: Final = 1.0


class StalledError(RetriableError):
    """Nothing moves any more, and nobody says why."""


class Traffic:
    """Sends events, and waits for outcomes.

    Args:
        sender: To the input topic.
        reader: Of outcomes; runs.
        fleet: The workers.
        screen: Shows where things stand.
        events: Events of the whole run.
        patience_s: Longest time without progress.

    Attributes:
        phase: What is going on, for the screen.
    """

    def __init__(
        self,
        sender: EventSender,
        reader: OutcomeReader,
        fleet: Fleet,
        screen: Screen,
        events: int,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._sender = sender
        self._reader = reader
        self._fleet = fleet
        self._screen = screen
        self._events = events
        self._patience_s = patience_s
        self._looked_s = 0.0
        self._moved_s = time.monotonic()
        self._moved_state: object = None
        self.phase = ""

    def steady(self, events: Sequence[OutgoingEvent], per_second: float, *, measured: bool) -> None:
        """Send evenly over time, in steps of a few milliseconds."""
        start_s = time.monotonic()
        sent = 0
        while sent < len(events):
            due = min(len(events), 1 + int((time.monotonic() - start_s) * per_second))
            for event in events[sent:due]:
                self._sender.send(event, measured=measured)
            sent = due
            self._sender.poll(_TICK_S)
            self._turn()

    def burst(self, events: Sequence[OutgoingEvent], on_turn: Callable[[], None]) -> None:
        """Send as fast as the cluster takes them.

        Args:
            events: To send.
            on_turn: Called now and then.
        """
        for number, event in enumerate(events):
            self._sender.send(event, measured=False)
            if number % _BURST_CHUNK == 0:
                self._sender.poll(0)
                self._turn()
                on_turn()

    def wait(self, over: Callable[[], bool]) -> None:
        """Until ``over()``, which is asked some fifty times a second.

        Raises:
            StalledError: nothing has moved for the whole patience.
            FatalError: a worker died.
        """
        while not over():
            self._sender.poll(_IDLE_TICK_S)
            self._turn()

    def all_answered(self) -> bool:
        """Every event that was sent is in the topic, and as many outcomes have been seen."""
        sender = self._sender
        return sender.waiting == 0 and self._reader.outcomes >= sender.acknowledged

    def _turn(self) -> None:
        now_s = time.monotonic()
        if now_s - self._looked_s < _LOOK_EVERY_S:
            return
        self._looked_s = now_s
        self._fleet.look()
        self._reader.check()
        self._require_progress(now_s)
        if self._screen.due:
            self._screen.show(self._standing(now_s))

    def _standing(self, now_s: float) -> Standing:
        return Standing(
            phase=self.phase,
            sent=self._sender.sent,
            events=self._events,
            predictions=self._reader.predictions,
            dead_letters=self._reader.dead_letters,
            per_second=self._per_second(now_s),
            alive=self._fleet.alive,
            workers=[self._told(index) for index in range(self._fleet.count)],
        )

    def _require_progress(self, now_s: float) -> None:
        sender, reader = self._sender, self._reader
        state = (self.phase, sender.sent, sender.waiting, reader.outcomes, self._fleet.owned())
        if state != self._moved_state:
            self._moved_state, self._moved_s = state, now_s
        elif now_s - self._moved_s > self._patience_s:
            raise StalledError(
                f"{self.phase}: nothing has moved for {self._patience_s:g} s: {sender.sent} events "
                f"were sent, {sender.acknowledged} are in the topic, {reader.outcomes} outcomes "
                f"were seen\n{self._fleet.log_tails()}"
            )

    def _per_second(self, now_s: float) -> float:
        """Outcomes in the last second."""
        total = self._reader.outcomes
        for at_s, count in reversed(self._reader.samples):
            if at_s < now_s - _RATE_WINDOW_S:
                return (total - count) / _RATE_WINDOW_S
        return total / _RATE_WINDOW_S

    def _told(self, index: int) -> str:
        partitions = " ".join(map(str, sorted(self._fleet.partitions(index))))
        return f"reads partitions {partitions}" if partitions else "has no partitions yet"
