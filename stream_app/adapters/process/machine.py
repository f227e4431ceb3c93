"""What this process may use of the machine: cores and memory, as its container allows.

Decides between the machine's own numbers and the limits of the control group, version 2 or 1; the
smaller counts.
"""

import os
from pathlib import Path

from stream_app.core.cores import Machine

_GROUP = Path("/sys/fs/cgroup")
_BLAS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def read_machine(group: Path = _GROUP) -> Machine:
    """The machine, or the part of it that the control group leaves."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Machine(min(_allowed(), _quota(group)), min(pages, _memory(group)))


def pin_libraries() -> None:
    """Keep linear algebra libraries at one thread, unless the environment says another number.

    Their idle threads spin, and our matrices are too small to be shared out. Before numpy is
    imported, or it has no effect.
    """
    for name in _BLAS:
        os.environ.setdefault(name, "1")


def _allowed() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quota(group: Path) -> float:
    told = _words(group / "cpu.max")
    if len(told) == 2 and told[0] != "max":
        return int(told[0]) / int(told[1])
    quota, period = _words(group / "cpu/cpu.cfs_quota_us"), _words(group / "cpu/cpu.cfs_period_us")
    if quota and period and int(quota[0]) > 0:
        return int(quota[0]) / int(period[0])
    return float("inf")


def _memory(group: Path) -> int:
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        told = _words(group / name)
        if told and told[0].isdigit():
            return int(told[0])
    return 1 << 62


def _words(path: Path) -> list[str]:
    try:
        return path.read_text("ascii").split()
    except OSError:
        return []
