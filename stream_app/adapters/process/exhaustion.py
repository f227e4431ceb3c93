"""What ran out, when Python or the system says that something did.

Decides which foreign exceptions mean that this machine had no more of a resource, and what to do
about it. Refuses to know what the process did when it happened: it ends, what was open is undone,
and a restart begins where it was.
"""

import errno
import os
from collections.abc import Iterator

_MEMORY = (
    "out of memory: the limit is that of the container, of `ulimit -v` or of the machine; give "
    "this process more, or lower batch.max_records"
)
NO_THREADS = (
    "no memory, or no room, for another thread: give this process more memory, or raise its limit "
    "of processes (`ulimit -u`, the container's pids limit)"
)
_BY_NUMBER = {
    errno.EMFILE: (
        "this process has no file descriptors left: raise its limit (`ulimit -n`), 1024 are plenty"
    ),
    errno.ENFILE: "this machine has no file descriptors left: raise fs.file-max, or run less on it",
    errno.ENOSPC: ("no space is left on the disk: make room where {where}"),
    errno.EDQUOT: "this user's disk quota is used up: make room where {where}, or raise the quota",
    errno.ENOMEM: _MEMORY,
}
_PLACES = "the log, worker.state_dir and the temporary directory are"
_NO_THREAD = "can't start new thread"


def exhausted(exc: BaseException) -> str | None:
    """What ran out and the remedy; ``None`` when it is something else that went wrong."""
    return next(filter(None, map(_named, _with_causes(exc))), None)


def _named(exc: BaseException) -> str | None:
    if isinstance(exc, MemoryError):
        return _MEMORY
    if isinstance(exc, RuntimeError) and str(exc) == _NO_THREAD:
        return NO_THREADS
    if isinstance(exc, OSError) and exc.errno in _BY_NUMBER:
        where = exc.filename if isinstance(exc.filename, str | os.PathLike) else _PLACES
        return _BY_NUMBER[exc.errno].format(where=where)
    return None


def _with_causes(exc: BaseException) -> Iterator[BaseException]:
    """The error, and those it was raised from; of a failure in the clean-up too."""
    seen: set[int] = set()
    left: BaseException | None = exc
    while left is not None and id(left) not in seen:
        seen.add(id(left))
        yield left
        left = left.__cause__ or left.__context__
