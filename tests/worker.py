"""Real worker processes for tests: `stream-app score`, started, watched, killed, always ended.

Decides how a test starts a worker and how it learns what the worker did: by its exit status, its
log and its HTTP port, as an operator would. Refuses to look inside.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self, TypeVar

from confluent_kafka import ConsumerGroupState
from confluent_kafka.admin import AdminClient

from stream_app.adapters.local_kafka.process import ServerProcess
from stream_app.adapters.verifier.kafka import VerifyKafka
from tests.job import ROOT, Job, car_loan_job

__all__ = [
    "ROOT",
    "START_S",
    "Job",
    "Worker",
    "Workers",
    "car_loan_job",
    "group_members",
    "open_transactions",
    "until",
]

T = TypeVar("T")

START_S = 60.0
"""For a start on a machine that does much else; one takes about 3 s."""

_LOOK_EVERY_S = 0.05


def until(what: str, look: Callable[[], T | None], within_s: float) -> T:
    """The first answer of ``look`` that is true; fails with ``what`` when time is up."""
    deadline_s = time.monotonic() + within_s
    while True:
        answer = look()
        if answer:
            return answer
        if time.monotonic() >= deadline_s:
            raise AssertionError(f"not within {within_s:g} s: {what}")
        time.sleep(_LOOK_EVERY_S)


class Worker:
    """One process; its log and port are read from outside."""

    def __init__(self, process: ServerProcess) -> None:
        self._process = process
        self.end_seen = False
        """Whether the test killed it or waited for its end; any other end is a surprise."""

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """``None`` while it runs; negative is the number of the signal that ended it."""
        return self._process.returncode

    @property
    def frozen(self) -> bool:
        """Whether SIGSTOP has stopped it."""
        asked = ["ps", "-o", "stat=", "-p", str(self.pid)]
        state = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
        return state.startswith("T")

    def events(self, name: str) -> list[dict[str, Any]]:
        """Lines of its log with this event."""
        return [event for event in self._logged() if event.get("event") == name]

    def log(self) -> str:
        """The whole of it, for a message."""
        path = self._process.log_path
        return path.read_text("utf-8", errors="replace") if path.exists() else ""

    def wait_for(self, name: str, within_s: float = START_S) -> dict[str, Any]:
        """The first line of its log with this event."""

        def look() -> dict[str, Any] | None:
            found = self.events(name)
            return found[0] if found else None

        return self._until(f"the event {name!r} in the log", look, within_s)

    def wait_ready(self, within_s: float = START_S) -> Self:
        """Return when /readyz says yes: the model is warm and the partitions are known."""
        self._until("/readyz answers 200", lambda: self.get("/readyz")[0] == 200, within_s)
        return self

    def wait_scoring(self, within_s: float = START_S) -> Self:
        """Return when it has committed predictions."""
        name = "stream_app_predictions_total"
        self._until("predictions are committed", lambda: self.metric(name) > 0, within_s)
        return self

    def wait_owns(self, partitions: int, within_s: float = START_S) -> Self:
        """Return when so many partitions are its own."""
        name = "stream_app_assigned_partitions"
        self._until(
            f"it owns {partitions} partitions", lambda: self.metric(name) == partitions, within_s
        )
        return self

    def wait_exit(self, within_s: float) -> int:
        """Its exit status, when it has ended by itself."""
        self._ended_in(within_s)
        self.end_seen = True
        status = self._process.wait(0)
        if status not in {0, -signal.SIGKILL}:
            print(self._tail())  # noqa: T201 - shown by pytest if the test fails
        return status

    def get(self, path: str) -> tuple[int, str]:
        """Ask its HTTP port; status 0 while nobody listens."""
        http = self.events("http")
        if not http:
            return 0, ""
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{http[0]['port']}{path}", timeout=5
            ) as r:
                return r.status, r.read().decode()
        except urllib.error.HTTPError as exc:
            return exc.code, exc.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name: str) -> float:
        """Sum of a metric over its labels; 0 while there is none."""
        lines = self.get("/metrics")[1].splitlines()
        return sum(
            float(line.rpartition(" ")[2])
            for line in lines
            if line.startswith((name + " ", name + "{"))
        )

    def counts(self, name: str, label: str) -> dict[str, float]:
        """A metric by the values of one of its labels; empty while it does not answer."""
        found: dict[str, float] = {}
        for line in self.get("/metrics")[1].splitlines():
            series, _, value = line.rpartition(" ")
            if series.startswith(name + "{"):
                _, _, rest = series.partition(f'{label}="')
                key = rest.partition('"')[0]
                found[key] = found.get(key, 0.0) + float(value)
        return found

    def transactions(self, result: str) -> float:
        """How many have ended so, ``committed`` or ``aborted``; 0 while it does not answer."""
        return self.counts("stream_app_transactions_total", "result").get(result, 0.0)

    @property
    def has_undone(self) -> bool:
        """Whether it says so of any transaction: aborted, or left to its fenced producer."""
        return bool(self.events("transaction_aborted") or self.events("producer_fenced"))

    def kill(self) -> None:
        """SIGKILL."""
        self.end_seen = True
        self._process.kill()

    def stop(self, within_s: float = 30.0) -> int:
        """SIGTERM; the exit status. One that is still there after ``within_s`` fails the test."""
        if self.exit_status is None:
            os.kill(self.pid, signal.SIGTERM)
        return self.wait_exit(within_s)

    def pause(self) -> None:
        """SIGSTOP."""
        self._process.pause()

    def resume(self) -> None:
        """SIGCONT."""
        self._process.resume()

    def _logged(self) -> Iterator[dict[str, Any]]:
        for line in self.log().splitlines():
            if line.startswith("{") and line.endswith("}"):
                yield json.loads(line)

    def _until(self, what: str, look: Callable[[], T | None], within_s: float) -> T:
        def alive() -> T | None:
            answer = look()
            if not answer and self.exit_status is not None:
                raise AssertionError(f"{what}: ended with {self.exit_status}\n{self._tail()}")
            return answer

        try:
            return until(what, alive, within_s)
        except AssertionError as exc:
            if self.exit_status is None:
                exc.add_note(self._tail())
            raise

    def _ended_in(self, within_s: float) -> None:
        try:
            until("the worker ends", lambda: self.exit_status is not None, within_s)
        except AssertionError as exc:
            exc.add_note(self._tail())
            raise

    def _tail(self) -> str:
        return f"the end of its log:\n{self._process.log_tail()}"


class Workers:
    """Starts a job's workers; a context manager that leaves none behind."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.started: list[Worker] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def start(
        self,
        *arguments: str,
        failpoint: str = "",
        module: str = "stream_app",
        command: Sequence[str] = ("score",),
        **environment: str,
    ) -> Worker:
        """One more worker.

        Args:
            arguments: After the command.
            command: Of ``stream-app``.
            module: Run in the place of ours; one that breaks something, then runs ours.
            failpoint: As ``STREAM_APP_FAILPOINT`` has it.
            environment: Further variables.
        """
        extra = {**environment, **({"STREAM_APP_FAILPOINT": failpoint} if failpoint else {})}
        process = ServerProcess(
            [sys.executable, "-m", module, *command, *arguments],
            log_path=self.job.folder / f"worker-{len(self.started)}.log",
            environment=self.job.environment(extra),
        )
        self._stack.callback(process.kill)
        worker = Worker(process)
        self.started.append(worker)
        return worker


def group_members(job: Job) -> int:
    """How many members the group has now, as its coordinator says."""
    admin = AdminClient({"bootstrap.servers": job.overrides["kafka.bootstrap_servers"]})
    group = job.overrides["kafka.group"]
    found = admin.describe_consumer_groups([group], request_timeout=10)[group].result(15)
    if found.state in {ConsumerGroupState.EMPTY, ConsumerGroupState.DEAD}:
        return 0
    return len(found.members)


def open_transactions(job: Job) -> int:
    """Output partitions on which a transaction is open now."""
    settings = job.settings
    kafka = VerifyKafka(settings.kafka, read_committed=True)
    try:
        ends = [
            end
            for topic in (settings.predictions_topic, settings.dlq_topic)
            for end in kafka.ends(topic, kafka.partitions(topic)).values()
        ]
    finally:
        kafka.close()
    return sum(end.stable < end.end for end in ends)
