"""``reference.avro``: a model's reference, in its version's folder, beside what was packed.

Decides the file's format, its id, and that a file is believed only after its id and every
invariant were found right. The manifest does not list it: a reference is made later, and may be
made again; whether it is this model's is seen by the hashes in it.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import fastavro

from stream_app import __version__
from stream_app.adapters.drift.reference_record import Making, from_record, to_record
from stream_app.adapters.model.manifest_file import CONTRACT_FILE
from stream_app.adapters.model.repository import ModelFiles
from stream_app.core.drift.reference import Reference
from stream_app.core.drift.reference_check import check_reference
from stream_app.errors import ConfigError
from stream_app.resources import schema_path

REFERENCE_FILE = "reference.avro"
FORMAT = 1

_ID_DIGITS = 16
_MOST_BYTES = 1 << 28
_AGAIN = "make it again: stream-app model reference build --force"


@dataclass(frozen=True, slots=True)
class StoredReference:
    """A reference as it lies in a file.

    Attributes:
        id: 16 hex digits; the same data, contract and model give the same.
        created_ms: When it was made, in milliseconds since 1970.
        created_by: The tool and its version.
        reference: What windows are compared with.
        making: What it was made of.
    """

    id: str
    created_ms: int
    created_by: str
    reference: Reference
    making: Making


def store(reference: Reference, making: Making, created_ms: int) -> StoredReference:
    """Give a reference its id.

    Raises:
        ValueError: it is not sound; names every fault.
    """
    faults = check_reference(reference)
    if faults:
        raise ValueError("no reference: " + "; ".join(faults))
    return StoredReference(
        id=_id_of(_encode_body(to_record(reference, making))),
        created_ms=created_ms,
        created_by=f"stream-app {__version__}",
        reference=reference,
        making=making,
    )


def write_reference(folder: Path, stored: StoredReference, *, force: bool = False) -> Path:
    """Write ``reference.avro`` into a version's folder, all of it or nothing.

    Raises:
        ConfigError: there is one already, and no ``force``; or it cannot be written.
    """
    target = folder / REFERENCE_FILE
    if target.exists() and not force:
        raise ConfigError(f"{target}: there is a reference already; give --force to replace it")
    content = dump_reference(stored)
    try:
        with NamedTemporaryFile(prefix=".reference-", dir=folder, delete=False) as aside:
            try:
                aside.write(content)
                aside.flush()
                os.fsync(aside.fileno())
                Path(aside.name).chmod(0o644)
                Path(aside.name).replace(target)
            except BaseException:
                Path(aside.name).unlink(missing_ok=True)
                raise
    except OSError as exc:
        raise ConfigError(
            f"{target}: cannot be written ({exc.strerror}); see that the version's folder can be "
            "written to"
        ) from exc
    return target


def dump_reference(stored: StoredReference) -> bytes:
    """The file's content; equal references made at the same time give equal bytes.

    Not compressed: what a compressor makes of the same bytes differs between its versions.
    """
    out = BytesIO()
    record = {
        "format": FORMAT,
        "id": stored.id,
        "created_at": stored.created_ms,
        "created_by": stored.created_by,
        "body": to_record(stored.reference, stored.making),
    }
    marker = bytes.fromhex(stored.id) * 2
    fastavro.writer(out, _schemas()[0], [record], codec="null", sync_marker=marker)
    return out.getvalue()


def find_reference(files: ModelFiles) -> StoredReference | None:
    """The reference of a version; ``None``: it has none.

    Raises:
        ConfigError: the file is damaged, or another model's.
    """
    path = files.folder / REFERENCE_FILE
    if not path.exists():
        return None
    stored = read_reference(path)
    contract = files.manifest.files[CONTRACT_FILE].sha256
    for what, own, others in (
        ("model", files.model_sha256, stored.making.model_sha256),
        ("contract", contract, stored.making.contract_sha256),
    ):
        if own != others:
            raise ConfigError(
                f"{path}: was made with another {what} (SHA-256 {others[:12]}, this version has "
                f"{own[:12]}); {_AGAIN}"
            )
    return stored


def require_reference(files: ModelFiles) -> StoredReference:
    """The reference of a version.

    Raises:
        ConfigError: it has none, or one that cannot be used.
    """
    stored = find_reference(files)
    if stored is None:
        raise ConfigError(
            f"{files.folder}: has no {REFERENCE_FILE}; make one of data that is as it should be: "
            f"stream-app model reference build {files.name} --data FILE"
        )
    return stored


def read_reference(path: Path) -> StoredReference:
    """Read a reference and verify it.

    Raises:
        ConfigError: it cannot be read, or is none that can be used; names the file and why.
    """
    try:
        with path.open("rb") as opened:
            content = opened.read(_MOST_BYTES + 1)
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read ({exc.strerror}); {_AGAIN}") from exc
    return parse_reference(content, str(path))


def parse_reference(content: bytes, name: str) -> StoredReference:
    """The reference in a file's content; ``name`` stands in messages.

    Raises:
        ConfigError: see :func:`read_reference`.
    """
    record = _only_record(content, name)
    found = record.get("format")
    if found != FORMAT:
        raise ConfigError(
            f"{name}: format {found}, this stream-app reads {FORMAT}; use the version that wrote "
            f"it, or {_AGAIN}"
        )
    try:
        body = _encode_body(record["body"])
        if _id_of(body) != record["id"]:
            raise ConfigError(
                f"{name}: damaged: the content has the id {_id_of(body)}, the file says "
                f"{record['id']}; restore it from its source, or {_AGAIN}"
            )
        reference, making = from_record(record["body"])
        faults = check_reference(reference)
        created_ms = round(record["created_at"].timestamp() * 1000)
        created_by = str(record["created_by"])
    except ConfigError:
        raise
    except Exception as exc:  # fields that are missing or of other types, in all their ways
        raise ConfigError(
            f"{name}: not a reference as this stream-app writes it ({type(exc).__name__}); {_AGAIN}"
        ) from exc
    if faults:
        lines = [f"{name}: {fault}" for fault in faults]
        raise ConfigError("\n".join([*lines, f"{name}: {_AGAIN}"]))
    return StoredReference(str(record["id"]), created_ms, created_by, reference, making)


def _only_record(content: bytes, name: str) -> Mapping[str, Any]:
    if len(content) > _MOST_BYTES:
        raise ConfigError(f"{name}: more than {_MOST_BYTES} bytes are no reference; {_AGAIN}")
    try:
        reader = fastavro.reader(BytesIO(content))
        # Compressed ones could be any size unpacked; we write none.
        records = list(reader) if reader.codec == "null" else []
    except Exception as exc:  # the library raises whatever the broken bytes lead to
        raise ConfigError(
            f"{name}: no Avro container file, or a broken one ({type(exc).__name__}); restore it "
            f"from its source, or {_AGAIN}"
        ) from exc
    if len(records) != 1 or not isinstance(records[0], dict):
        raise ConfigError(f"{name}: expected one record, not compressed; {_AGAIN}")
    return records[0]


def _id_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:_ID_DIGITS]


def _encode_body(body: Mapping[str, Any]) -> bytes:
    out = BytesIO()
    fastavro.schemaless_writer(out, _schemas()[1], body)
    return out.getvalue()


@lru_cache(maxsize=1)
def _schemas() -> tuple[Any, Any]:
    """Of the file, and of the body in it."""
    document = json.loads(schema_path("reference").read_text(encoding="utf-8"))
    body = next(field["type"] for field in document["fields"] if field["name"] == "body")
    return fastavro.parse_schema(document), fastavro.parse_schema(body)
