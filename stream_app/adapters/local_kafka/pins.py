"""Which files of other projects make a local server: exact versions and SHA-256 of each.

The lists stand beside this module, one file a line, and are written by ``relock.py``. It knows
neither where the files come from nor where they are kept.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

KAFKA_VERSION = "4.1.2"
REGISTRY_VERSION = "2.6.13.Final"
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Pin:
    """One file: its Maven coordinate, and what it must hash to."""

    sha256: str
    group: str
    artifact: str
    version: str
    packaging: str = "jar"
    classifier: str = ""

    @classmethod
    def parse(cls, line: str) -> Self:
        """Read ``sha256  group:artifact:version[:packaging[:classifier]]``."""
        sha256, coordinate = line.split()
        return cls(sha256, *coordinate.split(":"))

    def __str__(self) -> str:
        parts = [self.group, self.artifact, self.version]
        if self.packaging != "jar" or self.classifier:
            parts.append(self.packaging)
        if self.classifier:
            parts.append(self.classifier)
        return ":".join(parts)

    @property
    def file_name(self) -> str:
        classifier = f"-{self.classifier}" if self.classifier else ""
        return f"{self.artifact}-{self.version}{classifier}.{self.packaging}"


def read_pins(name: str) -> tuple[Pin, ...]:
    """The list ``name`` that is packaged beside this module, in its own order."""
    lines = Path(__file__).with_name(name).read_text("utf-8").splitlines()
    return tuple(Pin.parse(line) for line in lines if line and not line.startswith("#"))


def kafka_pins() -> tuple[Pin, ...]:
    return read_pins(f"kafka-{KAFKA_VERSION}.sha256")


def registry_pin() -> Pin:
    (pin,) = read_pins(f"registry-{REGISTRY_VERSION}.sha256")
    return pin


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
