"""Reads deploy/Dockerfile far enough to hold it against the product.

Knows instructions, their flags and their JSON forms; refuses to know what a build would do.
"""

import fnmatch
import json
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import cast

ROOT = Path(__file__).parents[1]
PATH = ROOT / "deploy" / "Dockerfile"


@dataclass(frozen=True)
class Instruction:
    """One instruction: ``COPY``, its ``--flags``, and the rest of its logical line."""

    keyword: str
    flags: dict[str, str]
    text: str

    def words(self) -> list[str]:
        """Its arguments, in the JSON form (``["a", "b"]``) or as words of a line."""
        if self.text.startswith("["):
            return cast("list[str]", json.loads(self.text))
        return shlex.split(self.text)


def instructions(source: str | None = None) -> list[Instruction]:
    """All instructions, in order; by default those of the repository's Dockerfile."""
    text = PATH.read_text(encoding="utf-8") if source is None else source
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    logical = "\n".join(lines).replace("\\\n", " ").splitlines()
    found = []
    for line in logical:
        keyword, _, rest = line.strip().partition(" ")
        flags = {}
        while rest.lstrip().startswith("--"):
            flag, _, rest = rest.lstrip().partition(" ")
            name, _, value = flag.removeprefix("--").partition("=")
            flags[name] = value
        found.append(Instruction(keyword.upper(), flags, rest.strip()))
    return found


def last(keyword: str) -> Instruction:
    """The instruction of this kind that the image ends up with."""
    return [each for each in instructions() if each.keyword == keyword][-1]


def environment() -> dict[str, str]:
    """What the final stage's ENV instructions set."""
    every = instructions()
    final = max(at for at, each in enumerate(every) if each.keyword == "FROM")
    pairs = [word for each in every[final:] if each.keyword == "ENV" for word in each.words()]
    return dict(pair.split("=", 1) for pair in pairs)


def copied() -> list[tuple[Path, Path]]:
    """What goes from the repository into the build: (source, destination), both relative."""
    pairs = []
    for each in instructions():
        if each.keyword == "COPY" and "from" not in each.flags:
            *sources, target = each.words()
            for source in sources:
                into = Path(target) / Path(source).name if target.endswith("/") else Path(target)
                pairs.append((Path(source), into))
    return pairs


def in_context(path: Path) -> bool:
    """Whether .dockerignore, a list of what is let in, lets this path in."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    allowed = [line.removeprefix("!") for line in lines if line.startswith("!")]
    return any(
        fnmatch.fnmatch(str(each), pattern) for each in (path, *path.parents) for pattern in allowed
    )


def copy_sources(target: Path) -> None:
    """Lay out, under ``target``, what the build stage sees in its work folder."""
    for source, into in copied():
        (target / into).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / source, target / into, ignore=ignored)
        else:
            shutil.copy(ROOT / source, target / into)
