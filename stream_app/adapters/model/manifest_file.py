"""``manifest.json``: what a packed version of a model consists of.

Decides the manifest's format (``format = 1``), which is strict: an unknown key or a missing file
is an error, because a manifest that is half understood verifies nothing.
"""

import hashlib
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from stream_app.errors import ConfigError

MODEL_FILE = "model.onnx"
CONTRACT_FILE = "contract.toml"
GOLDEN_FILE = "golden.npz"
MANIFEST_FILE = "manifest.json"
PACKED_FILES = (MODEL_FILE, CONTRACT_FILE, GOLDEN_FILE)

_GREATEST_FILE_BYTES = (1 << 31) - 1
"""protobuf's limit, and so that of a model in one file."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class FileEntry(_Part):
    """What a file must be, to the bit."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size_bytes: Annotated[int, Field(gt=0, le=_GREATEST_FILE_BYTES)]

    @classmethod
    def of(cls, content: bytes) -> Self:
        """The entry that ``content`` fulfils."""
        return cls(sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content))


class Tolerance(_Part):
    """How far outputs may be from the golden ones: ``|a - b| <= absolute + relative * |b|``."""

    absolute: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1e-5
    relative: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1e-4


class Producer(_Part):
    """What made the model, as the model says; for people, nothing is decided by it."""

    name: str
    ir_version: int
    opsets: dict[str, int]


class Manifest(_Part):
    """The whole file."""

    format: Literal[1] = 1
    files: dict[str, FileEntry]
    tolerance: Tolerance = Tolerance()
    producer: Producer
    created_by: str = ""

    @model_validator(mode="after")
    def _all_files(self) -> Self:
        missing = [name for name in PACKED_FILES if name not in self.files]
        unknown = [name for name in self.files if name not in PACKED_FILES]
        if missing or unknown:
            raise ValueError(
                f"files must be exactly {', '.join(PACKED_FILES)}"
                + (f"; missing: {', '.join(missing)}" if missing else "")
                + (f"; unknown: {', '.join(map(repr, unknown))}" if unknown else "")
            )
        return self

    def to_json(self) -> bytes:
        """The file's content; equal manifests give equal bytes."""
        return (self.model_dump_json(indent=2) + "\n").encode()


def entries_of(files: Mapping[str, bytes]) -> dict[str, FileEntry]:
    """An entry for each file."""
    return {name: FileEntry.of(content) for name, content in files.items()}


def parse_manifest(content: bytes, name: str) -> Manifest:
    """Read a manifest; ``name`` stands in messages.

    Raises:
        ConfigError: it is no manifest that this version understands; names every fault.
    """
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as exc:
        faults = []
        for fault in exc.errors(include_url=False, include_input=False):
            place = ".".join(map(str, fault["loc"]))
            message = fault["msg"].removeprefix("Value error, ")
            faults.append(f"{name}: {place}: {message}" if place else f"{name}: {message}")
        faults.append(f"{name}: pack the version again, or restore it from its source")
        raise ConfigError("\n".join(faults)) from exc
