"""What one run cost: the clock, the processor and the memory of this process.

Decides where measuring begins and ends: with the first record that was fetched, and with the last
commit. Imports, joining and warming up are before, leaving the group is after. The same for every
contender, so that their figures may stand side by side.
"""

import re
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_STATUS = Path("/proc/self/status")
STEPS = ("fetch", "decode", "score", "encode", "drift", "deliver", "commit")


@dataclass(frozen=True, slots=True)
class _Moment:
    """Readings of the clocks."""

    wall_s: float
    process_s: float
    thread_s: float

    @classmethod
    def now(cls) -> "_Moment":
        return cls(time.monotonic(), time.process_time(), time.thread_time())


class Meter:
    """Of one run, on the thread that does the work."""

    def __init__(self) -> None:
        self._begun: _Moment | None = None
        self._ended: _Moment | None = None
        self._steps = dict.fromkeys(STEPS, 0.0)
        self.predictions = 0
        self.dead_letters = 0
        self.batches = 0
        self.commits = 0
        self.aborts = 0

    @property
    def outcomes(self) -> int:
        """Committed so far."""
        return self.predictions + self.dead_letters

    @property
    def running(self) -> bool:
        """Whether the first record has come."""
        return self._begun is not None

    def fetched(self) -> None:
        """Some records came; the first time, measuring begins."""
        if self._begun is None:
            self._begun = _Moment.now()

    def add(self, step: str, seconds: float) -> None:
        """Time that a step took; none counts before the first record."""
        if self._begun is not None:
            self._steps[step] += seconds

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """As :meth:`add`, of a block; for use by the batch, not by the record."""
        begun_s = time.monotonic()
        yield
        self.add(step, time.monotonic() - begun_s)

    def committed(self) -> None:
        """All outcomes told so far are committed: this may be the end."""
        self.commits += 1
        self._ended = _Moment.now()

    def figures(self) -> dict[str, object]:
        """Plain values for ``json.dumps``; see ``bench/figures.py``."""
        begun, ended = self._begun, self._ended
        if begun is None or ended is None:
            raise ValueError("nothing was committed: there is nothing to tell")
        return {
            "predictions": self.predictions,
            "dead_letters": self.dead_letters,
            "seconds": ended.wall_s - begun.wall_s,
            "cpu_s": ended.process_s - begun.process_s,
            "thread_cpu_s": ended.thread_s - begun.thread_s,
            "steps": dict(self._steps),
            "batches": self.batches,
            "commits": self.commits,
            "aborts": self.aborts,
            "peak_rss_bytes": peak_rss_bytes(),
        }


def peak_rss_bytes() -> int:
    """Of this process, since its start."""
    try:
        # What `getrusage` says on Linux is the greater of this and of who started us.
        found = re.search(r"^VmHWM:\s+(\d+) kB", _STATUS.read_text("utf-8"), re.MULTILINE)
    except OSError:
        found = None
    if found is not None:
        return int(found.group(1)) * 1024
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024
