"""Drift aggregators beside a run under faults, and the verdict on the windows that they told of.

Decides when their windows are right: each has the bits of a computation of the same events without
Kafka, and the bins of one that shares no code with the product. Refuses to strike anybody.
"""

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from stream_app.verify import Report
from tests.aggregator_feed import PartialsFeed
from tests.car_loan import Event, event
from tests.fault.bench import Bench, Run
from tests.fault.judging import judge_client, judge_workers
from tests.fault.strangers import FeedAmongOthers, aborting
from tests.kafka_fixtures import RealKafka
from tests.offline import events_in, told_of_events
from tests.partials import expected_bins, expected_rows
from tests.worker import START_S, Worker, Workers, until

COMMAND = ("drift", "aggregate")
WINDOW_MS = 60_000
PARTITIONS = 4

_BEGIN = datetime(2024, 5, 1, tzinfo=UTC)
_LATE_EVERY = 53
_LATE = timedelta(milliseconds=3 * WINDOW_MS)
_TOLD_S = 180.0
_INPUTS = 7
"""Columns of the reference that are the model's inputs."""


def timed_event(number: int, step_ms: int) -> Event:
    """The event with this number, some milliseconds behind the one before; a few come late."""
    time = _BEGIN + timedelta(milliseconds=number * step_ms)
    if number % _LATE_EVERY == 0:
        time = max(_BEGIN, time - _LATE)
    return {**event(number), "timestamp": time}


@dataclass
class Aggregated:
    """A run with aggregators.

    Attributes:
        run: With its scorers.
        aggregators: Beside them.
    """

    run: Run
    aggregators: Workers

    def start_aggregator(self) -> Worker:
        """One more."""
        return self.aggregators.start(command=COMMAND)

    def alive_aggregators(self) -> list[Worker]:
        """Those that have not ended."""
        return [worker for worker in self.aggregators.started if worker.exit_status is None]

    def busy(self) -> Worker:
        """The aggregator that has the windows, if one says so; else any."""
        alive = self.alive_aggregators()
        name = "stream_app_drift_windows_kept"
        return next((worker for worker in alive if worker.metric(name) > 0), alive[0])

    def victim(self, chance: random.Random) -> tuple[Worker, bool]:
        """Anybody, as often of either kind; and whether it is an aggregator.

        Of aggregators mostly the one that has the windows.
        """
        if chance.random() < 0.5:
            return chance.choice(self.run.alive()), False
        anyone = chance.choice(self.alive_aggregators())
        return (self.busy() if chance.random() < 0.8 else anyone), True

    def has_sent(self, events: int) -> bool:
        """Whether so many are in the input."""
        return self.run.feed.sent >= events

    def merging(self) -> None:
        """Return when one of them has merged partials."""
        name = "stream_app_drift_partials_total"
        until(
            "partials are merged",
            lambda: any(worker.metric(name) > 0 for worker in self.alive_aggregators()),
            START_S,
        )

    def judge(self, report: Report, live: list[str]) -> None:
        """The whole promise, then the windows."""
        run = self.run
        run.exactly_once(report, live)
        assert report.drift is not None
        assert not report.drift.skipped
        assert (report.drift.before, report.drift.rows) == (0, report.predictions)
        offline = told_of_events(run.plain, events_in(run.plain))
        wanted = {place: w["input_hash"] for place, w in offline.items() if place[0] == WINDOW_MS}
        topic = PartialsFeed(run.plain)

        def told() -> Mapping[Any, dict[str, Any]] | None:
            found = {(length, start): w for (_, length, start), w in topic.told().items()}
            hashes = {p: w["input_hash"] for p, w in found.items() if p[0] == WINDOW_MS}
            return found if hashes == wanted else None

        found = until("all windows have the bits of the same events without Kafka", told, _TOLD_S)
        assert all(window["exact"] for window in found.values())
        for place, window in found.items():
            assert window["input_hash"] == offline[place]["input_hash"], place
            assert window["rows"] == offline[place]["rows"], place
        own = {start: w for (length, start), w in found.items() if length == WINDOW_MS}
        good = list(run.feed.good.values())
        assert {start: w["rows"] for start, w in own.items()} == expected_rows(good, WINDOW_MS)
        assert {start: _bins_of(w) for start, w in own.items()} == expected_bins(good, WINDOW_MS)
        judge_workers(self.aggregators.started, run.allowed_exits)
        judge_client(self.aggregators.started, run.record.client)


@contextmanager
def aggregated(
    bench: Bench, kafka: RealKafka, *, per_second: float, step_ms: int
) -> Iterator[Aggregated]:
    """A run whose events fall into windows, among aborted ones of a stranger's, with no worker yet.

    Args:
        bench: Of the test.
        kafka: Where.
        per_second: Rate of events.
        step_ms: From the time of one event to that of the next.
    """
    feed = partial(FeedAmongOthers, make=partial(timed_event, step_ms=step_ms))
    with (
        # Outside, so that they live until the verdict is spoken.
        ExitStack() as outside,
        bench.run(
            kafka,
            per_second=per_second,
            feed=feed,
            batch__max_records="256",
            drift__window_s=str(WINDOW_MS // 1000),
            drift__allowed_lateness_s="10",
            drift__idle_after_s="2",
            drift__windows_topic=kafka.topic("windows", PARTITIONS),
            # A partition beside each of partials.
            drift__changelog_topic=kafka.topic("changelog", PARTITIONS, cleanup_policy="compact"),
        ) as run,
    ):
        folder = run.job.folder / "aggregators"
        folder.mkdir()
        aggregators = outside.enter_context(Workers(replace(run.job, folder=folder)))
        made = Aggregated(run, aggregators)
        run.expects = made.judge
        with aborting(run):
            yield made


def _bins_of(window: Mapping[str, Any]) -> list[Counter[int]]:
    """Rows of a window record by bin, of each input column; null is -1."""
    found = []
    for column in window["columns"][:_INPUTS]:
        counter = Counter(dict(enumerate(column["counts"])))
        counter[-1] = next(d["count"] for d in column["defects"] if d["name"] == "null")
        found.append(+counter)
    return found
