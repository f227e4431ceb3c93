"""Where the machine code of compiled kernels is kept between processes.

Decides the folder: of this user, and named after everything that the code depends on. numba looks
only at the file that a kernel is in; one that uses another file would go on with that one's old
code. Code is made for a level of the architecture, not for this very processor, so that an image
compiled on one machine serves nearly every other; an older one finds nothing, and compiles.

A folder that can be read only, as an image's, is copied to one for temporaries, because numba
uses none that it cannot write. Where neither can be had, every process compiles anew, which takes
it some seconds: no reason not to start.
"""

import hashlib
import os
import platform
import shutil
import stat
import sys
import tempfile
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import llvmlite.binding
import numba

import stream_app
from stream_app.adapters.process.user_cache import cache_folder

_KERNELS_IN = ("core", "adapters/kafka/native")
"""Folders of the package that kernels, and what they are made of, are in."""

_OF_LEVEL_3 = ("avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe")


@lru_cache(maxsize=1)
def keep_kernels() -> Path | None:
    """Let kernels that are imported from now on be kept; where, or ``None``: nowhere."""
    numba.config.CPU_NAME = processor()
    numba.config.CPU_FEATURES = ""
    folder = kernel_folder()
    if not _writable(folder):
        folder = _copied(folder)
    if not _writable(folder):
        return None
    numba.config.CACHE_DIR = str(folder)
    return folder


@lru_cache(maxsize=1)
def processor() -> str:
    """The level that code is made for: of x86-64 the third, which servers since 2015 have.

    Counting drift takes a quarter less time by it; no result depends on it, since numba never lets
    a product and a sum be rounded as one.
    """
    if platform.machine() in {"x86_64", "AMD64"}:
        found = llvmlite.binding.get_host_cpu_features()
        if all(found.get(name, False) for name in _OF_LEVEL_3):
            return "x86-64-v3"
    return "generic"


def kernel_folder() -> Path:
    """Where compiled kernels of this version are kept; it may not exist, or not be writable."""
    return cache_folder() / "kernels" / _fingerprint()


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.R_OK | os.W_OK | os.X_OK)


def _copied(folder: Path) -> Path:
    """The same in a folder for temporaries that is ours alone: its content is run as code."""
    parent = Path(tempfile.gettempdir()) / f"stream-app-kernels-{os.getuid()}"
    copy = parent / folder.name
    try:
        parent.mkdir(mode=0o700, exist_ok=True)
        found = parent.lstat()
        if found.st_uid != os.getuid() or found.st_mode != stat.S_IFDIR | 0o700:
            return folder
        if folder.is_dir() and not copy.exists():
            fresh = Path(tempfile.mkdtemp(dir=parent))
            shutil.copytree(folder, fresh, dirs_exist_ok=True)
            fresh.rename(copy)
    except OSError:
        return copy if copy.is_dir() else folder
    return copy


def _fingerprint() -> str:
    digest = hashlib.sha256()
    package = Path(stream_app.__path__[0])
    for folder in _KERNELS_IN:
        for path in sorted((package / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    for name in ("numba", "llvmlite", "numpy"):
        digest.update(version(name).encode())
    digest.update(sys.version.encode())
    digest.update(processor().encode())
    return digest.hexdigest()[:16]
