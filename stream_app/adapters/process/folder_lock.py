"""Keeps a folder in the temporary directory from being cleaned up while it is in use.

systemd-tmpfiles deletes what has not been touched for some days, and writing through a memory map
touches nothing; but it leaves alone a folder that is locked, and all below it (tmpfiles.d(5),
"Age"). Without this, workers that run for weeks lose their slots' locks and their metrics.
"""

import fcntl
import os
from pathlib import Path


def hold_folder(directory: Path) -> int:
    """Lock it, together with anyone else who does.

    Returns:
        The descriptor; the lock ends when it is closed, or with the process.

    Raises:
        OSError: the folder cannot be opened, or its file system has no locks.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
