"""The acts of the demo: workers join, a warm-up, a steady part, a burst, perhaps a death, drift.

Decides what is measured in which act. Latency: in the steady part, from handing an event to the
client until a reader who sees only what was committed has its prediction. Throughput: in the
burst, from its first outcome to its last.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from stream_app.adapters.demo.clients import EventSender, OutcomeReader
from stream_app.demo.drift import Watch
from stream_app.demo.events import Events
from stream_app.demo.fleet import Fleet
from stream_app.demo.measure import latencies, percentile, rate
from stream_app.demo.options import PARTITIONS, STEADY_PER_SECOND, DemoOptions
from stream_app.demo.outage import Outage
from stream_app.demo.screen import Screen
from stream_app.demo.summary import Measured
from stream_app.demo.traffic import Traffic
from stream_app.settings import Settings


@dataclass(frozen=True, slots=True)
class Play:
    """The parts that act together; call the acts in their order.

    Every act raises ``StalledError`` when nothing moves, ``FatalError`` when a worker died.
    """

    options: DemoOptions
    events: Events
    fleet: Fleet
    screen: Screen
    sender: EventSender
    reader: OutcomeReader
    traffic: Traffic
    outage: Outage

    def await_workers(self) -> None:
        """Until they share all partitions."""
        workers = self.options.workers
        self.traffic.phase = "workers start and join the group"
        self.traffic.wait(self._all_share)
        shares = " and ".join(
            " ".join(map(str, sorted(self.fleet.partitions(index)))) or "none"
            for index in range(workers)
        )
        noun = "worker reads" if workers == 1 else "workers share"
        self.screen.say(f"{workers} {noun} {PARTITIONS} partitions: {shares}")

    def warm_up(self) -> None:
        """A few events, of which nothing is measured."""
        self.traffic.phase = "warm-up"
        events = self.events.all[: self.options.warm_up_events]
        self.traffic.steady(events, STEADY_PER_SECOND, measured=False)
        self.traffic.wait(self.traffic.all_answered)

    def steady(self) -> None:
        """A modest rate."""
        start = self.options.warm_up_events
        events = self.events.all[start : start + self.options.steady_events]
        self.traffic.phase = f"steady, {STEADY_PER_SECOND:,} events/s"
        self.screen.say(f"steady: {len(events):,} events at {STEADY_PER_SECOND:,}/s")
        self.reader.timing = True
        self.traffic.steady(events, STEADY_PER_SECOND, measured=True)
        self.traffic.wait(self.traffic.all_answered)
        self.reader.timing = False

    def burst(self) -> None:
        """As fast as possible, and a death half-way if one was asked for."""
        events = self.events.all[-self.options.burst_events :]
        self.traffic.phase = "burst"
        self.screen.say(f"burst: {len(events):,} events at once")
        self.traffic.burst(events, self._outage)
        self.traffic.wait(self._burst_over)

    def drift(self, watch: Watch) -> None:
        """Nothing comes any more: all windows are told of, and judged."""
        self.traffic.phase = "windows of drift are closed"
        self.traffic.wait(lambda: watch.has_counted(self.reader.predictions))
        self.traffic.phase = "the monitor judges them"
        self.traffic.wait(watch.has_alerted)

    def measured(self) -> Measured:
        """The numbers of all acts that took place."""
        sent = self.sender.sent_at
        ascending = latencies(sent, self.reader.seen_at, list(sent))
        killed_s = self.outage.killed_s
        before = self.options.records - self.options.burst_events
        samples = self.reader.samples
        return Measured(
            latency_p50_s=percentile(ascending, 0.50),
            latency_p99_s=percentile(ascending, 0.99),
            latency_records=len(ascending),
            records_per_second=rate(samples, before),
            records_per_second_before_kill=(
                None if killed_s is None else rate(samples, before, killed_s)
            ),
            take_over_s=self.outage.take_over_s,
        )

    def refused(self) -> list[str]:
        """Events that the cluster did not take, one line a reason."""
        return [
            f"{count} events could not be sent: {reason}"
            for reason, count in sorted(self.sender.failed.items())
        ]

    def _all_share(self) -> bool:
        workers = range(self.options.workers)
        some = min(self.options.workers, PARTITIONS)
        busy = sum(bool(self.fleet.partitions(index)) for index in workers)
        return len(self.fleet.owned()) == PARTITIONS and busy >= some

    def _burst_over(self) -> bool:
        self._outage()
        return self.traffic.all_answered() and (self.outage.over or not self.options.kill)

    def _outage(self) -> None:
        if self.options.kill:
            self.outage.step(self.reader.outcomes)


@contextmanager
def open_play(
    options: DemoOptions,
    settings: Settings,
    events: Events,
    fleet: Fleet,
    screen: Screen,
    patience_s: float,
) -> Iterator[Play]:
    """The clients of the demo, until the block ends."""
    half = options.records - math.ceil(options.burst_events / 2)
    sender = EventSender(settings)
    try:
        with OutcomeReader(settings) as reader:
            yield Play(
                options=options,
                events=events,
                fleet=fleet,
                screen=screen,
                sender=sender,
                reader=reader,
                traffic=Traffic(sender, reader, fleet, screen, options.records, patience_s),
                outage=Outage(fleet, screen, half),
            )
    finally:
        sender.close()
