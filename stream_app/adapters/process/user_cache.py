"""The user's cache folder, and a lock for whoever fills a part of it.

Decides where it is. Knows nothing of what is kept there: pinned downloads
(``local_kafka/cache.py``) and compiled kernels (``kernel_cache.py``) do.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from stream_app.errors import UnavailableError

CACHE_VARIABLE = "STREAM_APP_CACHE_DIR"
LOCK_WAIT_S = 900.0
_LOCK_POLL_S = 0.2

Progress = Callable[[str], None]
"""Told in words what a start is busy with, so that a person knows what is waited for."""


def silent(_: str) -> None:
    """The progress of one who does not want to know."""


def cache_folder() -> Path:
    """``STREAM_APP_CACHE_DIR``, else ``stream-app`` in the XDG cache (``~/.cache``)."""
    if override := os.environ.get(CACHE_VARIABLE):
        return Path(override).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "stream-app"


@contextlib.contextmanager
def exclusive(folder: Path, progress: Progress = silent) -> Iterator[None]:
    """Hold the lock beside ``folder``; the kernel frees it when the process dies.

    Raises:
        UnavailableError: another process has held it for a quarter of an hour.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    path = folder.with_name(f"{folder.name}.lock")
    with path.open("w") as file:
        deadline_s = time.monotonic() + LOCK_WAIT_S
        told = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as exc:
                if time.monotonic() > deadline_s:
                    raise UnavailableError(
                        f"another process holds {path} for more than {LOCK_WAIT_S:g} s; "
                        "end it, then try again"
                    ) from exc
                if not told:
                    progress(f"waiting for another process that fills {folder}")
                    told = True
                time.sleep(_LOCK_POLL_S)
        yield
