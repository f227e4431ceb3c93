"""One server process: started so that it never outlives its starter, watched, signalled, ended.

It decides that a server has a session of its own (Ctrl-C in a terminal does not reach it; the
starter ends it in its own order) and a log file that is appended to. It knows nothing of Kafka.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from stream_app.adapters.local_kafka import launch

LOG_TAIL_LINES = 40

# The kernel counts the starting *thread* as the parent: a server started from a short-lived
# thread would die with that thread. This thread lives as long as the process; at interpreter
# exit it ends first, and what then still runs is killed.
_SPAWNER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="local-kafka-spawner")


class ServerProcess:
    """A running child process; its process group has the same number as itself."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        log_path: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.log_path = log_path
        mode = "kernel" if sys.platform == "linux" else "watch"
        full = [sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), mode, *command]
        log_path.parent.mkdir(parents=True, exist_ok=True)
        with log_path.open("ab") as log:
            self._popen = _SPAWNER.submit(
                subprocess.Popen,
                full,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=log_path.parent,
                env=None if environment is None else dict(environment),
                start_new_session=True,
            ).result()

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        """``None`` while it runs; negative is the number of the signal that ended it."""
        return self._popen.poll()

    @property
    def alive(self) -> bool:
        return self.returncode is None

    def wait(self, timeout_s: float) -> int:
        """The return code.

        Raises:
            TimeoutError: it still runs.
        """
        try:
            return self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired as exc:
            raise TimeoutError(f"process {self.pid} still runs after {timeout_s:g} s") from exc

    def pause(self) -> None:
        """SIGSTOP: it keeps its connections and answers nobody."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def terminate(self, timeout_s: float) -> None:
        """SIGTERM, and SIGKILL for one that does not end within ``timeout_s``."""
        self._signal(signal.SIGTERM)
        self._signal(signal.SIGCONT)
        try:
            self.wait(timeout_s)
        except TimeoutError:
            self.kill()

    def kill(self) -> None:
        """SIGKILL; gone and reaped when this returns."""
        self._signal(signal.SIGKILL)
        self._popen.wait()

    def log_tail(self, lines: int = LOG_TAIL_LINES) -> str:
        with contextlib.suppress(FileNotFoundError):  # the folder was cleaned: nothing to show
            return "\n".join(
                self.log_path.read_text("utf-8", errors="replace").splitlines()[-lines:]
            )
        return ""

    def _signal(self, number: signal.Signals) -> None:
        if self.alive:
            # It may end between the look and the signal; ended is what every caller can live with.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)
