"""Writer schemas, from a folder (single-object encoding) or from a registry (Confluent framing).

Decides what is remembered, and whose schemas are accepted. A store that cannot be asked is never
a record's fault; a key that stays unknown (``avro/schema_patience.py``) is.
"""

import errno
import json
import os
from collections import OrderedDict
from collections.abc import Collection
from pathlib import Path
from typing import Final, TypeVar

import structlog

from stream_app.adapters.avro.registry import Registry
from stream_app.adapters.avro.schema_patience import (
    ASK_EVERY_S,
    MAX_UNKNOWN,
    RECHECK_S,
    UNKNOWN_RETRY_S,
    Patience,
    unknown,
)
from stream_app.core.avro.canonical import fingerprint
from stream_app.core.avro.framing import SchemaKey, key_name
from stream_app.core.avro.gates import MAX_TEXT_BYTES, Rejection
from stream_app.core.avro.parser import SchemaError, parse
from stream_app.core.avro.store import SchemaStore, WriterSchema
from stream_app.core.faults import Fault
from stream_app.errors import ConfigError, RetriableError
from stream_app.ports import Clock

__all__ = ["FolderSchemaStore", "RegistrySchemaStore", "SchemaStore"]

log = structlog.get_logger()

MAX_SCHEMAS: Final = 1_000
_MAX_ID: Final = 2**31 - 1

T = TypeVar("T")


class FolderSchemaStore:
    """All ``*.avsc`` of a folder, each complete in itself, by their fingerprints.

    The folder is read at the start, and again when a fingerprint comes that is not known.
    """

    def __init__(
        self, folder: Path, clock: Clock, *, unknown_retry_s: float = UNKNOWN_RETRY_S
    ) -> None:
        """Read the folder.

        Raises:
            ConfigError: it cannot be read, or holds a file that is no schema.
        """
        self._folder = folder
        self._clock = clock
        self._patience = Patience(clock, unknown_retry_s)
        self._schemas: dict[bytes, WriterSchema] = {}
        self._read: dict[Path, tuple[int, int]] = {}
        try:
            bad = self._scan()
        except OSError as exc:
            raise ConfigError(
                f"expected a folder of Avro schemas at {folder}, found {exc.strerror}; correct "
                "input.schema_dir"
            ) from exc
        if bad:
            raise ConfigError(
                f"expected every *.avsc in {folder} to be an Avro schema; " + "; ".join(bad)
            )

    def get(self, key: SchemaKey) -> WriterSchema | Rejection:
        """See ``SchemaStore``."""
        if not isinstance(key, bytes):
            return unknown(key)
        if key not in self._schemas and self._patience.may_ask(key):
            self._scan_again()
            if key not in self._schemas:
                self._patience.missed(key)
        if key in self._schemas:
            self._patience.found(key)
            return self._schemas[key]
        return self._patience.verdict(key)

    def _scan_again(self) -> None:
        if self._clock.now_s() - self._scanned_s < ASK_EVERY_S:
            return
        try:
            bad = self._scan()
        except OSError as exc:
            raise RetriableError(
                f"the folder of Avro schemas {self._folder} cannot be read: {exc.strerror}"
            ) from exc
        for problem in bad:
            log.error("schema_file_unusable", problem=problem)

    def _scan(self) -> list[str]:
        """Read the files that are new or changed; what is wrong with those that are."""
        self._scanned_s = self._clock.now_s()
        bad: list[str] = []
        if not self._folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        for path in sorted(self._folder.glob("*.avsc")):
            try:
                status = path.stat()
                stamp = status.st_mtime_ns, status.st_size
                if self._read.get(path) == stamp:
                    continue
                self._read[path] = stamp
                key, schema = _load(path)
            except (SchemaError, OSError) as exc:
                bad.append(f"{path.name}: {exc}")
            else:
                self._schemas[key] = schema
        return bad


class RegistrySchemaStore:
    """Schemas of a registry, by id or GUID; what is in memory costs no request."""

    def __init__(
        self,
        registry: Registry,
        clock: Clock,
        *,
        subjects: Collection[str] = (),
        unknown_retry_s: float = UNKNOWN_RETRY_S,
    ) -> None:
        """Ask nothing yet.

        Args:
            registry: The registry.
            clock: For ages.
            subjects: Subjects whose schemas are accepted; empty: all.
            unknown_retry_s: How long an unknown key is hoped for.
        """
        self._registry = registry
        self._clock = clock
        self._subjects = frozenset(subjects)
        self._patience = Patience(clock, unknown_retry_s)
        self._schemas: OrderedDict[SchemaKey, WriterSchema] = OrderedDict()
        self._refused: OrderedDict[SchemaKey, float] = OrderedDict()
        self._outage: tuple[float, str] | None = None

    def get(self, key: SchemaKey) -> WriterSchema | Rejection:
        """See ``SchemaStore``."""
        cached = self._schemas.get(key)
        if cached is not None:
            self._schemas.move_to_end(key)
            return cached
        if isinstance(key, bytes) or (isinstance(key, int) and not 0 < key <= _MAX_ID):
            return unknown(key)
        if self._refused.get(key, 0.0) > self._clock.now_s():
            return self._not_allowed(key)
        if self._patience.may_ask(key):
            return self._fetch(key)
        return self._patience.verdict(key)

    def _fetch(self, key: int | str) -> WriterSchema | Rejection:
        if self._outage is not None and self._clock.now_s() < self._outage[0]:
            raise RetriableError(self._outage[1])
        try:
            if isinstance(key, int):
                found = self._registry.by_id(key)
            else:
                found = self._registry.by_guid(key)
            allowed = found is None or self._is_allowed(key, found)
        except RetriableError as exc:
            # A registry that is away is asked once per interval, whatever the number of keys.
            self._outage = self._clock.now_s() + ASK_EVERY_S, str(exc)
            raise
        self._outage = None
        if found is None:
            self._patience.missed(key)
            return self._patience.verdict(key)
        self._patience.found(key)
        if not allowed:
            self._refused[key] = self._clock.now_s() + RECHECK_S
            _trim(self._refused, MAX_UNKNOWN)
            return self._not_allowed(key)
        self._schemas[key] = found
        if _trim(self._schemas, MAX_SCHEMAS):
            self._registry.forget()
        return found

    def _is_allowed(self, key: int | str, schema: WriterSchema) -> bool:
        if not self._subjects:
            return True
        if isinstance(key, int):
            return not self._subjects.isdisjoint(self._registry.subjects_of_id(key))
        return any(
            self._registry.id_in_subject(subject, schema.text) is not None
            for subject in sorted(self._subjects)
        )

    def _not_allowed(self, key: SchemaKey) -> Rejection:
        return Rejection(
            Fault.SCHEMA_NOT_ALLOWED,
            f"schema {key_name(key)} is in none of the subjects that registry.subjects lists",
        )


def _trim(entries: "OrderedDict[SchemaKey, T]", most: int) -> bool:
    """Drop the oldest entry if there are too many; whether one was dropped."""
    if len(entries) <= most:
        return False
    entries.popitem(last=False)
    return True


def read_schema_text(path: Path) -> str:
    """The text of a schema's file.

    Raises:
        SchemaError: it is none, or longer than a schema may be.
    """
    try:
        # To open a pipe would block until somebody writes to it.
        if not path.is_file():
            raise SchemaError("no regular file")
        with path.open("rb") as file:
            content = file.read(MAX_TEXT_BYTES + 1)
        if len(content) > MAX_TEXT_BYTES:
            raise SchemaError(f"more than the {MAX_TEXT_BYTES} bytes that are allowed")
        return content.decode("utf-8")
    except (UnicodeDecodeError, OSError) as exc:
        raise SchemaError(f"{type(exc).__name__}: {exc}") from exc


def _load(path: Path) -> tuple[bytes, WriterSchema]:
    text = read_schema_text(path)
    try:
        return fingerprint(parse(json.loads(text))), WriterSchema(text)
    except SchemaError:
        raise
    except (ValueError, RecursionError) as exc:
        raise SchemaError(f"{type(exc).__name__}: {exc}") from exc
