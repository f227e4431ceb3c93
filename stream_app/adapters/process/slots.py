"""Who we are to the brokers: ``<group>-<instance>-<slot>``, one living process each.

Decides the slot: the lowest number that no living process of this host holds, by a file lock,
which the operating system drops when its holder dies, however it dies. Two terminals or two
workers on one host therefore never fence each other. Refuses to know about other hosts: there the
instance name must differ, and it does unless somebody sets it.
"""

import fcntl
import hashlib
import os
import re
import socket
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

from stream_app.adapters.process.exhaustion import exhausted
from stream_app.adapters.process.folder_lock import hold_folder
from stream_app.errors import ConfigError

MAX_SLOTS: Final = 1024
_NOT_IN_A_NAME: Final = re.compile(r"[^A-Za-z0-9._-]+")
_INSTANCE: Final = re.compile(r"[A-Za-z0-9._-]{1,200}")


def default_instance() -> str:
    """This host's name, as it may stand in a transactional id."""
    return _NOT_IN_A_NAME.sub("-", socket.gethostname()).strip("-.")[:200] or "host"


def transactional_id(group: str, instance: str, slot: int) -> str:
    """The name by which brokers know, and fence, one producer over its restarts."""
    return f"{group}-{instance}-{slot}"


class Slot:
    """A number that is ours until ``release`` or the end of the process.

    Attributes:
        number: From 0.
        transactional_id: With the group and the instance in front of it.
        flight_path: A file beside the lock, for whoever holds it.
    """

    def __init__(
        self, number: int, transactional_id: str, lock: Path, descriptors: tuple[int, ...]
    ) -> None:
        self.number = number
        self.flight_path = lock.with_suffix(".flight")
        self.transactional_id = transactional_id
        self._descriptors = descriptors

    def release(self) -> None:
        """Give the number back; safe to call twice."""
        descriptors, self._descriptors = self._descriptors, ()
        for descriptor in descriptors:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def acquire_slot(state_dir: Path | None, group: str, instance: str) -> Slot:
    """Take the lowest free slot of this group and instance; does not block.

    Args:
        state_dir: Where lock files are (``worker.state_dir``); none: a private folder of this
            user's in the temporary directory.
        group: The consumer group.
        instance: ``worker.instance``; empty: the host's name.

    Raises:
        ConfigError: the folder cannot be used, the instance's name cannot, or all slots are held.
    """
    instance = _checked_instance(instance)
    directory = _state_directory(state_dir)
    try:
        folder = hold_folder(directory)
        for number in range(MAX_SLOTS):
            name = transactional_id(group, instance, number)
            lock = directory / _file_name(name)
            descriptor = _try_lock(lock)
            if descriptor is not None:
                return Slot(number, name, lock, (descriptor, folder))
    except OSError as exc:
        if exhausted(exc) is not None:
            raise
        raise ConfigError(
            f"cannot lock a slot in {directory} ({exc.strerror or exc}); set worker.state_dir to "
            "a folder on a local disk that this user may write to"
        ) from exc
    os.close(folder)
    raise ConfigError(
        f"all {MAX_SLOTS} slots of group {group!r} on instance {instance!r} are held by living "
        f"processes (lock files in {directory}); stop some, or set another worker.instance"
    )


def _checked_instance(instance: str) -> str:
    if not instance:
        return default_instance()
    # Not mended like a host's name: two given names that are mended into one would fence each
    # other from two hosts.
    if not _INSTANCE.fullmatch(instance):
        raise ConfigError(
            f"worker.instance is {instance!r}; it becomes part of the transactional id, so use "
            "1 to 200 letters, digits, dots, dashes and underscores"
        )
    return instance


def _state_directory(given: Path | None) -> Path:
    try:
        if given is not None:
            given.mkdir(mode=0o700, parents=True, exist_ok=True)
            return given
        directory = Path(tempfile.gettempdir()) / f"stream-app-{os.getuid()}"
        with suppress(FileExistsError):  # what is there is looked at below
            directory.mkdir(mode=0o700)
        found = directory.lstat()
    except OSError as exc:
        raise ConfigError(
            f"cannot make the folder for slot locks, {exc.filename} ({exc.strerror}); set "
            "worker.state_dir to a folder that this user may write to"
        ) from exc
    # Anyone may put a folder of this name into the temporary directory first.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        mode = stat.filemode(found.st_mode)
        raise ConfigError(
            f"{directory} must be a folder of user {os.getuid()} that nobody else can enter "
            f"(drwx------); found owner {found.st_uid} and mode {mode}; remove it, or set "
            "worker.state_dir"
        )
    return directory


def _file_name(name: str) -> str:
    """One file a name, whatever characters and length a group has."""
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    return f"{quote(name, safe='')[:100]}.{digest}.lock"


def _try_lock(path: Path) -> int | None:
    """The open descriptor that holds the lock, or none when a living process does.

    ``flock`` and not ``lockf``: the lock belongs to this opening of the file, so that another one
    in the same process can neither share nor drop it. The file stays when the slot is released:
    deleting it would let two processes lock two files of one name.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
