"""Hours of random faults under constant load, in rounds; `soak.py` is the command.

Decides that a run is a row of rounds. Faults hit all workers but one, whose memory, descriptors
and threads are sampled; at the end of a round the load pauses, everything must be committed, and
the verdict is spoken over the round's records, which are then deleted: neither the disk nor this
process grows with the hours. Whatever happens becomes a fault of the report, an exception of the
soak itself too: hours of evidence must not be lost to it. ``soak_verdict.py`` judges the samples.
"""

import json
import platform
import random
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from stream_app.adapters.verifier.reader import verify
from tests.car_loan import PARTITIONS, Feed
from tests.fault.chaos import Chaos, Strike, end_in_order
from tests.fault.live_reader import LiveReader
from tests.fault.soak_verdict import judged
from tests.fault.usage import Samples
from tests.kafka_fixtures import RealKafka
from tests.worker import Job, Worker, Workers, car_loan_job

_TOLD_EVERY_S = 30.0
_WITHOUT_END = 10**12
_TOPIC = {"segment_bytes": str(16 << 20)}
"""What is deleted leaves the disk a segment at a time."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run.

    Attributes:
        hours: How long, without the last verdict.
        workers: One of them is spared.
        seed: Of events and faults.
        rate: Events a second.
        round_s: From one verdict to the next.
        warm_up_s: Before samples count.
        protocol: Group protocol.
        pauses_s: Between faults, at least and at most.
        caught_up_s: For everything to be committed once the load pauses.
    """

    hours: float
    workers: int
    seed: int
    rate: float
    round_s: float
    warm_up_s: float
    protocol: str
    pauses_s: tuple[float, float] = (5.0, 15.0)
    caught_up_s: float = 300.0

    @property
    def judged_hours(self) -> float:
        """How long the spared worker is looked at when it is warm."""
        return self.hours - self.warm_up_s / 3_600


class SoakFeed(Feed):
    """A feed that forgets what has been judged; events keep their numbers."""

    judged = 0

    def forget(self) -> None:
        self.judged = self.sent
        self.codes.clear()
        self._good.clear()
        self._answers.clear()


@dataclass
class Soak:
    """One run; see the module.

    Attributes:
        plan: What.
        kafka: Where.
        folder: For logs and slots.
        module: Of the workers; one that breaks something, then runs ours.
        environment: Of the workers, besides.
    """

    plan: Plan
    kafka: RealKafka
    folder: Path
    module: str = "stream_app"
    environment: Mapping[str, str] = field(default_factory=dict)
    rounds: list[dict[str, Any]] = field(default_factory=list)
    strikes: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.job = self._job()
        self._feed = SoakFeed(self.job, seed=self.plan.seed)
        self._chaos = Chaos(random.Random(self.plan.seed), self.plan.pauses_s)
        self._workers = Workers(self.job)
        self._admin = AdminClient({"bootstrap.servers": self.kafka.bootstrap_servers})
        self._begun_s = time.monotonic()
        self._told_s = 0.0
        self._samples: Samples | None = None
        self._at_work: list[Worker] = []
        """The spared worker first."""

    def _job(self) -> Job:
        topics = {}
        for setting, name in (
            ("input__topic", "soak"),
            ("output__predictions_topic", "soak-predictions"),
            ("output__dlq_topic", "soak-dlq"),
            ("drift__partials_topic", "soak-partials"),
        ):
            topics[setting] = self.kafka.topic(name, PARTITIONS, **_TOPIC)
        return car_loan_job(
            self.kafka, self.folder, protocol=self.plan.protocol, create_topics=False, **topics
        )

    def run(self) -> dict[str, Any]:
        """Until the time is over or something is wrong; the report, whatever happens."""
        with self._workers:
            try:
                self._rounds()
                self._end()
            except (Exception, KeyboardInterrupt):  # noqa: BLE001 - it is in the report
                self.faults.append(f"the soak itself failed:\n{traceback.format_exc()}")
                self._look()
            for worker in self._at_work:
                self._judge_log(worker)
        return self._report()

    def _rounds(self) -> None:
        self._at_work = [self._start() for _ in range(self.plan.workers)]
        with Samples(self._at_work[0].pid).taken() as self._samples:
            while not self.faults and self._left_s() > 0:
                self._round()

    def _end(self) -> None:
        self._look()
        for worker in reversed(self._at_work):
            try:
                end_in_order(worker)
            except AssertionError as exc:
                self.faults.append(f"at the end: {exc}")

    def _start(self) -> Worker:
        return self._workers.start(module=self.module, **self.environment)

    def _left_s(self) -> float:
        return self._begun_s + 3_600 * self.plan.hours - time.monotonic()

    # -- a round ------------------------------------------------------------------------------

    def _round(self) -> None:
        """Load and faults, then the verdict."""
        stop, round_s = threading.Event(), min(self.plan.round_s, max(60.0, self._left_s()))
        with ExitStack() as stack:
            pool = stack.enter_context(ThreadPoolExecutor(1))
            stack.callback(stop.set)
            live = stack.enter_context(LiveReader(self.job.settings))
            load = pool.submit(self._feed.send_slowly, _WITHOUT_END, self.plan.rate, stop)
            over = threading.Timer(round_s, stop.set)
            stack.callback(over.cancel)
            over.start()
            while not stop.wait(self._chaos.pause_s()) and not self.faults:
                self._strike(self._chaos.strike(self._at_work[1:]), stop)
                self._look()
                self._tell()
            stop.set()
            load.result(120)
            self._judge(live)

    def _strike(self, strike: Strike, stop: threading.Event) -> None:
        self.strikes[strike.blow.value] += 1
        try:
            if not strike.deal(stop):
                return
        except AssertionError as exc:
            self.faults.append(f"{strike}: {exc}")
        self._judge_log(strike.victim)
        self._at_work.remove(strike.victim)
        self._at_work.append(self._start())

    def _look(self) -> None:
        """Nobody may end by itself."""
        self.faults += [
            f"worker {worker.pid} ended by itself with {worker.exit_status}:\n"
            f"{worker.log()[-3_000:]}"
            for worker in self._at_work
            if worker.exit_status is not None
        ]

    def _judge_log(self, worker: Worker) -> None:
        if "Traceback" in worker.log():
            self.faults.append(f"worker {worker.pid} has a traceback:\n{worker.log()[-3_000:]}")

    def _judge(self, live: LiveReader) -> None:
        report = verify(
            self.job.settings, wait_s=self.plan.caught_up_s, expected=self._feed.expected
        )
        differences = live.check(within_s=120)
        sent = self._feed.sent - self._feed.judged
        found = report.to_json() | {"sent": sent, "live": differences}
        found["notes"] = [note for note in report.notes if "begins at offset" not in note]
        right = (
            report.ok
            and report.events == sent
            and report.dead_letters == dict(self._feed.codes)
            and not differences
            and not found["notes"]
        )
        self.rounds.append(found | {"right": right})
        if not right:
            self.faults.append(f"round {len(self.rounds)}: {json.dumps(found)}")
        self._delete_judged()
        self._feed.forget()
        self._tell(now=True)

    def _delete_judged(self) -> None:
        """Outcomes and events alike: the next round begins with empty topics."""
        settings = self.job.settings
        for topic in (
            settings.input.topic,
            settings.predictions_topic,
            settings.dlq_topic,
            settings.partials_topic,
        ):
            partitions = self._admin.list_topics(topic, timeout=30).topics[topic].partitions
            asked = {TopicPartition(topic, p): OffsetSpec.latest() for p in partitions}
            ends = self._admin.list_offsets(asked, request_timeout=30)
            gone = [
                TopicPartition(topic, tp.partition, f.result().offset) for tp, f in ends.items()
            ]
            for deleted in self._admin.delete_records(gone, request_timeout=60).values():
                deleted.result()

    # -- what is told ---------------------------------------------------------------------------

    def _tell(self, *, now: bool = False) -> None:
        passed_s = time.monotonic() - self._begun_s
        if not now and passed_s - self._told_s < _TOLD_EVERY_S:
            return
        self._told_s = passed_s
        blows = ", ".join(f"{count} {blow}" for blow, count in sorted(self.strikes.items()))
        lost = sum(each["lost"] for each in self.rounds)
        twice = sum(each["duplicated"] for each in self.rounds)
        say(
            f"{passed_s / 3_600:6.2f} h  {self._feed.sent} events, {self._feed.judged} judged in "
            f"{len(self.rounds)} rounds: {lost} lost, {twice} twice; {blows or 'no faults yet'}"
        )

    def _report(self) -> dict[str, Any]:
        samples = self._samples or Samples(0)
        found = judged(samples.slopes(self.plan.warm_up_s), self.plan.judged_hours)
        self.faults += found.faults
        return {
            "plan": asdict(self.plan),
            "machine": {"system": platform.platform(), "python": platform.python_version()},
            "hours": (time.monotonic() - self._begun_s) / 3_600,
            "events": self._feed.sent,
            "strikes": dict(self.strikes),
            "workers": len(self._workers.started),
            "slopes": found.slopes,
            "rounds": self.rounds,
            "samples": {"seconds": samples.seconds, **samples.values},
            "undecided": found.undecided,
            "faults": self.faults,
        }


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
