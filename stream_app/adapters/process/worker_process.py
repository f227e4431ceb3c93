"""One worker process: how a supervisor starts it, and how it lives and dies with its supervisor.

Decides what the two tell each other, by environment and signals. Refuses to know when a worker
should be started or stopped.

A worker is spawned, never forked with state in it: clients and compiled code do not survive a
fork. It has a process group of its own, so that Ctrl-C in a terminal reaches the supervisor alone,
which then stops its workers in order.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from stream_app.errors import ConfigError

INDEX_VARIABLE: Final = "STREAM_APP_WORKER_INDEX"
SUPERVISOR_VARIABLE: Final = "STREAM_APP_SUPERVISOR_PID"
METRICS_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
_PR_SET_PDEATHSIG: Final = 1
_LOOK_EVERY_S: Final = 1.0


def spawn_worker(
    command: Sequence[str],
    index: int,
    metrics_directory: Path | None,
    output: BinaryIO | None = None,
) -> subprocess.Popen[bytes]:
    """Start one worker with our environment, our standard output and error, and no input.

    Args:
        command: What a worker is.
        index: Its number, from 0.
        metrics_directory: Where it leaves its metrics.
        output: A file that gets its standard output and error instead of ours.

    Raises:
        OSError: the system has no room for it now, or there is no such command.
    """
    environment = {
        **os.environ,
        INDEX_VARIABLE: str(index),
        SUPERVISOR_VARIABLE: str(os.getpid()),
    }
    environment.pop(METRICS_VARIABLE, None)
    if metrics_directory is not None:
        environment[METRICS_VARIABLE] = str(metrics_directory)
    return subprocess.Popen(
        list(command),
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        process_group=0,
    )


def worker_index(environ: Mapping[str, str] = os.environ) -> int | None:
    """This worker's number, from 0; none when no supervisor started this process.

    A numbered worker leaves the HTTP port to its supervisor and gives its number to
    ``PrometheusTelemetry``.

    Raises:
        ConfigError: the variable was set by hand, and wrongly.
    """
    given = environ.get(INDEX_VARIABLE)
    if given is None:
        return None
    if not given.isdecimal():
        raise ConfigError(
            f"{INDEX_VARIABLE} is {given!r}; it is set by the supervisor for its workers, to a "
            "number from 0: unset it"
        )
    return int(given)


def die_with_supervisor() -> None:
    """Be sent SIGTERM, and so drain, when the supervisor dies without stopping us.

    Does nothing when there is none. Call in the main thread, before anything is connected, and
    after the handler for SIGTERM is set.
    """
    given = os.environ.get(SUPERVISOR_VARIABLE)
    if given is None or worker_index() is None:
        return
    supervisor = int(given)
    if sys.platform == "linux":
        # Asked for by the child itself: code between fork and exec is not safe beside threads.
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    else:
        threading.Thread(
            target=_terminate_when_orphaned, args=(supervisor,), name="orphan", daemon=True
        ).start()
    if os.getppid() != supervisor:  # it died before we could ask
        os.kill(os.getpid(), signal.SIGTERM)


def _terminate_when_orphaned(supervisor: int) -> None:
    while os.getppid() == supervisor:
        time.sleep(_LOOK_EVERY_S)
    os.kill(os.getpid(), signal.SIGTERM)
