"""The demo's processes: started, watched, killed on purpose, stopped in order.

Decides which there are: numbered workers, and companions that read what workers write. What a
worker owns is read from its own log, where it tells each rebalance; nothing is asked of it that an
operator could not see.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Final

from stream_app.adapters.process.worker_process import spawn_worker
from stream_app.demo.child import Child

_POLL_S: Final = 0.05


class Fleet:
    """Processes of one settings file.

    Args:
        config: The file.
        folder: For logs and metrics.
        count: How many workers.
        held: Keeps signals away while a process is started: one that nobody knows of would be left
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
        self._workers: dict[int, Child] = {}
        self._partitions: dict[int, set[int]] = {}
        self._companions: list[Child] = []
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
        with self._held():
            self._workers[index] = self._spawn(
                f"worker {index}", ["score"], path, index, self._metrics
            )
        self._partitions[index] = set()
        return self._workers[index].process.pid

    def accompany(self, what: str, command: Sequence[str]) -> None:
        """Start another command of the product beside the workers; on the main thread too.

        Args:
            what: In a person's words.
            command: Its words; the settings file is added.
        """
        path = self._logs / f"{'-'.join(command)}.log"
        with self._held():
            self._companions.append(self._spawn(what, command, path, 0, None))

    def _spawn(
        self, what: str, command: Sequence[str], path: Path, index: int, metrics: Path | None
    ) -> Child:
        words = [sys.executable, "-m", "stream_app", *command, "--config", str(self._config)]
        with path.open("wb") as output:
            process = spawn_worker(words, index, metrics, output)
        return Child(what, process, path, path.open("rb"))

    def kill(self, index: int) -> int:
        """SIGKILL for a worker; the process id that was."""
        self._workers[index].kill()
        self._partitions[index].clear()
        return self._workers[index].process.pid

    def look(self) -> None:
        """Read what the workers have logged since the last look.

        Raises:
            FatalError: a process has ended, and nobody had asked it to.
        """
        for index, worker in self._workers.items():
            _follow(worker.lines(), self._partitions[index])
            worker.require_alive()
        for companion in self._companions:
            companion.require_alive()

    @property
    def alive(self) -> int:
        """How many workers run."""
        return sum(worker.process.poll() is None for worker in self._workers.values())

    def partitions(self, index: int) -> frozenset[int]:
        """What a worker owned at the last look."""
        return frozenset(self._partitions.get(index, ()))

    def owned(self) -> frozenset[int]:
        """What all of them owned together at the last look."""
        return frozenset().union(*self._partitions.values())

    def log_tails(self) -> str:
        """The ends of all logs."""
        workers = [self._workers[index] for index in sorted(self._workers)]
        return "\n".join(child.tail() for child in (*workers, *self._companions))

    def stop(self, within_s: float, hurry: Callable[[], bool] = lambda: False) -> dict[str, int]:
        """SIGTERM to all, and wait; SIGKILL for those that do not end. Safe to call twice.

        Args:
            within_s: Longest wait.
            hurry: When true, no longer wait.

        Returns:
            The status of each that was still running.
        """
        everybody = (*self._workers.values(), *self._companions)
        running = [child for child in everybody if child.process.poll() is None]
        try:
            for child in running:
                child.ask_to_end()
            deadline_s = time.monotonic() + within_s
            while any(child.process.poll() is None for child in running):
                if time.monotonic() > deadline_s or hurry():
                    break
                time.sleep(_POLL_S)
        finally:
            for child in running:
                child.process.kill()
                child.process.wait()
        return {child.what: child.process.wait() for child in running}

    def close(self) -> None:
        """Close the logs that are read; the processes must have ended."""
        for child in (*self._workers.values(), *self._companions):
            child.log.close()


def _follow(lines: Sequence[bytes], partitions: set[int]) -> None:
    """Follow a worker's assignment."""
    for line in lines:
        if b'"rebalance"' not in line:
            continue
        told = json.loads(line)
        if told["event_kind"] == "assigned":
            partitions.update(told["partitions"])
        else:
            partitions.difference_update(told["partitions"])
