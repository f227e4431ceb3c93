"""Who runs on which core: the measured process alone on one, everything else on the others.

Decides it from the cores that this process may use. A worker that shares its core with a broker
measures the scheduler.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cores:
    """Numbers of cores; both are empty where nothing can, or need, be kept apart.

    Attributes:
        measured: For the process that is measured.
        others: For brokers, and for this process.
    """

    measured: tuple[int, ...] = ()
    others: tuple[int, ...] = ()

    @property
    def apart(self) -> bool:
        """Whether they are kept apart."""
        return bool(self.measured)


def part_cores(available: frozenset[int]) -> Cores:
    """The last core for who is measured; interrupts tend to be served on the first ones."""
    if len(available) < 2:
        return Cores()
    *others, measured = sorted(available)
    return Cores((measured,), tuple(others))


@contextmanager
def kept_apart() -> Iterator[Cores]:
    """Move this process, and what it starts from now on, to the other cores until the end."""
    if sys.platform != "linux":
        yield Cores()
        return
    before = os.sched_getaffinity(0)
    cores = part_cores(frozenset(before))
    if cores.apart:
        os.sched_setaffinity(0, cores.others)
    try:
        yield cores
    finally:
        os.sched_setaffinity(0, before)
