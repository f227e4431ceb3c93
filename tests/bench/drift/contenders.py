"""Other tools at work, each in its own environment: what they are handed, what they answer.

Decides that a tool is a program that gets folders and leaves an answer in each, and that it is
offline as far as it lets itself be told so.
"""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tests.bench.drift.handed import ANSWER, put
from tests.bench.drift.scenes import Scene
from tests.bench.peers.homes import ROOT

EVIDENTLY: Final = "evidently"
NANNYML: Final = "nannyml"

_QUIET: Final = {"DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1", "TQDM_DISABLE": "1"}
_WITHIN_S: Final = 1_800


class BrokenContenderError(Exception):
    """A tool did not answer; the message ends with what it said last."""


def hand_over(folder: Path, scene: Scene) -> Path:
    """Write a scene down; answers its folder."""
    labels = {
        field.name: None if field.labels is None else list(field.labels)
        for field in scene.reference.fields
    }
    put(folder / scene.key, labels, scene.reference.numbers, scene.stream.numbers, scene.windows)
    return folder / scene.key


def ask(name: str, python: Path, folders: Sequence[Path]) -> list[dict[str, Any]]:
    """Have a tool answer each folder.

    Raises:
        BrokenContenderError: it failed.
    """
    module = f"tests.bench.peers.{name}.run"
    done = subprocess.run(
        [str(python), "-m", module, *map(str, folders)],
        cwd=ROOT,
        env={**os.environ, **_QUIET},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_WITHIN_S,
        check=False,
    )
    if done.returncode:
        raise BrokenContenderError(f"{name}: {' '.join(done.stdout.splitlines()[-3:])}")
    return [json.loads((folder / ANSWER).read_text(encoding="utf-8")) for folder in folders]
