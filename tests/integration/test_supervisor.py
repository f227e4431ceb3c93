"""The supervisor with real processes: starts, restarts, stops, and leaves nobody behind."""

import json
import os
import select
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from stream_app.errors import ExitStatus

WORKER = """
import os, signal, sys, time
from stream_app.adapters.process.clock import SystemClock
from stream_app.adapters.process.prometheus_telemetry import PrometheusTelemetry
from stream_app.adapters.process.worker_process import die_with_supervisor, worker_index
from stream_app.core.metrics import CONSUMER_LAG, RECORDS_FETCHED
from stream_app.health import WorkerHealth

index, behaviour = worker_index(), sys.argv[1]

def tell(*words):  # in one write, so that the lines of several processes stay whole
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

def stop(number, frame):
    tell("stopping", index, number)
    if behaviour != "stubborn":
        sys.exit(75 if behaviour == "untidy" else 0)

signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGINT, stop)
die_with_supervisor()
clock = SystemClock()
telemetry = PrometheusTelemetry(worker=index)
health = WorkerHealth(clock, 600, telemetry)
telemetry.count(RECORDS_FETCHED, 10)
telemetry.gauge(CONSUMER_LAG, 7, str(index))
health.model_warm = health.assignment_seen = True
tell("started", index, os.getpid())
started = telemetry.directory / "started"
if index == 0:
    started.touch()
elif behaviour.startswith("exit="):
    while not started.exists():
        time.sleep(0.02)
    sys.exit(int(behaviour.removeprefix("exit=")))
while True:
    health.tick(clock.now_s())
    time.sleep(0.02)
"""

SUPERVISOR = """
import sys
from pathlib import Path
from stream_app.adapters.process.clock import SystemClock
from stream_app.adapters.process.http_server import HttpServer
from stream_app.adapters.process.logs import configure_logging
from stream_app.adapters.process.prometheus_telemetry import PrometheusTelemetry
from stream_app.adapters.process.supervisor import Supervisor
from stream_app.core.restarts import Backoff

folder, workers, grace, tick_limit, *command = sys.argv[1:]
configure_logging("info", "json")
telemetry = PrometheusTelemetry(workers_dir=Path(folder))
supervisor = Supervisor(
    command, int(workers), float(grace), telemetry, SystemClock(),
    tick_limit_s=float(tick_limit), backoff=Backoff(first_s=0.1, most_s=0.2),
)
with HttpServer("127.0.0.1", 0, supervisor.health, telemetry.render) as http:
    print("port", http.port, flush=True)
    sys.exit(supervisor.run())
"""


class Fleet:
    """A supervisor under test and what its processes print."""

    def __init__(
        self, folder: Path, command: list[str], workers: int, grace_s: float, tick_limit_s: float
    ) -> None:
        self.folder = folder
        self.log = folder.parent / "log"
        numbers = [str(workers), str(grace_s), str(tick_limit_s)]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", SUPERVISOR, str(folder), *numbers, *command],
                stdout=subprocess.PIPE,
                stderr=log,
                process_group=0,
            )
        assert self.process.stdout is not None
        self._output = self.process.stdout
        self.pids: dict[int, int] = {}
        """The latest process of each worker."""
        self.stopped_by: dict[int, list[int]] = {}
        """The signals that each worker has told of."""
        self._rest = b""
        (self.port,) = self.line()[1:]

    def line(self, limit_s: float = 30) -> list[int]:
        """The next line, as numbers; the first is 0 for port, 1 for started, 2 for stopping."""
        deadline = time.monotonic() + limit_s
        while b"\n" not in self._rest:
            ready, _, _ = select.select([self._output], [], [], deadline - time.monotonic())
            assert ready, f"no line in {limit_s} s; the log:\n{self.log.read_text()}"
            chunk = os.read(self._output.fileno(), 65536)
            assert chunk, f"the end of the output; the log:\n{self.log.read_text()}"
            self._rest += chunk
        found, _, self._rest = self._rest.partition(b"\n")
        kind, *numbers = found.decode().split()
        parsed = [int(number) for number in numbers]
        if kind == "started":
            self.pids[parsed[0]] = parsed[1]
        elif kind == "stopping":
            self.stopped_by.setdefault(parsed[0], []).append(parsed[1])
        return [["port", "started", "stopping"].index(kind), *parsed]

    def wait_started(self, workers: int) -> None:
        while len(self.pids) < workers:
            self.line()

    def wait_restarted(self, worker: int) -> int:
        """The new process of a worker whose present one has ended."""
        before = self.pids[worker]
        while self.pids[worker] == before:
            self.line()
        return self.pids[worker]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def wait(self, limit_s: float = 30) -> int:
        output, _ = self.process.communicate(timeout=limit_s)
        for line in (self._rest + output).decode().splitlines():
            kind, *numbers = line.split()
            if kind == "stopping":
                self.stopped_by.setdefault(int(numbers[0]), []).append(int(numbers[1]))
        return self.process.returncode

    def probe(self, path: str) -> tuple[int, list[str]]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as found:
                return found.status, json.load(found)["reasons"]
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, json.load(refusal)["reasons"]

    def metrics(self) -> dict[str, float]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as found:
            families = text_string_to_metric_families(found.read().decode())
            return {
                "|".join([sample.name, *sample.labels.values()]): sample.value
                for family in families
                for sample in family.samples
            }

    def events(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


def until(condition: Callable[[], bool], limit_s: float = 20) -> bool:
    """Whether it comes true in time; asks often, hopes for nothing."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # An orphan that nobody waits for yet is dead all the same.
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Callable[..., Fleet]]:
    """Start a supervisor of workers that behave in a given way."""
    started: list[Fleet] = []
    worker = tmp_path / "worker.py"
    worker.write_text(WORKER)
    folder = tmp_path / "metrics"
    folder.mkdir()

    def start(
        behaviour: str = "obedient",
        workers: int = 2,
        grace_s: float = 20,
        tick_limit_s: float = 600,
        command: list[str] | None = None,
    ) -> Fleet:
        command = command or [sys.executable, str(worker), behaviour]
        started.append(Fleet(folder, command, workers, grace_s, tick_limit_s))
        return started[-1]

    yield start
    for one in started:
        for pid in [one.process.pid, *one.pids.values()]:
            if not gone(pid):
                os.kill(pid, signal.SIGKILL)
        one.process.communicate()


def test_workers_are_seen_as_one(fleet: Callable[..., Fleet]) -> None:
    running = fleet(workers=3)
    assert running.probe("/livez") == (200, [])
    running.wait_started(3)
    assert until(lambda: running.probe("/readyz")[0] == 200)
    found = running.metrics()
    assert found["stream_app_workers_wanted"] == 3
    assert found["stream_app_worker_ready"] == 3
    assert found["stream_app_records_fetched_total"] == 30
    assert {found[f"stream_app_consumer_lag_records|{n}"] for n in range(3)} == {7}
    assert abs(found["stream_app_loop_tick_timestamp_seconds"] - time.time()) < 5
    assert found["stream_app_worker_restarts_total"] == 0
    running.stop()
    assert running.wait() == 0


def test_a_stop_drains_all_and_leaves_nobody(fleet: Callable[..., Fleet]) -> None:
    running = fleet(workers=3)
    running.wait_started(3)
    running.stop()
    assert running.wait() == ExitStatus.OK
    assert running.stopped_by == {n: [signal.SIGTERM] for n in range(3)}
    assert all(gone(pid) for pid in running.pids.values())


def test_ctrl_c_in_a_terminal_reaches_the_supervisor_alone(fleet: Callable[..., Fleet]) -> None:
    running = fleet()
    running.wait_started(2)
    for pid in running.pids.values():
        assert os.getpgid(pid) == pid
        if sys.platform == "linux":
            assert Path(f"/proc/{pid}/fd/0").readlink() == Path("/dev/null")
    os.killpg(running.process.pid, signal.SIGINT)  # what a terminal does
    assert running.wait() == ExitStatus.OK
    assert running.stopped_by == {0: [signal.SIGTERM], 1: [signal.SIGTERM]}


def test_a_killed_worker_is_started_again_and_counting_goes_on(
    fleet: Callable[..., Fleet],
) -> None:
    running = fleet()
    running.wait_started(2)
    assert until(lambda: running.probe("/readyz")[0] == 200)
    files = {file.name for file in running.folder.iterdir()}
    for _ in range(3):
        os.kill(running.pids[0], signal.SIGKILL)
        running.wait_restarted(0)
    assert until(lambda: running.metrics().get("stream_app_worker_ready") == 2)
    found = running.metrics()
    assert found["stream_app_worker_restarts_total"] == 3
    assert found["stream_app_records_fetched_total"] == 50
    assert {file.name for file in running.folder.iterdir()} == files, "restarts pile up no files"
    running.stop()
    assert running.wait() == ExitStatus.OK


def test_a_dead_worker_makes_the_fleet_unready_but_not_dead(fleet: Callable[..., Fleet]) -> None:
    running = fleet("exit=1")
    running.wait_started(2)
    reason = "worker 1 is not running; it will be started again"
    assert until(lambda: running.probe("/readyz") == (503, [reason]))
    assert running.probe("/livez") == (200, [])
    running.wait_restarted(1)


@pytest.mark.parametrize("status", [0, 1, 69, 70, 75])
def test_an_end_that_a_restart_can_help_is_followed_by_one(
    fleet: Callable[..., Fleet], status: int
) -> None:
    running = fleet(f"exit={status}")
    running.wait_started(2)
    running.wait_restarted(1)
    ended = [event for event in running.events() if event["event"] == "worker_ended"]
    assert ended[0]["status"] == status
    running.stop()
    assert running.wait() in {ExitStatus.OK, ExitStatus.TRY_AGAIN}


@pytest.mark.parametrize("status", [64, 65, 78])
def test_an_end_that_a_restart_cannot_help_ends_all_with_that_status(
    fleet: Callable[..., Fleet], status: int
) -> None:
    running = fleet(f"exit={status}")
    running.wait_started(2)
    assert running.wait() == status
    assert running.stopped_by == {0: [signal.SIGTERM]}
    assert all(gone(pid) for pid in running.pids.values())


def test_who_ignores_the_grace_period_is_killed_and_that_is_told(
    fleet: Callable[..., Fleet],
) -> None:
    running = fleet("stubborn", grace_s=0.2)
    running.wait_started(2)
    running.stop()
    assert running.wait() == ExitStatus.TRY_AGAIN
    assert [e["workers"] for e in running.events() if e["event"] == "workers_killed"] == [[0, 1]]
    assert all(gone(pid) for pid in running.pids.values())


def test_a_second_ctrl_c_does_not_wait_for_the_grace_period(fleet: Callable[..., Fleet]) -> None:
    running = fleet("stubborn", grace_s=3600)
    running.wait_started(2)
    running.stop(signal.SIGINT)
    while len(running.stopped_by) < 2:
        running.line()
    running.stop(signal.SIGINT)
    assert running.wait() == ExitStatus.TRY_AGAIN


def test_a_worker_that_does_not_drain_in_order_shows_in_the_status(
    fleet: Callable[..., Fleet],
) -> None:
    running = fleet("untidy")
    running.wait_started(2)
    running.stop()
    assert running.wait() == ExitStatus.TRY_AGAIN


def test_workers_drain_when_their_supervisor_is_killed(fleet: Callable[..., Fleet]) -> None:
    running = fleet(workers=3)
    running.wait_started(3)
    running.process.kill()
    running.wait()
    assert running.stopped_by == {n: [signal.SIGTERM] for n in range(3)}
    assert until(lambda: all(gone(pid) for pid in running.pids.values()))


def test_a_stuck_worker_makes_the_fleet_dead_until_it_goes_on(fleet: Callable[..., Fleet]) -> None:
    running = fleet(tick_limit_s=1.0)
    running.wait_started(2)
    assert until(lambda: running.probe("/livez")[0] == 200)
    os.kill(running.pids[1], signal.SIGSTOP)
    assert until(lambda: running.probe("/livez")[0] == 503)
    assert running.probe("/livez")[1][0].startswith("worker 1: its loop has not turned")
    os.kill(running.pids[1], signal.SIGCONT)
    assert until(lambda: running.probe("/livez")[0] == 200)


def test_a_command_that_cannot_be_started_is_tried_again(
    fleet: Callable[..., Fleet], tmp_path: Path
) -> None:
    running = fleet(command=[str(tmp_path / "absent")])
    assert until(
        lambda: sum(event["event"] == "worker_not_started" for event in running.events()) >= 1
    )
    assert running.probe("/readyz")[0] == 503
    assert until(lambda: running.metrics()["stream_app_worker_restarts_total"] >= 4)
    running.stop()
    assert running.wait() == ExitStatus.OK


def test_what_an_earlier_run_left_is_not_counted(
    fleet: Callable[..., Fleet], tmp_path: Path
) -> None:
    stale = tmp_path / "metrics" / "counter_7.db"
    stale.write_bytes(b"left by a run that was killed")
    other = tmp_path / "metrics" / "notes.txt"
    other.touch()
    running = fleet()
    running.wait_started(2)
    assert not stale.exists()
    assert other.exists()
    assert running.metrics()["stream_app_records_fetched_total"] == 20
