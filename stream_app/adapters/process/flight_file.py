"""A file that says what this process is processing, for the one that starts after its death.

Decides how it lies in the file. The file is mapped into memory: what is written there is the
system's at once, without a call, and is found again however the process ends. (After a crash of
the whole machine it may be older; then a death is not counted.) It lies beside the slot's lock and
is used under it. Refuses to know what a death means.
"""

import hashlib
import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from stream_app.adapters.process.exhaustion import exhausted
from stream_app.core.columns import RecordBatch
from stream_app.core.native_deaths import NOBODY, Row, Rows, Suspicion
from stream_app.errors import ConfigError

_MAGIC: Final = int.from_bytes(b"flight 1", "little")
_HEADER_BYTES: Final = 64
_FIELDS: Final = ("magic", "room", "scope", "in_a_row", "inside", "suspects", "condemned", "free")
"""Of the header, eight bytes each; three of them count the rows of the lists behind it."""

_LISTS: Final = ("inside", "suspects", "condemned")
"""Each has columns as long as there is room for: partitions, offsets, deaths, eight bytes each."""

_COLUMNS: Final = 3
_ROOM: Final = {"inside": 1, "suspects": 8, "condemned": 1}
"""Of each list, in largest batches: a record that kills must not be forgotten for another one."""


@dataclass(frozen=True, slots=True)
class _Found:
    scope: int = 0
    inside: Rows = NOBODY
    suspicion: Suspicion = field(default_factory=Suspicion)


_INSIDE: Final = _FIELDS.index("inside")


class FlightFile:
    """Fulfils ``crash_guard.FlightRecorder``.

    Args:
        path: Ours alone while we hold the slot.
        room: Greatest number of records processed at once.

    Raises:
        ConfigError: the file cannot be used.
        OSError: there is no space for it now.
    """

    def __init__(self, path: Path, room: int) -> None:
        self.place = str(path)
        try:
            self._found = _read(path)
            room = max(room, len(self._found.inside))
            mapped = _map(path, _size(room))
        except OSError as exc:
            if exhausted(exc) is not None:
                raise OSError(exc.errno, exc.strerror, str(path)) from exc
            raise ConfigError(
                f"cannot keep what is being processed in {path} ({exc.strerror or exc}); set "
                "worker.state_dir to a folder on a local disk that this user may write to, or "
                "dead_letters.crash_limit = 0 to do without"
            ) from exc
        self._header = np.frombuffer(mapped, np.int64, len(_FIELDS))
        self._lists = _lists(mapped, room)
        self._partitions, self._offsets, _ = self._lists["inside"]
        self._set("room", room)
        self._set("scope", self._found.scope)
        # A death before anybody has asked must not hide the one before.
        self._put("inside", dict.fromkeys(self._found.inside, 0))
        self._put_suspicion(self._found.suspicion)
        self._set("magic", _MAGIC)

    def found(self, scope: str) -> tuple[Rows, Suspicion]:
        """See the port."""
        number = int.from_bytes(hashlib.sha256(scope.encode()).digest()[:7], "little")
        self._set("scope", number)
        if self._found.scope != number:
            return NOBODY, Suspicion()
        return self._found.inside, self._found.suspicion

    def keep(self, suspicion: Suspicion) -> None:
        """See the port."""
        self._put_suspicion(suspicion)
        self.leave()

    def enter(self, records: RecordBatch) -> None:
        """See the port."""
        count = len(records.offset)
        self._partitions[:count] = records.partition
        self._offsets[:count] = records.offset
        self._header[_INSIDE] = count

    def leave(self) -> None:
        """See the port."""
        self._header[_INSIDE] = 0

    def _put_suspicion(self, suspicion: Suspicion) -> None:
        self._put("suspects", suspicion.deaths)
        self._put("condemned", dict.fromkeys(suspicion.condemned, 0))
        self._set("in_a_row", suspicion.in_a_row)

    def _put(self, name: str, rows: Mapping[Row, int]) -> None:
        """As many as there is room for, the worst first."""
        columns = self._lists[name]
        worst = sorted(rows.items(), key=lambda item: (-item[1], item[0]))[: columns.shape[1]]
        for place, ((partition, offset), deaths) in enumerate(worst):
            columns[:, place] = partition, offset, deaths
        self._set(name, len(worst))

    def _set(self, name: str, value: int) -> None:
        self._header[_FIELDS.index(name)] = value


def _read(path: Path) -> _Found:
    """What the predecessor left; nothing if it left none, or half of one."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return _Found()
    if len(data) < _HEADER_BYTES:
        return _Found()
    told = dict(zip(_FIELDS, np.frombuffer(data, np.int64, len(_FIELDS)).tolist(), strict=True))
    room = told["room"]
    if told["magic"] != _MAGIC or len(data) != _size(room):
        return _Found()
    rows = {name: _rows(columns, told[name]) for name, columns in _lists(data, room).items()}
    return _Found(
        told["scope"],
        frozenset(rows["inside"]),
        Suspicion(rows["suspects"], frozenset(rows["condemned"]), told["in_a_row"]),
    )


def _rows(columns: npt.NDArray[np.int64], count: int) -> dict[Row, int]:
    partitions, offsets, deaths = columns[:, :count].tolist()
    return dict(zip(zip(partitions, offsets, strict=True), deaths, strict=True))


def _size(room: int) -> int:
    return _HEADER_BYTES + 8 * _COLUMNS * room * sum(_ROOM.values())


def _lists(data: bytes | mmap.mmap, room: int) -> dict[str, npt.NDArray[np.int64]]:
    """By name, shape ``(3, n)``: the rows' partitions, offsets and deaths."""
    found, at = {}, _HEADER_BYTES
    for name in _LISTS:
        count = _COLUMNS * room * _ROOM[name]
        found[name] = np.frombuffer(data, np.int64, count, at).reshape(_COLUMNS, -1)
        at += 8 * count
    return found


def _map(path: Path, size: int) -> mmap.mmap:
    """Written through first: a map of space that the disk does not have kills at the first use."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        if os.fstat(descriptor).st_size != size:
            os.ftruncate(descriptor, 0)
            _write_all(descriptor, bytes(size))
        return mmap.mmap(descriptor, size)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
