"""The demo's worker processes: started, watched, killed on purpose, stopped in order.

Decides when a death is a surprise. What a worker owns is read from its own log, where it tells
each rebalance; nothing is asked of it that an operator could not see.
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from stream_app.adapters.process.worker_process import spawn_worker
from stream_app.errors import ExitStatus, FatalError

_TAIL_LINES: Final = 15
_POLL_S: Final = 0.05


@dataclass(slots=True)
class _Worker:
    process: subprocess.Popen[bytes]
    log_path: Path
    log: BinaryIO
    expected_to_end: bool = False
    partitions: set[int] = field(default_factory=set)
    unread: bytes = b""


class Fleet:
    """Worker processes of one settings file.

    Args:
        config: The file.
        folder: For logs and metrics.
        count: How many.
        held: Keeps signals away while a worker is started: one that nobody knows of would be left
            behind.
    """

    def __init__(
        self,
        config: Path,
        folder: Path,
        count: int,
        held: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._held = held
        self._config = config
        self._logs = folder / "logs"
        self._metrics = folder / "metrics"
        self._workers: dict[int, _Worker] = {}
        self._starts = 0
        self.count = count
        self._logs.mkdir()
        self._metrics.mkdir()

    def start(self, index: int) -> int:
        """Start a worker; its process id. Call on the main thread: the kernel binds it to that."""
        if index in self._workers:
            self._workers[index].log.close()
        self._starts += 1
        path = self._logs / f"worker-{index}-{self._starts}.log"
        command = [sys.executable, "-m", "stream_app", "score", "--config", str(self._config)]
        with self._held():
            with path.open("wb") as output:
                process = spawn_worker(command, index, self._metrics, output)
            self._workers[index] = _Worker(process, path, path.open("rb"))
        return process.pid

    def kill(self, index: int) -> int:
        """SIGKILL, as when a machine loses its power; the process id that was."""
        worker = self._workers[index]
        worker.expected_to_end = True
        worker.process.kill()
        worker.process.wait()
        worker.partitions.clear()
        return worker.process.pid

    def look(self) -> None:
        """Read what the workers have logged since the last look.

        Raises:
            FatalError: one has ended, and nobody had asked it to.
        """
        for index, worker in self._workers.items():
            _read_log(worker)
            status = worker.process.poll()
            if status is not None and not worker.expected_to_end:
                worker.expected_to_end = True
                raise FatalError(
                    f"worker {index} ended with {_told(status)}, which nobody had asked for; "
                    f"{self.log_tail(index)}"
                )

    @property
    def alive(self) -> int:
        """How many run."""
        return sum(worker.process.poll() is None for worker in self._workers.values())

    def partitions(self, index: int) -> frozenset[int]:
        """What a worker owned at the last look."""
        worker = self._workers.get(index)
        return frozenset() if worker is None else frozenset(worker.partitions)

    def owned(self) -> frozenset[int]:
        """What all of them owned together at the last look."""
        return frozenset().union(*(worker.partitions for worker in self._workers.values()))

    def log_tail(self, index: int) -> str:
        """The end of a worker's log, for a person."""
        path = self._workers[index].log_path
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:]
        return "\n".join([f"the end of the log of worker {index}:", *(f"  {x}" for x in lines)])

    def log_tails(self) -> str:
        """The ends of all logs."""
        return "\n".join(self.log_tail(index) for index in sorted(self._workers))

    def stop(self, within_s: float, hurry: Callable[[], bool] = lambda: False) -> dict[int, int]:
        """SIGTERM to all, and wait; SIGKILL for those that do not end. Safe to call twice.

        Args:
            within_s: Longest wait.
            hurry: When true, no longer wait.

        Returns:
            By number, the status of each that was still running.
        """
        running = {i: w for i, w in self._workers.items() if w.process.poll() is None}
        try:
            for worker in running.values():
                worker.expected_to_end = True
                worker.process.send_signal(signal.SIGTERM)
                # One that somebody had suspended hears of it only when it goes on.
                worker.process.send_signal(signal.SIGCONT)
            deadline_s = time.monotonic() + within_s
            while any(w.process.poll() is None for w in running.values()):
                if time.monotonic() > deadline_s or hurry():
                    break
                time.sleep(_POLL_S)
        finally:
            for worker in running.values():
                worker.process.kill()
                worker.process.wait()
        return {index: worker.process.wait() for index, worker in running.items()}

    def close(self) -> None:
        """Close the logs that are read; the workers must have ended."""
        for worker in self._workers.values():
            worker.log.close()


def ended_badly(statuses: dict[int, int]) -> list[str]:
    """Those of a stopped fleet that did not end in order, for a person."""
    return [
        f"worker {index} ended with {_told(status)} when it was told to stop, expected status 0"
        for index, status in statuses.items()
        if status != ExitStatus.OK
    ]


def _told(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"status {status}"


def _read_log(worker: _Worker) -> None:
    """Follow the worker's assignment."""
    *lines, worker.unread = (worker.unread + worker.log.read()).split(b"\n")
    for line in lines:
        if b'"rebalance"' not in line:
            continue
        told = json.loads(line)
        if told["event_kind"] == "assigned":
            worker.partitions.update(told["partitions"])
        else:
            worker.partitions.difference_update(told["partitions"])
