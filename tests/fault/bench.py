"""The fault bench: a job under load, a fault at a moment when it matters, and the verdict.

Decides what every run under faults has in common: events keep coming, the fault fires while
records wait, the group must get through, and in the end the verifier and a reader that watched
all the time must find each event answered exactly once. Refuses to know any fault: the tests do.
"""

import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from stream_app.adapters.verifier.reader import verify
from stream_app.verify import Report
from tests.car_loan import Feed
from tests.fault.judging import (
    aborted_outcomes,
    judge_client,
    judge_findings,
    judge_record,
    judge_workers,
    last_before,
)
from tests.fault.live_reader import LiveReader
from tests.fault.progress import Progress, Reached
from tests.fault.record import Fired, RunRecord, Variant
from tests.kafka_fixtures import KafkaForTests
from tests.security.plain_door import at_plain_door
from tests.worker import Job, Worker, Workers, car_loan_job, until

CAUGHT_UP_S = 120.0
"""For a group that has nothing in its way to commit all that is left."""

_SCRAPE_EVERY_S = 0.5
_WITHOUT_END = 10**9


@dataclass
class Bench:
    """What a test under faults is given.

    Attributes:
        fault: ``F1`` …
        test: Its node id.
        variant: What it runs with.
        folder: Its own.
        chance: Seeded; every choice of a test comes from it.
        records: Of the runs so far, for the report.
    """

    fault: str
    test: str
    variant: Variant
    folder: Path
    chance: random.Random = field(init=False)
    records: list[RunRecord] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.variant.seed)

    @property
    def seed(self) -> int:
        return self.variant.seed

    @property
    def protocol(self) -> str:
        return self.variant.protocol

    @property
    def client(self) -> str:
        return self.variant.client

    @contextmanager
    def run(
        self,
        kafka: KafkaForTests,
        *,
        per_second: float = 1_500.0,
        backlog: int = 0,
        share_broken: float = 0.01,
        bootstrap: str | None = None,
        feed: Callable[..., Feed] = Feed,
        **overrides: str,
    ) -> Iterator["Run"]:
        """A job on topics of its own, under load; judged when the block ends without an error.

        Args:
            kafka: Where; the feed and the judges use its plain door.
            per_second: Rate of events; 0 for none beside the backlog.
            backlog: Events that are there before anybody reads.
            share_broken: Of the events.
            bootstrap: The workers' door, if it is not the plain one.
            feed: Makes the events, given the job, ``share_broken`` and ``seed``.
            overrides: Settings, with ``__`` for the dot.
        """
        folder = self.folder / f"run-{len(self.records)}"
        folder.mkdir()
        overrides = {"kafka__client": self.client, **overrides}
        job = car_loan_job(kafka, folder, protocol=self.protocol, create_topics=True, **overrides)
        record = RunRecord(self.fault, self.test, self.seed, self.protocol, self.client)
        self.records.append(record)
        begun_s = time.monotonic()
        made = partial(feed, share_broken=share_broken, seed=self.seed)
        run = Run(job, kafka.bootstrap_servers, bootstrap, record, made)
        try:
            with (
                run.workers,
                run.load(per_second, backlog),
                LiveReader(run.plain.settings) as live,
                run.scraped(),
            ):
                yield run
                run.finish(live)
        finally:
            record.duration_s = time.monotonic() - begun_s


class Run:
    """One job, its load, its workers and what is done to them."""

    def __init__(
        self,
        job: Job,
        plain: str,
        bootstrap: str | None,
        record: RunRecord,
        feed: Callable[[Job], Feed],
    ) -> None:
        self.plain = at_plain_door(job, plain)
        self.job = replace(
            job, overrides={**job.overrides, "kafka.bootstrap_servers": bootstrap or plain}
        )
        self.record = record
        self.feed = feed(self.plain)
        self.workers = Workers(self.job)
        self.progress = Progress(plain, job.overrides["kafka.group"], job.overrides["input.topic"])
        self.allowed_exits: set[int] = set()
        """Exit statuses that are no surprise besides those of workers that the test killed, or
        whose end it waited for (0 and SIGKILL); a test of another ending adds its own."""
        self.expects: Callable[[Report, list[str]], None] = self.exactly_once
        """Judges the verdict and the live reader's findings; a test whose fault takes records
        away, or has them answered twice, sets its own."""
        self._stop_load = threading.Event()
        self._told: dict[int, tuple[float, float]] = {}
        self._goals: dict[int, int] = {}
        self._fired_s = 0.0

    # -- what a test does ---------------------------------------------------------------------

    def start(
        self,
        *arguments: str,
        failpoint: str = "",
        module: str = "stream_app",
        **environment: str,
    ) -> Worker:
        """One more worker; see :meth:`tests.worker.Workers.start`."""
        return self.workers.start(*arguments, failpoint=failpoint, module=module, **environment)

    def alive(self) -> list[Worker]:
        """Workers that have not ended; frozen ones are among them."""
        return [worker for worker in self.workers.started if worker.exit_status is None]

    def scoring(self, within_s: float = 60.0) -> None:
        """Return when every live worker has committed predictions."""
        for worker in self.alive():
            worker.wait_scoring(within_s)

    @contextmanager
    def fault(self, what: str) -> Iterator[None]:
        """Do the fault inside the block, which begins when records wait, or fails."""
        fired = Fired(what, self.waiting_records())
        yield
        self._note(fired)

    def died(
        self, worker: Worker, what: str, within_s: float = 60.0, *, held: bool = False
    ) -> None:
        """A failpoint kills it: that is the fault, noted with what was last seen to wait before.

        ``held``: a unit was open then, so that a record waited, whatever was seen.
        """
        lag = last_before(lambda: worker.exit_status is not None, self.progress.now, within_s)
        status = worker.wait_exit(within_s)
        assert status == -signal.SIGKILL, f"{what}: ended with {status} instead"
        assert worker.events("failpoint_fires"), f"{what}: no failpoint fired"
        self._note(Fired(what, max(lag, int(held))))

    def waiting_records(self, within_s: float = 60.0) -> int:
        """The consumer lag, as soon as it is above zero."""

        def lag() -> int | None:
            now = self.progress.now()
            return now.lag if now is not None and now.lag > 0 else None

        return until("records wait, so that the fault matters", lag, within_s)

    def recovered(self, within_s: float = 90.0) -> float:
        """Wait until all that was in the input at the last fault is committed; seconds since.

        Since the end of the fault's block; see :class:`tests.fault.record.Fired`.
        """
        reached = self.progress.wait_past(self._goals, within_s)
        took_s = reached.at_s - self._fired_s
        self.record.fired[-1].recovery_s = took_s
        return took_s

    def stop_load(self) -> None:
        """No more events."""
        self._stop_load.set()

    def sent(self) -> None:
        """Return when the brokers have all events, after :meth:`stop_load`."""
        self._sent()

    # -- what the bench does ------------------------------------------------------------------

    def _note(self, fired: Fired) -> None:
        """Keep the fault; its goals are read after it, from brokers that may still be away."""
        self._fired_s = time.monotonic()
        self.record.fired.append(fired)
        self._goals = dict(self._ends_when_seen().ends)

    def _ends_when_seen(self) -> Reached:
        now = self.progress.now()
        return now if now is not None else Reached(self._fired_s, {}, dict(self.feed.ends))

    @contextmanager
    def load(self, per_second: float, backlog: int) -> Iterator[None]:
        """Events keep coming until the block ends or :meth:`stop_load`."""
        self.feed.send(backlog)
        if not per_second:
            yield
            return
        with ThreadPoolExecutor(1) as pool:
            sending = pool.submit(self.feed.send_slowly, _WITHOUT_END, per_second, self._stop_load)
            self._sent = lambda: sending.result(120)
            try:
                yield
            finally:
                self._stop_load.set()

    _sent: Callable[[], None] = staticmethod(lambda: None)

    @contextmanager
    def scraped(self) -> Iterator[None]:
        """Workers' counts are kept as they last told them, also of those that are killed."""
        stop = threading.Event()

        def scrape() -> None:
            while not stop.wait(_SCRAPE_EVERY_S):
                self._scrape()

        with ThreadPoolExecutor(1) as pool:
            scraping = pool.submit(scrape)
            try:
                yield
            finally:
                stop.set()
                scraping.result(30)
                told = self._told.values()
                self.record.committed = int(sum(committed for committed, _ in told))
                self.record.aborted = int(sum(aborted for _, aborted in told))

    def _scrape(self) -> None:
        for worker in list(self.workers.started):
            if worker.exit_status is None and not worker.frozen:
                counts = worker.counts("stream_app_transactions_total", "result")
                if counts:
                    committed, aborted = counts.get("committed", 0), counts.get("aborted", 0)
                    self._told[worker.pid] = committed, aborted

    def finish(self, live: LiveReader) -> None:
        """All that was sent is committed, by whoever lives; then the judges speak."""
        self.stop_load()
        self._sent()
        for worker in self.alive():
            if worker.frozen:
                worker.resume()
        if not self.alive():
            self.start()
        wait_s = 0.0 if self.record.control else CAUGHT_UP_S
        report = verify(self.plain.settings, wait_s=wait_s, expected=self.feed.expected)
        self.record.report = report.to_json()
        self._scrape()
        self.record.live = live.check(within_s=30)
        self.record.aborted_outcomes = aborted_outcomes(self.plain.settings)
        judge_workers(self.workers.started, self.allowed_exits)
        judge_client(self.workers.started, self.record.client)
        judge_record(self.record)
        if self.record.control:
            return  # what was found is for the control to say
        self.expects(report, self.record.live)
        judge_findings(report, self.record)

    def exactly_once(self, report: Report, live: list[str]) -> None:
        """The whole promise."""
        assert report.ok, report.to_json()
        assert report.notes == ()
        assert report.events == self.feed.sent
        assert report.dead_letters == dict(self.feed.codes)
        assert live == []
