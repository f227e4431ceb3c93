"""Folders for the data of local servers, and the removal of those whose owner was killed.

A process that is killed with SIGKILL cannot clean up; its folder's lock is freed by the kernel,
and the next start removes what nobody holds any more.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import IO

_PREFIX = "stream-app-local-"
_OWNER = "owner.lock"
_YOUNGEST_ORPHAN_S = 60.0
"""A folder has no lock for a moment after it was made."""


class WorkFolder:
    """A folder that this process owns; a temporary one is removed by ``close``."""

    def __init__(self, given: Path | None = None) -> None:
        self._lock: IO[str] | None = None
        if given is not None:
            self.path = given.absolute()
            self.path.mkdir(parents=True, exist_ok=True)
            return
        remove_orphans()
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._lock = (self.path / _OWNER).open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def close(self) -> None:
        """Remove a temporary folder; a given one stays as it is."""
        if self._lock is not None:
            shutil.rmtree(self.path, ignore_errors=True)
            self._lock.close()


def remove_orphans() -> None:
    """Remove this user's temporary folders that no living process owns."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        # Another process may remove it at the same time; gone is gone.
        with contextlib.suppress(OSError):
            stat = folder.stat()
            if stat.st_uid == os.getuid() and time.time() - stat.st_mtime > _YOUNGEST_ORPHAN_S:
                _remove_if_unowned(folder)


def _remove_if_unowned(folder: Path) -> None:
    with (folder / _OWNER).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        shutil.rmtree(folder, ignore_errors=True)
