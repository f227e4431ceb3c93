"""The model repository: ``<repository>/<name>/<version>/{model.onnx, contract.toml, ...}``.

Decides which version is meant and that its files are the ones that were packed: each file is read
once into memory, hashed there, and those very bytes are handed on. Refuses to run models.

A link is followed only inside the version's folder (mounted volumes are made of such links).
Hard links are not refused: installers make them, and what counts is the hash of the bytes read.
"""

import hashlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from stream_app.adapters.model.contract_file import parse_contract
from stream_app.adapters.model.golden_file import Golden, parse_golden
from stream_app.adapters.model.manifest_file import (
    CONTRACT_FILE,
    GOLDEN_FILE,
    MANIFEST_FILE,
    MODEL_FILE,
    Manifest,
    parse_manifest,
)
from stream_app.core.contract import Contract
from stream_app.errors import ConfigError

LATEST = "latest"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_NUMBER = re.compile(r"0|[1-9][0-9]*")
_MANIFEST_LIMIT_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """One version, verified: what the manifest promises is what was read.

    Attributes:
        name: Of the model.
        version: Never ``latest``.
        folder: Where it was read from; for messages only, never to be read again.
        model: The bytes of ``model.onnx``.
        model_sha256: Of ``model``, in hex.
        contract: Sound in itself; not yet checked against the model.
        golden: Inputs and the outputs that the model gave for them when it was packed.
        manifest: As read.
    """

    name: str
    version: str
    folder: Path
    model: bytes
    model_sha256: str
    contract: Contract
    golden: Golden
    manifest: Manifest

    @property
    def content_hash(self) -> str:
        """First 12 hex digits of the model's SHA-256, as it stands in predictions."""
        return self.model_sha256[:12]


class ModelRepository:
    """A folder of models and their versions."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def models(self) -> list[str]:
        """Names of the models, sorted."""
        return sorted(_folders(self._root, "model.repository"))

    def versions(self, name: str) -> list[str]:
        """Versions of a model: numbers first, by value, then other names.

        Raises:
            ConfigError: there is no such model.
        """
        return sorted(self._versions(name), key=_version_order)

    def resolve(self, name: str, version: str) -> str:
        """The version meant; ``latest`` is the greatest number, other names never are.

        Raises:
            ConfigError: there is no such model or version.
        """
        versions = self.versions(name)
        if version != LATEST:
            check_name("model.version", version)
            if version not in versions:
                raise ConfigError(
                    f"model.version: {self._root / name} has no version {version!r}, it has: "
                    f"{', '.join(versions) or 'none'}"
                )
            return version
        numbers = [known for known in versions if _NUMBER.fullmatch(known)]
        if not numbers:
            raise ConfigError(
                f"model.version: latest is the greatest number in {self._root / name}, and it has "
                f"none ({', '.join(versions) or 'it is empty'}); name a version, or pack one"
            )
        return numbers[-1]

    def open(self, name: str, version: str = LATEST) -> ModelFiles:
        """Read a version and verify it.

        Raises:
            ConfigError: it is not there, or is not what its manifest says; names the file, what
                was expected and what was found.
        """
        version = self.resolve(name, version)
        folder = self._root / name / version
        _check_inside(folder, self._root)
        manifest_content = _read(folder, MANIFEST_FILE, _MANIFEST_LIMIT_BYTES)
        manifest = parse_manifest(manifest_content, str(folder / MANIFEST_FILE))
        content = {file: _verified(folder, file, manifest) for file in manifest.files}
        return ModelFiles(
            name=name,
            version=version,
            folder=folder,
            model=content[MODEL_FILE],
            model_sha256=manifest.files[MODEL_FILE].sha256,
            contract=parse_contract(content[CONTRACT_FILE], str(folder / CONTRACT_FILE)),
            golden=parse_golden(content[GOLDEN_FILE], str(folder / GOLDEN_FILE)),
            manifest=manifest,
        )

    def _versions(self, name: str) -> list[str]:
        check_name("model.name", name)
        known = self.models()
        if name not in known:
            raise ConfigError(
                f"model.name: {self._root} has no model {name!r}, it has: "
                f"{', '.join(known) or 'none'}; correct model.name or model.repository"
            )
        return _folders(self._root / name, "model.name")


def resolve_version(repository: Path, name: str, version: str = LATEST) -> str:
    """The version that the settings mean; see :meth:`ModelRepository.resolve`."""
    return ModelRepository(repository).resolve(name, version)


def _folders(parent: Path, setting: str) -> list[str]:
    try:
        entries = list(parent.iterdir())
    except OSError as exc:
        raise ConfigError(
            f"{setting}: {parent} cannot be listed ({exc.strerror}); correct {setting}"
        ) from exc
    # A version being packed, and Kubernetes' own ..data, begin with a dot and do not match.
    return [entry.name for entry in entries if _NAME.fullmatch(entry.name) and entry.is_dir()]


def check_name(setting: str, name: str) -> None:
    """Refuse names that are more, or less, than the name of a folder."""
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{setting}: {name!r} is not a plain folder name (letters, digits, '.', '_', '-', "
            "beginning with a letter or digit)"
        )


def _version_order(version: str) -> tuple[int, int, str]:
    if _NUMBER.fullmatch(version):
        return 0, int(version), version
    return 1, 0, version


def _verified(folder: Path, file: str, manifest: Manifest) -> bytes:
    promised = manifest.files[file]
    content = _read(folder, file, promised.size_bytes)
    found = hashlib.sha256(content).hexdigest()
    if len(content) != promised.size_bytes or found != promised.sha256:
        size = f"{len(content)} bytes" if len(content) <= promised.size_bytes else "more bytes"
        raise ConfigError(
            f"{folder / file}: SHA-256 check failed: {MANIFEST_FILE} promises "
            f"{promised.sha256} ({promised.size_bytes} bytes), the file has {found} ({size}); "
            "restore the version from its source, or pack the changed files as a new version"
        )
    return content


def _read(folder: Path, file: str, limit_bytes: int) -> bytes:
    """Read a regular file, at most one byte more than ``limit_bytes``."""
    path = folder / file
    try:
        _check_inside(path, folder)
        # A pipe would block for ever without O_NONBLOCK; it is refused below.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as opened:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ConfigError(f"{path}: is no regular file; put the file itself there")
            return opened.read(limit_bytes + 1)
    except OSError as exc:
        raise ConfigError(
            f"{path}: cannot be read ({exc.strerror}); a version needs "
            f"{MODEL_FILE}, {CONTRACT_FILE}, {GOLDEN_FILE} and {MANIFEST_FILE}: pack it again"
        ) from exc


def _check_inside(path: Path, folder: Path) -> None:
    target = Path(os.path.realpath(path))
    if not target.is_relative_to(os.path.realpath(folder)):
        raise ConfigError(
            f"{path}: links to {target}, outside of {folder}; put the file itself there"
        )
