"""Where peers live: a venv for each Python one, one Maven project for all Java ones, under build/.

Decides that they are made on demand from what is committed here, locked or pinned, and made again
when that changes. What cannot be made has a reason, which the table shows; nothing is installed
anywhere else.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stream_app.adapters.local_kafka.java import find_java
from stream_app.errors import StreamAppError

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parents[2]
BUILD: Final = ROOT / "build" / "peers"
JAVA_PROJECT: Final = HERE / "java"

_STAMP: Final = "made-from"
_MAKE_WITHIN_S: Final = 1_200

Say = Callable[[str], None]


class MissingPeerError(Exception):
    """A peer cannot be had on this machine; the message is for its row of the table."""


@dataclass(frozen=True, slots=True)
class JavaHome:
    """How the Java peers are run.

    Attributes:
        program: The ``java`` that runs them: the broker's, so that it is a known one.
        version: Its version.
        class_path: Their classes and libraries.
    """

    program: Path
    version: str
    class_path: str


def python_home(name: str, say: Say) -> Path:
    """The interpreter of a venv that has what ``<name>/requirements.txt`` locks.

    Raises:
        MissingPeerError: it cannot be made.
    """
    lock, folder = HERE / name / "requirements.txt", BUILD / name
    python = folder / "bin" / "python"
    made_from = _digest([lock], sys.version)
    if _stamp(folder) == made_from and python.exists():
        return python
    say(f"making a venv for {name}")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        venv.create(folder, with_pip=True)
    except (OSError, subprocess.CalledProcessError) as exc:
        raise MissingPeerError(f"no venv for {name}: {exc}") from exc
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    # The lock holds everything; where a package asks for another's extra, pip would look for more.
    order = [*pip, "--no-deps", "--require-hashes", "-r", str(lock)]
    _make(order, f"pip could not install {name}")
    (folder / _STAMP).write_text(made_from, encoding="ascii")
    return python


def java_home(say: Say) -> JavaHome:
    """The compiled Java peers and their libraries.

    Raises:
        MissingPeerError: there is no Java, no compiler or no Maven, or they fail.
    """
    try:
        java = find_java()
    except StreamAppError as exc:
        raise MissingPeerError(str(exc)) from exc
    folder = BUILD / "java"
    sources = [JAVA_PROJECT / "pom.xml", *sorted(JAVA_PROJECT.rglob("*.java"))]
    made_from = _digest(sources, "")
    if _stamp(folder) != made_from:
        maven = shutil.which("mvn")
        if maven is None:
            raise MissingPeerError("Maven is not on the PATH (Debian: apt-get install maven)")
        say("compiling the Java peers")
        shutil.rmtree(folder, ignore_errors=True)
        order = [maven, "--quiet", "--batch-mode", "--file", str(JAVA_PROJECT / "pom.xml")]
        _make([*order, f"-Dpeers.build={folder}", "package"], "Maven failed")
        (folder / _STAMP).write_text(made_from, encoding="ascii")
    class_path = os.pathsep.join([str(folder / "classes"), str(folder / "libraries" / "*")])
    return JavaHome(java.program, java.version, class_path)


def _make(command: Sequence[str], complaint: str) -> None:
    try:
        subprocess.run(
            command,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_MAKE_WITHIN_S,
        )
    except subprocess.CalledProcessError as exc:
        told = [line for line in exc.stdout.splitlines() if line.strip()]
        errors = [line for line in told if "ERROR" in line] or told[-1:]
        raise MissingPeerError(f"{complaint}: {' '.join(errors[:1]) or exc}") from exc
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise MissingPeerError(f"{complaint}: {exc}") from exc


def _digest(files: Iterable[Path], more: str) -> str:
    parts = [path.read_bytes() for path in files]
    return hashlib.sha256(b"\0".join([*parts, more.encode()])).hexdigest()


def _stamp(folder: Path) -> str:
    path = folder / _STAMP
    return path.read_text(encoding="ascii") if path.is_file() else ""
