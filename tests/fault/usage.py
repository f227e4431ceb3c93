"""What a live process uses, as the system tells it: memory, descriptors, threads.

Decides what is sampled and how often. Refuses to ask the process: a question would use something.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.fault.slopes import Slope, slope

QUANTITIES = ("rss_mib", "descriptors", "threads")
_STATUS = {"VmRSS:": ("rss_mib", 1 / 1024), "Threads:": ("threads", 1.0)}


def usage(pid: int) -> dict[str, float]:
    """Of this process, now.

    Raises:
        FileNotFoundError: it has ended.
    """
    root = Path("/proc") / str(pid)
    found = {"descriptors": float(len(list((root / "fd").iterdir())))}
    for line in (root / "status").read_text("utf-8").splitlines():
        name, _, rest = line.partition("\t")
        if name in _STATUS:
            quantity, scale = _STATUS[name]
            found[quantity] = float(rest.split()[0]) * scale
    return found


@dataclass
class Samples:
    """Of one process, from a thread of its own.

    Attributes:
        pid: Whose.
        every_s: How often.
        seconds: Since the first, by sample.
        values: By quantity, as many.
    """

    pid: int
    every_s: float = 5.0
    seconds: list[float] = field(default_factory=list)
    values: dict[str, list[float]] = field(default_factory=lambda: {q: [] for q in QUANTITIES})

    @contextmanager
    def taken(self) -> Iterator["Samples"]:
        """Sample until the block ends, or the process does."""
        stop, begun_s = threading.Event(), time.monotonic()

        def run() -> None:
            while not stop.wait(self.every_s):
                try:
                    now = usage(self.pid)
                except (FileNotFoundError, ProcessLookupError):
                    return
                self.seconds.append(time.monotonic() - begun_s)
                for quantity in QUANTITIES:
                    self.values[quantity].append(now[quantity])

        thread = threading.Thread(target=run, name="samples", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            stop.set()
            thread.join()

    def slopes(self, warm_up_s: float) -> dict[str, Slope | None]:
        """By quantity, without what came before it was warm."""
        first = next((i for i, s in enumerate(self.seconds) if s >= warm_up_s), len(self.seconds))
        return {q: slope(self.seconds[first:], self.values[q][first:]) for q in QUANTITIES}
