"""Where the machine code of compiled kernels is kept between processes.

Decides the folder: of this user, and named after everything that the code depends on. numba looks
only at the date of the file that a kernel is in; one that uses another file would go on with that
one's old code. A folder that cannot be written is no reason not to start: then every process
compiles anew, which takes it some seconds.
"""

import hashlib
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Final

import numba

import stream_app.core

CACHE_VARIABLE: Final = "STREAM_APP_KERNEL_CACHE"
"""A folder for compiled kernels, instead of one in the user's cache."""


def keep_kernels() -> Path | None:
    """Let kernels that are imported from now on be kept; where, or ``None``: nowhere."""
    folder = kernel_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    if not os.access(folder, os.W_OK | os.X_OK):
        return None
    numba.config.CACHE_DIR = str(folder)
    return folder


def kernel_folder() -> Path:
    """Where compiled kernels of this version are kept; it may not exist, or not be writable."""
    given = os.environ.get(CACHE_VARIABLE)
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return (Path(given) if given else Path(home) / "stream-app" / "kernels") / _fingerprint()


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(stream_app.core.__path__[0]).rglob("*.py")):
        digest.update(path.read_bytes())
    for name in ("numba", "llvmlite", "numpy"):
        digest.update(version(name).encode())
    digest.update(sys.version.encode())
    return digest.hexdigest()[:16]
