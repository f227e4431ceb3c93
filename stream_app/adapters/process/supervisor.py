"""Many workers as one: starts them, starts them again, and stops them in order.

Decides when a worker process is started and stopped, and what the whole ends with. Refuses to
know what a worker does. Its loop waits for nobody: ten times a second it looks at every process,
so signal handlers only count.

How it ends:

* SIGTERM or SIGINT: SIGTERM to all; whoever is still there after the grace period, or at a second
  signal, is killed (which is safe: what was open is undone). Status 0 when all drained, else 75.
* A worker ends with a status that a restart cannot help (64, 65, 78): all are stopped, and that
  is the status.
* Anything else that ends a worker, a clean exit that nobody asked for included, starts it again,
  after a delay that grows.
"""

import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final, Protocol

import structlog

from stream_app.adapters.process.worker_process import spawn_worker
from stream_app.core.metrics import WORKER_RESTARTS, WORKERS_WANTED
from stream_app.core.restarts import Backoff, Restarts
from stream_app.errors import ExitStatus
from stream_app.health import FleetHealth, WorkerBeat, WorkerStanding
from stream_app.ports import Clock, Telemetry

_LOOK_EVERY_S: Final = 0.1
_KILL_MARGIN_S: Final = 1.0
"""So much later than a worker's own watchdog, which can still say where it hung."""

log = structlog.get_logger()


class FleetTelemetry(Telemetry, Protocol):
    """Measurements that many processes share."""

    @property
    def directory(self) -> Path | None:
        """Where workers write theirs."""

    def forget_workers(self) -> None:
        """Drop what the workers of an earlier run left."""

    def worker_ended(self, worker: int) -> None:
        """Take a dead worker's gauges out; its counts stay."""

    def worker_beat(self, worker: int) -> WorkerBeat:
        """What a worker last said of itself; callable from any thread."""


@dataclass(slots=True)
class _Worker:
    index: int
    restarts: Restarts
    process: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0
    start_at_s: float = 0.0


class Supervisor:
    """Keeps ``workers`` processes of ``command`` running until told to stop.

    Args:
        command: What a worker is; it learns its number from its environment
            (``worker_process.worker_index``).
        workers: How many.
        grace_period_s: From SIGTERM to SIGKILL.
        telemetry: Ours, with a folder for theirs.
        clock: For ages.
        tick_limit_s: A worker whose loop has not turned for so long counts as stuck.
        backoff: How soon a dead worker is started again.
        chance: Draws from 0 to 1.
    """

    def __init__(
        self,
        command: Sequence[str],
        workers: int,
        grace_period_s: float,
        telemetry: FleetTelemetry,
        clock: Clock,
        *,
        tick_limit_s: float = 600.0,
        backoff: Backoff | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._command = tuple(command)
        self._grace_period_s = grace_period_s
        self._telemetry = telemetry
        self._clock = clock
        self._chance = chance
        self._workers = [_Worker(i, Restarts(backoff or Backoff())) for i in range(workers)]
        self._stop_signals = 0
        self._health = FleetHealth(clock, tick_limit_s, self._standings)

    @property
    def health(self) -> FleetHealth:
        """The answer to ``/livez`` and ``/readyz`` for all of them."""
        return self._health

    def stop(self) -> None:
        """Do as on SIGTERM; a second time, as on a second one. Callable from any thread."""
        self._stop_signals += 1

    def run(self) -> ExitStatus:
        """Supervise until stopped; call on the main thread, which gets the signals.

        Returns:
            What this process should end with. No worker is left.
        """
        self._telemetry.forget_workers()
        self._telemetry.gauge(WORKERS_WANTED, len(self._workers))
        with _on_stop_signals(self.stop):
            status = ExitStatus.SOFTWARE
            try:
                status = self._supervise()
            finally:
                drained = self._drain()
        return ExitStatus.TRY_AGAIN if status is ExitStatus.OK and not drained else status

    def _supervise(self) -> ExitStatus:
        while self._stop_signals == 0:
            self._health.tick(self._clock.now_s())
            for worker in self._workers:
                if worker.process is None:
                    self._start_when_due(worker)
                    continue
                code = worker.process.poll()
                if code is not None and (status := self._ended(worker, code)) is not None:
                    return status
            time.sleep(_LOOK_EVERY_S)
        return ExitStatus.OK

    def _start_when_due(self, worker: _Worker) -> None:
        now_s = self._clock.now_s()
        if now_s < worker.start_at_s:
            return
        if worker.restarts.in_a_row:
            self._telemetry.count(WORKER_RESTARTS)
        worker.started_s = now_s
        try:
            worker.process = spawn_worker(self._command, worker.index, self._telemetry.directory)
        except OSError as exc:
            delay_s = self._put_off(worker, ran_s=0.0)
            log.error(  # noqa: TRY400  # the system's message says it; a traceback adds nothing
                "worker_not_started", worker=worker.index, error=str(exc), again_in_s=delay_s
            )
            return
        log.info("worker_started", worker=worker.index, pid=worker.process.pid)

    def _ended(self, worker: _Worker, code: int) -> ExitStatus | None:
        """Book a death nobody asked for; the status to end with, if a restart cannot help."""
        ran_s = self._clock.now_s() - worker.started_s
        worker.process = None
        self._telemetry.worker_ended(worker.index)
        told = {"worker": worker.index, "status": _told(code), "ran_s": round(ran_s, 1)}
        status = _final_status(code)
        if status is not None:
            log.error("worker_ended_for_good", **told, remedy="see its last line above")
            return status
        log.warning("worker_ended", **told, again_in_s=self._put_off(worker, ran_s))
        return None

    def _put_off(self, worker: _Worker, ran_s: float) -> float:
        delay_s = worker.restarts.delay_s(ran_s, self._chance())
        worker.start_at_s = self._clock.now_s() + delay_s
        return round(delay_s, 1)

    def _drain(self) -> bool:
        """Stop all workers and wait for them; whether each ended in order."""
        self._health.stopping = True
        in_order = True
        running = [worker for worker in self._workers if worker.process is not None]
        for worker in running:
            _send(worker, signal.SIGTERM)
        deadline_s = self._clock.now_s() + self._grace_period_s + _KILL_MARGIN_S
        killed = False
        while running:
            now_s = self._clock.now_s()
            self._health.tick(now_s)
            if not killed and (now_s > deadline_s or self._stop_signals > 1):
                killed = True
                log.warning("workers_killed", workers=[worker.index for worker in running])
                for worker in running:
                    _send(worker, signal.SIGKILL)
            for worker in running:
                in_order &= self._reaped_in_order(worker)
            running = [worker for worker in running if worker.process is not None]
            time.sleep(_LOOK_EVERY_S / 5)
        return in_order

    def _reaped_in_order(self, worker: _Worker) -> bool:
        """False when the worker is found to have ended otherwise than asked."""
        code = None if worker.process is None else worker.process.poll()
        if code is None:
            return True
        worker.process = None
        self._telemetry.worker_ended(worker.index)
        log.info("worker_stopped", worker=worker.index, status=_told(code))
        # One that SIGTERM ends outright had not set its handler yet, so had connected nothing.
        return code in {ExitStatus.OK, -signal.SIGTERM}

    def _standings(self) -> list[WorkerStanding]:
        now_s = self._clock.now_s()
        return [
            WorkerStanding(
                index=worker.index,
                running_s=None if worker.process is None else now_s - worker.started_s,
                beat=self._telemetry.worker_beat(worker.index),
            )
            for worker in self._workers
        ]


def _send(worker: _Worker, number: signal.Signals) -> None:
    if worker.process is not None:
        worker.process.send_signal(number)


def _final_status(code: int) -> ExitStatus | None:
    """The status that a restart cannot help; none for all others, and for death by a signal."""
    if code not in set(ExitStatus):
        return None
    status = ExitStatus(code)
    return None if status is ExitStatus.OK or status.restart_helps else status


def _told(code: int) -> int | str:
    if code >= 0:
        return code
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


@contextmanager
def _on_stop_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Only count in the handler: the loop looks ten times a second."""

    def count(number: int, frame: FrameType | None) -> None:
        del number, frame
        stop()

    before = {number: signal.signal(number, count) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
