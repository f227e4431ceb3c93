"""The user's cache of pinned files: what is there is checked, what is missing or wrong is fetched.

It decides when a file may be trusted: its SHA-256 is that of the list, looked at at each start.
Files come in by an atomic rename under a lock, so that neither two processes nor a power cut can
leave half a file behind; an interrupted download goes on where it stopped.
"""

import contextlib
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from stream_app.adapters.local_kafka.pins import Pin, sha256_of
from stream_app.adapters.process.user_cache import CACHE_VARIABLE, Progress, exclusive, silent
from stream_app.errors import ConfigError, UnavailableError

_PARALLEL_DOWNLOADS = 8
_REPORT_EVERY = 10
_MANIFEST = "contents.sha256"

Fetch = Callable[[Pin, Path], Path]
"""Download a pin somewhere under a folder and say where; raises ``UnavailableError``."""


def ensure_files(
    pins: Sequence[Pin], folder: Path, fetch: Fetch, progress: Progress = silent
) -> tuple[Path, ...]:
    """Every pin as a checked file in ``folder``, in the order given.

    Raises:
        ConfigError: the cache cannot be read or written.
        UnavailableError: a file cannot be had, or what is had has another SHA-256.
    """
    with _writable(folder):
        if _wrong(pins, folder):
            with exclusive(folder, progress):
                folder.mkdir(parents=True, exist_ok=True)
                _fetch_all(_wrong(pins, folder), folder, fetch, progress)
    return tuple(folder / pin.file_name for pin in pins)


@contextlib.contextmanager
def _writable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise ConfigError(
            f"the cache {folder} cannot be used: {exc}; {CACHE_VARIABLE} names another folder, "
            "which must be writable and have 500 MB free"
        ) from exc


def _wrong(pins: Sequence[Pin], folder: Path) -> list[Pin]:
    return [pin for pin in pins if not _is(folder / pin.file_name, pin.sha256)]


def _is(path: Path, sha256: str) -> bool:
    return path.is_file() and sha256_of(path) == sha256


def _fetch_all(pins: Sequence[Pin], folder: Path, fetch: Fetch, progress: Progress) -> None:
    progress(f"downloading {len(pins)} files into {folder}")
    with (
        tempfile.TemporaryDirectory(prefix="download-", dir=folder.parent) as download,
        ThreadPoolExecutor(_PARALLEL_DOWNLOADS) as pool,
    ):
        jobs = [pool.submit(_fetch_one, pin, folder, fetch, Path(download)) for pin in pins]
        try:
            for done, job in enumerate(as_completed(jobs), start=1):
                job.result()
                if done % _REPORT_EVERY == 0:
                    progress(f"downloaded {done} of {len(jobs)} files")
        finally:
            pool.shutdown(cancel_futures=True)


def _fetch_one(pin: Pin, folder: Path, fetch: Fetch, download: Path) -> None:
    path = fetch(pin, download)
    found = sha256_of(path)
    if found != pin.sha256:
        raise UnavailableError(
            f"{pin} was downloaded with SHA-256 {found}, expected {pin.sha256}: the transfer or "
            "the mirror is broken, or the file was tampered with; it was not kept"
        )
    path.replace(folder / pin.file_name)


def ensure_unpacked(pin: Pin, folder: Path, fetch: Fetch, progress: Progress = silent) -> Path:
    """The pinned archive unpacked as ``folder``, each of its files as it was when unpacked.

    Raises:
        ConfigError: as ``ensure_files``.
        UnavailableError: as ``ensure_files``.
    """
    with _writable(folder):
        if not _matches_manifest(folder):
            with exclusive(folder, progress):
                if not _matches_manifest(folder):
                    progress(f"downloading {pin.file_name}")
                    _unpack(pin, folder, fetch)
    return folder


def _unpack(pin: Pin, folder: Path, fetch: Fetch) -> None:
    with tempfile.TemporaryDirectory(prefix="download-", dir=folder.parent) as temporary:
        download, contents = Path(temporary) / "download", Path(temporary) / "contents"
        download.mkdir()
        _fetch_one(pin, download, fetch, download)
        with tarfile.open(download / pin.file_name) as archive:
            archive.extractall(contents, filter="data")
        files = sorted(path for path in contents.rglob("*") if path.is_file())
        manifest = [f"{sha256_of(path)}  {path.relative_to(contents)}\n" for path in files]
        (contents / _MANIFEST).write_text("".join(manifest), "utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        contents.replace(folder)


def _matches_manifest(folder: Path) -> bool:
    manifest = folder / _MANIFEST
    if not manifest.is_file():
        return False
    lines = (line.split("  ", 1) for line in manifest.read_text("utf-8").splitlines())
    return all(_is(folder / name, sha256) for sha256, name in lines)
